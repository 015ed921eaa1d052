"""A preview is the message that a send puts on the wire, and making one changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from newsletter.cli.previewing import turns_to_send
from newsletter.errors import NothingToSend, TemplateError, UsageError
from newsletter.model import MailFormat, Occurrence, Stream, StreamName, SubscriptionState
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.making import Preview, make_preview
from newsletter.store import Store, occurrences, tables
from tests.builders import NOW, add_subscribers
from tests.preview.bench import READER, a_site, configuration_of
from tests.support.ledger import dump
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer

SECTIONS = "[{name: National, match: {section: National}}, {name: World, match: {section: World}}]"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def previewed(site: SiteFolder, reader: str | KeyFacts = READER, **choice: str) -> Preview:
    with site.open() as store:
        return make_preview(
            configuration_of(site),
            store,
            StreamName("daily"),
            reader=reader,
            now=NOW,
            turns=turns_to_send,
            edition=choice.get("edition", "next"),
        )


def test_the_hash_is_that_of_the_bytes_a_send_puts_on_the_wire(
    tmp_path: Path, store_url: str, server: SmtpServer
) -> None:
    site = a_site(tmp_path, url=store_url, readers=2, port=str(server.port))
    before = previewed(site)
    sent = site.command("--now", NOW.isoformat(), "send", "daily", "--yes", "--no-collect")
    assert sent.code == 0, sent.err
    on_the_wire = next(one.content for one in server.accepted if one.recipient == READER)
    assert before.message == on_the_wire
    assert before.sha256 == hashlib.sha256(on_the_wire).hexdigest()


def test_so_it_is_with_numbered_stories_and_promotions_where_stories_give_way_to_the_size(
    tmp_path: Path, server: SmtpServer
) -> None:
    site = a_site(tmp_path, readers=2, stories=40, port=str(server.port), most="40")
    file = tmp_path / "schedules.yaml"
    promotion = '{headline: Read more, text: For less., url: "https://news.example/offer", after: National}'
    wanted = f"design: briefing\n    size_budget: 20000\n    promotions: [{promotion}]\n    in_doubt"
    file.write_text(file.read_text().replace("in_doubt", wanted, 1).replace("max: 5}]", "max: 40}]"))
    before = previewed(site)
    assert any("stories give way" in notice for notice in before.notices)
    assert "Read more" in before.text
    sent = site.command("--now", NOW.isoformat(), "send", "daily", "--yes", "--no-collect")
    assert sent.code == 0, sent.err
    assert before.message == next(one.content for one in server.accepted if one.recipient == READER)


def test_a_past_edition_shows_what_she_was_sent_whatever_changed_since(tmp_path: Path, server: SmtpServer) -> None:
    site = a_site(tmp_path, readers=1, port=str(server.port))
    assert site.command("--now", NOW.isoformat(), "send", "daily", "--yes", "--no-collect").code == 0
    (tmp_path / "templates" / "daily").mkdir(parents=True)
    (tmp_path / "templates" / "daily" / "card.html").write_text("<tr><td>Everything is new.</td></tr>")
    with site.open() as store:
        store.write(
            lambda connection: connection.execute(update(tables.subscriptions).values(format=MailFormat.TEXT.value))
        )
    past = previewed(site, edition="2026-11-24/1")
    assert past.message == server.accepted[0].content
    assert past.state == "sent"


def test_previewing_writes_nothing(tmp_path: Path, store_url: str) -> None:
    site = a_site(tmp_path, url=store_url)
    with site.open() as store:
        before = store.read(dump)
    previewed(site)
    previewed(site, KeyFacts(plan="member"))
    with site.open() as store:
        assert store.read(dump) == before


def test_a_reader_put_together_by_hand_decides_sections_and_format(tmp_path: Path) -> None:
    site = a_site(tmp_path, readers=0)
    file = tmp_path / "schedules.yaml"
    file.write_text(
        file.read_text().replace("[{name: National, match: {section: National}, max: 5}]", SECTIONS), encoding="utf-8"
    )
    with site.open() as store:
        store.write(
            lambda connection: connection.execute(
                update(tables.articles).where(tables.articles.c.id == 2).values(section="World")
            )
        )
    world = previewed(site, KeyFacts(sections=("world",)))
    assert world.subject == "Story number 2 of the test"
    assert [story.headline for story in world.stories if story.shown] == ["Story number 2 of the test"]
    assert {story.words for story in world.stories if not story.shown} == {"in the edition, not in her sections"}
    text = previewed(site, KeyFacts(format=MailFormat.TEXT))
    assert text.html == ""
    assert dict(text.headers)["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (KeyFacts(plan="gold"), "no plan 'gold'"),
        (KeyFacts(sections=("Wrld",)), "no section 'Wrld'"),
        (KeyFacts(language="a b"), "a language is written like"),
        ("stranger@readers.example", "is not a subscriber"),
        ("no address", "no address: "),
    ],
)
def test_a_reader_there_is_not_is_refused(tmp_path: Path, reader: str | KeyFacts, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        previewed(a_site(tmp_path), reader)
    assert words in str(refused.value)


def test_too_few_stories_are_shown_with_the_reason_why_they_would_not_go(tmp_path: Path) -> None:
    site = a_site(tmp_path, stories=1)
    file = tmp_path / "schedules.yaml"
    file.write_text(file.read_text().replace("min: 1", "min: 3"), encoding="utf-8")
    preview = previewed(site)
    assert preview.subject == "Story number 1 of the test"
    assert "As it stands it would be skipped: 1 story, at least 3 needed." in preview.notices


def test_without_an_article_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToSend, match="Collect first"):
        previewed(a_site(tmp_path, stories=0))


def test_stories_that_are_all_passed_over_are_counted_with_the_reason(tmp_path: Path) -> None:
    site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/newsletter.db", 2525)
    site.fill(stories=2, seen_at=NOW + timedelta(hours=1))
    with site.open() as store, pytest.raises(NothingToSend, match="not yet"):
        make_preview(configuration_of(site), store, StreamName("daily"), reader=KeyFacts(), now=NOW)


def test_who_would_not_get_it_is_shown_it_with_the_reason(tmp_path: Path) -> None:
    site = a_site(tmp_path, readers=0)
    with site.open() as store:
        add_subscribers(store, 1, state=SubscriptionState.UNSUBSCRIBED)
    assert "She would not get it: unsubscribed." in previewed(site).notices


def test_without_a_schedule_at_hand_the_stores_next_occurrence_is_taken(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with site.open() as store:
        configuration = configuration_of(site)
        alone = make_preview(configuration, store, StreamName("daily"), reader=KeyFacts(), now=NOW)
        assert str(alone.edition) == "daily@2026-11-23/1"
        _plan(store)
        planned = make_preview(configuration, store, StreamName("daily"), reader=KeyFacts(), now=NOW)
        assert str(planned.edition) == "daily@2026-11-25/1"


def test_a_template_error_names_the_line(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    (tmp_path / "templates" / "daily").mkdir(parents=True)
    (tmp_path / "templates" / "daily" / "lead.html").write_text("<tr><td>\n{{ story.headlin }}\n</td></tr>\n")
    with pytest.raises(TemplateError) as raised:
        previewed(site)
    assert raised.value.where.endswith("templates/daily/lead.html:2")


def _plan(store: Store) -> None:
    for day in (20, 25, 26):  # the first is long past, and would be skipped as missed
        due = NOW + timedelta(days=day - 23)
        store.write(occurrences.plan, "daily", Stream.EACH, Occurrence(date(2026, 11, day), 1), due, due, NOW)
