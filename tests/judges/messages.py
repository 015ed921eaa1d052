"""Every shipped kind of mail as a reader gets it: the demo is run once, and its own mails and variants of them kept.

    newsletter.demo.showing.show -> its Maildirs -> daily, briefing, weekend, plain
    its store's articles, changed -> render -> one story, sixty, no pictures, long headlines, Hindi, Arabic

``build`` writes ``NAME.eml`` files, ``load`` reads them back, so that one worker of a run builds for all.
"""

from __future__ import annotations

import email
import email.policy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path

from newsletter.config.reading import Configuration, load
from newsletter.deliver.assembling import Reader, message_for, message_id
from newsletter.deliver.copies import parts_of
from newsletter.demo.showing import show
from newsletter.members.links import Links
from newsletter.model import (
    Article,
    Edition,
    EditionSection,
    JoinedKey,
    MailFormat,
    Occurrence,
    RenderedKey,
    Stream,
)
from newsletter.render.joining import Variants
from newsletter.render.rendering import render_edition, templates_of, web_base
from newsletter.store import Store, articles

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "schedules.yaml"
WHEN = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)

# Which of the demo's readers stands for each mail, and the newsletter it is of.
SENT = {
    "daily": ("anitha.raman@readers.example", "daily"),
    "briefing": ("anitha.raman@readers.example", "briefing"),
    "weekend": ("gita.subramaniam@readers.example", "weekend"),
    "reordered": ("farhan.qureshi@readers.example", "daily"),
    "plain": ("david.okafor@readers.example", "daily"),
}
DESIGNS = ("daily", "briefing", "weekend")
MAILS = (
    *DESIGNS,
    "reordered",
    "one-story",
    "sixty-stories",
    "no-pictures",
    "long-headlines",
    "hindi",
    "hindi-briefing",
    "arabic",
    "arabic-briefing",
)


@dataclass(frozen=True)
class Mail:
    """One message: its bytes as they went over the wire, and the HTML (decoded) that a client shows."""

    name: str
    raw: bytes
    html: str


def build(folder: Path) -> Configuration:
    """Run the demo in ``folder/demo`` and write every mail to ``folder/mails``; the demo's configuration."""
    show(folder / "demo", EXAMPLE, lambda _line: None)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NEWSLETTER_")}
    configuration = load(folder / "demo" / "schedules.yaml", environment)
    mails = folder / "mails"
    mails.mkdir()
    for name, (address, newsletter) in SENT.items():
        (mails / f"{name}.eml").write_bytes(_received(folder / "demo" / "mailboxes" / address, newsletter))
    with Store.open(configuration.store_url) as store:
        stories = store.read(articles.list_articles, limit=200)
    for name, raw in _variants(configuration, stories):
        (mails / f"{name}.eml").write_bytes(raw)
    return configuration


def load_mails(folder: Path) -> dict[str, Mail]:
    """What ``build`` wrote, by name."""
    found = {}
    for path in sorted((folder / "mails").glob("*.eml")):
        raw = path.read_bytes()
        found[path.stem] = Mail(path.stem, raw, parts_of(raw)[0])
    return found


def wire(raw: bytes) -> bytes:
    """A message as it was on the wire: a Maildir holds lines that end in LF."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _received(mailbox: Path, newsletter: str) -> bytes:
    for path in sorted((mailbox / "new").iterdir()):
        raw = wire(path.read_bytes())
        message = email.message_from_bytes(raw, policy=email.policy.SMTP)
        assert isinstance(message, EmailMessage)
        if str(message["List-Id"]).startswith(f"<{newsletter}."):
            return raw
    raise AssertionError(f"{mailbox.name} got no {newsletter}")


def _variants(configuration: Configuration, stories: Sequence[Article]) -> list[tuple[str, bytes]]:
    by_section = {
        name: [story for story in stories if story.section == name]
        for name in configuration.newsletter("daily").section_names
    }
    some = {name: mine[:3] for name, mine in by_section.items()}
    top = {"Top stories": [mine[0] for mine in by_section.values()]}
    hindi, arabic = _site_in(configuration, "hi"), _site_in(configuration, "ar")
    return [
        ("one-story", _mail(configuration, "daily", {"National": by_section["National"][:1]})),
        ("sixty-stories", _mail(configuration, "daily", _sixty(by_section))),
        ("no-pictures", _mail(configuration, "daily", _each(some, lambda story, _: replace(story, images=())))),
        ("long-headlines", _mail(configuration, "daily", _each(some, _long))),
        ("hindi", _mail(hindi, "daily", _in_language("hi", some), language="hi")),
        ("hindi-briefing", _mail(hindi, "briefing", _in_language("hi", top), language="hi")),
        ("arabic", _mail(arabic, "daily", _in_language("ar", some), language="ar")),
        ("arabic-briefing", _mail(arabic, "briefing", _in_language("ar", top), language="ar")),
    ]


def _mail(
    configuration: Configuration, newsletter: str, pool: Mapping[str, Sequence[Article]], *, language: str = "en"
) -> bytes:
    """A member's copy of an edition of these stories, made as a send makes it. Ids are given afresh."""
    sections: list[EditionSection] = []
    known: dict[int, Article] = {}
    for name, stories in pool.items():
        ids = range(len(known) + 1, len(known) + 1 + len(stories))
        known.update({number: replace(story, id=number) for number, story in zip(ids, stories, strict=True)})
        sections.append(EditionSection(name, tuple(ids)))
    edition = Edition(newsletter, Stream.EACH, Occurrence(date(2026, 11, 24), 1), "", WHEN, tuple(sections))
    key = RenderedKey(language, "member")
    made = render_edition(configuration, edition, known, key, templates_of(configuration))
    variant = Variants(made).variant(JoinedKey(()))
    assert variant is not None
    return message_for(
        configuration,
        edition,
        variant,
        Reader(7, "asha.rao@readers.example", "Asha", "Rao", b"s" * 16),
        message_id=message_id(configuration, newsletter, str(edition.name), 7),
        mail_format=MailFormat.HTML,
        links=Links(web_base(configuration)),
        now=WHEN,
    )


def _each(pool: Mapping[str, Sequence[Article]], change: Callable[[Article, int], Article]) -> dict[str, list[Article]]:
    """Every story of the pool changed, with its number from 0."""
    changed: dict[str, list[Article]] = {}
    number = 0
    for name, stories in pool.items():
        changed[name] = []
        for story in stories:
            changed[name].append(change(story, number))
            number += 1
    return changed


def _sixty(by_section: Mapping[str, Sequence[Article]]) -> dict[str, list[Article]]:
    """Twelve stories a section, the sample paper's over and over."""
    return {
        name: [replace(mine[n % len(mine)], url=f"{mine[n % len(mine)].url}-{n}") for n in range(12)]
        for name, mine in by_section.items()
    }


def _long(story: Article, number: int) -> Article:
    words = "After the longest monsoon in forty years the river board opens every gate at once"
    unbroken = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    return replace(story, headline=f"{unbroken} {words}" if number % 3 == 1 else f"{words}, and {words.lower()}")


_TONGUES: dict[str, dict[str, Sequence[str]]] = {
    "hi": {
        "headlines": (
            "चालीस साल की सबसे लंबी बारिश के बाद बाँध के सभी फाटक खोले गए, निचले गाँवों में चेतावनी",
            "रेलवे की हड़ताल टली, देर रात तक चली बातचीत में समझौता",
            "छोटे शहरों में पुस्तकालय लौट रहे हैं, इस बार दो पहियों पर",
        ),
        "standfirsts": ("इंजीनियरों ने रात भर में जलाशय का स्तर दो मीटर घटाया। प्रशासन ने लोगों से नदी से दूर रहने को कहा है।",),
        "authors": ("मीरा पिल्लई",),
        "names": ("दैनिक उदाहरण", "सुबह की ख़बरें", "सुबह की चाय से पहले पाँच ख़बरें।"),
        "sections": ("देश", "दुनिया", "कारोबार", "खेल", "संस्कृति"),
        "pictures": ("बाँध के खुले फाटकों से बहता पानी", "शाम के समय बाँध", "आर. अय्यर"),
    },
    "ar": {
        "headlines": (
            "بعد أطول موسم أمطار منذ أربعين عامًا، فتح بوابات السد كلها وتحذير لسكان القرى الواقعة أسفله",
            "تأجيل إضراب السكك الحديدية بعد مفاوضات استمرت حتى ساعة متأخرة من الليل",
            "المكتبات تعود إلى البلدات الصغيرة، على عجلتين هذه المرة",
        ),
        "standfirsts": (
            "خفض المهندسون مستوى الخزان مترين خلال الليل. ودعت السلطات السكان إلى الابتعاد عن مجرى النهر.",
        ),
        "authors": ("ليلى حداد",),
        "names": ("المثال اليومي", "موجز الصباح", "خمسة أخبار قبل فنجان القهوة الأول."),
        "sections": ("محليات", "العالم", "اقتصاد", "رياضة", "ثقافة"),
        "pictures": ("مياه تتدفق من بوابات السد المفتوحة", "السد عند الغروب", "ر. حداد"),
    },
}


def _site_in(configuration: Configuration, language: str) -> Configuration:
    """The site as a paper of this language would configure it."""
    words = _TONGUES[language]
    paper, briefing, description = words["names"]
    schedules = configuration.schedules
    daily, short = schedules.newsletters["daily"], schedules.newsletters["briefing"]
    return replace(
        configuration,
        schedules=schedules.model_copy(
            update={
                "site": schedules.site.model_copy(update={"name": paper, "language": language}),
                "newsletters": {
                    "daily": daily.model_copy(update={"title": paper, "description": description}),
                    "briefing": short.model_copy(update={"title": briefing, "description": description}),
                },
            }
        ),
    )


def _in_language(language: str, pool: Mapping[str, Sequence[Article]]) -> dict[str, list[Article]]:
    words = _TONGUES[language]
    alt, caption, credit = words["pictures"]

    def translated(story: Article, number: int) -> Article:
        return replace(
            story,
            headline=words["headlines"][number % len(words["headlines"])],
            standfirst=words["standfirsts"][0],
            authors=tuple(words["authors"]),
            language=language,
            images=tuple(replace(image, alt=alt, caption=caption, credit=credit) for image in story.images),
        )

    return dict(zip(words["sections"], _each(pool, translated).values(), strict=False))
