"""The public pages speak the reader's language where a newsletter does, else the newsletter's or the site's."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession
from sqlalchemy import update

from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.members.links import Links
from newsletter.store import Store, subscribers, tables
from tests.builders import add_subscribers
from tests.support.web_server import a_site, served

LANGUAGES = {"daily": "language: hi, languages: [ar, ta]", "weekly": "language: en, languages: [de]"}


class Site:
    """A served site whose daily is in Hindi, Arabic and Tamil, its weekly in English and German."""

    def __init__(self, base: str, store: Store, client: ClientSession, reader: int) -> None:
        self.base, self.store, self.client, self.reader = base, store, client, reader

    async def page(self, language: str, path: str, *, post: bool = False) -> str:
        change = update(tables.subscribers).values(language=language)
        self.store.write(lambda connection: connection.execute(change))
        person = self.store.read(subscribers.by_id, self.reader)
        assert person is not None
        links = Links(self.base)
        address = {
            "daily": links.unsubscribe(person.id, person.secret, "daily"),
            "weekly": links.unsubscribe(person.id, person.secret, "weekly"),
            "preferences": links.preferences(person.id, person.secret),
            "nothing": f"{self.base}/nothing",
        }[path]
        async with self.client.request("POST" if post else "GET", address) as response:
            return await response.text()


@pytest.fixture
async def site(store: Store, tmp_path: Path):  # type: ignore[no-untyped-def]
    (reader,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    a_site(tmp_path)
    async with served(in_several_languages(tmp_path), store) as base, ClientSession() as client:
        yield Site(base, store, client, reader)


def in_several_languages(folder: Path) -> Configuration:
    """The site in ``folder`` with each newsletter in several languages, and itself in French."""
    file = folder / "schedules.yaml"
    text = file.read_text().replace("language: en,", "language: fr,")
    for name, languages in LANGUAGES.items():
        settings = "".join(
            f"    {one.strip()}\n" for one in languages.replace(", languages", "\nlanguages").split("\n")
        )
        text = text.replace(f"  {name}:\n", f"  {name}:\n{settings}")
    file.write_text(text, encoding="utf-8")
    return load(file, {}, keys=SiteKeys.of_one(b"k" * 32))


@pytest.mark.parametrize(
    ("language", "path", "expected"),
    [
        ("ar-EG", "daily", ('lang="ar" dir="rtl"', "إلغاء الاشتراك في «The Daily Example»؟")),
        ("", "daily", ('lang="hi" dir="ltr"', "‘The Daily Example’ की सदस्यता समाप्त करें?")),
        ("de", "daily", ('lang="hi" dir="ltr"', "बटन दबाने तक कुछ नहीं बदलता।")),
        ("de", "weekly", ('lang="de" dir="ltr"', "„The Weekend“ abbestellen?")),
        ("ar", "weekly", ('lang="en" dir="ltr"', "Unsubscribe from The Weekend?")),
        ("ta", "daily", ('lang="en" dir="ltr"', "Unsubscribe from The Daily Example?")),
        ("ar", "preferences", ('lang="ar" dir="rtl"', "الأقسام، بترتيبك")),
        ("de", "preferences", ('lang="de" dir="ltr"', "Ressorts, in Ihrer Reihenfolge")),
        ("es", "preferences", ('lang="fr" dir="ltr"', "Rubriques, dans l’ordre de votre choix")),
        ("ar", "nothing", ('lang="fr" dir="ltr"', "Cette page est introuvable")),
    ],
)
async def test_a_page_speaks_to_its_reader(site: Site, language: str, path: str, expected: tuple[str, ...]) -> None:
    page = await site.page(language, path)
    for text in expected:
        assert text in page


async def test_what_is_done_is_said_in_the_same_language(site: Site) -> None:
    assert "أُلغي اشتراكك في «The Daily Example»" in await site.page("ar", "daily", post=True)
    assert "لا تصلك «The Daily Example»" in await site.page("ar", "daily")
    assert "Nichts" not in await site.page("de", "preferences", post=True)
    assert "Es hatte sich nichts geändert" in await site.page("de", "preferences", post=True)


async def test_a_date_is_written_as_the_language_does(site: Site) -> None:
    person = site.store.read(subscribers.by_id, site.reader)
    assert person is not None
    await site.page("de", "preferences")
    form = {"shown": "daily", "was:daily": "on", "on:daily": "on", "settings:daily": "yes", "pause:daily": "2030-01-01"}
    address = Links(site.base).preferences(person.id, person.secret)
    async with site.client.post(address, data=form) as response:
        page = await response.text()
    assert response.status == 422
    assert "Wählen Sie einen Tag vom 24. November 2026 bis zum 24. November 2027." in page
