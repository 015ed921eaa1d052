"""Every shipped kind of mail as a reader gets it: the demo is run once, and its own mails and variants of them kept.

    newsletter.demo.showing.show -> its Maildirs -> daily, briefing, weekend, plain
    its store's articles, changed -> render -> the alert, and each case (one story, sixty …) of every design

``build`` writes ``NAME.eml`` files, ``load`` reads them back, so that one worker of a run builds for all.
"""

from __future__ import annotations

import email
import email.policy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from newsletter.config.layout import Missed, Promotion
from newsletter.config.reading import Configuration, load
from newsletter.deliver.addressed import Reader
from newsletter.deliver.assembling import message_for, message_id
from newsletter.deliver.copies import parts_of
from newsletter.deliver.system_mails import document_of, latest_editions, system_message
from newsletter.demo.showing import show
from newsletter.members.links import Links
from newsletter.model import (
    Access,
    Article,
    Edition,
    EditionSection,
    JoinedKey,
    MailFormat,
    Occurrence,
    RenderedKey,
    Stream,
    SystemMail,
)
from newsletter.render.joining import Variants
from newsletter.render.rendering import render_edition, templates_of, web_base
from newsletter.store import Store, articles

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "schedules.yaml"
WHEN = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
_ASHA = Reader(7, "asha.rao@readers.example", "Asha", "Rao", b"s" * 16)

# Which of the demo's readers stands for each mail, and the newsletter it is of.
SENT = {
    "daily": ("anitha.raman@readers.example", "daily"),
    "briefing": ("anitha.raman@readers.example", "briefing"),
    "weekend": ("gita.subramaniam@readers.example", "weekend"),
    "reordered": ("farhan.qureshi@readers.example", "daily"),
    "plain": ("david.okafor@readers.example", "daily"),
}
# Each design by the newsletter that stands for it. The working example sends no alerts: the tests declare one.
DESIGNS = {"daily": "daily", "briefing": "briefing", "weekly": "weekend", "alert": "alerts"}
# What is pictured and compared: `look-DESIGN`, `arabic-DESIGN` and `blocks-DESIGN`, whose date is always the same.
CASES = ("one-story", "sixty-stories", "no-pictures", "long-headlines", "hindi", "arabic", "free-plan", "blocks")
# What somebody asked for just now, by the name of its mail and the language it is in.
SYSTEM_MAILS = {
    **{f"system-{kind.value}": (kind, "en") for kind in SystemMail},
    "system-confirm-arabic": (SystemMail.CONFIRM, "ar"),
    "system-welcome-arabic": (SystemMail.WELCOME, "ar"),
}
MAILS = (
    *DESIGNS.values(),
    *SYSTEM_MAILS,
    "reordered",
    *(f"{case}-{design}" for case in CASES for design in DESIGNS if (case, design) != ("one-story", "alert")),
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
        made = [*_variants(configuration, stories), *_system_mails(configuration, store)]
    for name, raw in made:
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
    """The alert, and each case of every design; but for its own look an alert comes with something."""
    configuration = _with_alerts(configuration)
    stories = [_credited(story) for story in stories]
    # Those with a picture first, so that the lead has one; in an order that does not depend on when they were found.
    by_section = {
        name: sorted(
            (story for story in stories if story.section == name), key=lambda story: (not story.images, story.headline)
        )
        for name in configuration.newsletter("daily").section_names
    }
    some = {name: mine[:3] for name, mine in by_section.items()}
    pools: dict[str, dict[str, Sequence[Article]]] = {
        "daily": {**some},
        "briefing": {"Top stories": [mine[0] for mine in by_section.values()]},
        "weekly": {name: by_section[name][:5] for name in ("World", "Culture")},
        "alert": {"National": by_section["National"][:2]},
    }
    first = by_section["National"][:1]
    made = [("alerts", _mail(configuration, "alerts", {"National": first}))]
    for design, newsletter in DESIGNS.items():
        pool = pools[design]
        made.append(
            (f"look-{design}", _mail(configuration, newsletter, {"National": first} if design == "alert" else pool))
        )
        if design != "alert":
            made.append((f"one-story-{design}", _mail(configuration, newsletter, {"National": first})))
        made += [
            (f"sixty-stories-{design}", _mail(configuration, newsletter, _sixty(by_section))),
            (f"no-pictures-{design}", _mail(configuration, newsletter, _each(pool, _without_pictures))),
            (f"long-headlines-{design}", _mail(configuration, newsletter, _each(pool, _long))),
            (f"free-plan-{design}", _mail(configuration, newsletter, _each(pool, _for_members), plan="free")),
        ]
        with_blocks, shown = _with_blocks(configuration, newsletter), _each(pool, _for_members)
        missed = by_section["Sport"][3:5] or by_section["Sport"][:2]
        made.append((f"blocks-{design}", _mail(with_blocks, newsletter, shown, plan="free", missed=missed, trimmed=3)))
        for case, language in (("hindi", "hi"), ("arabic", "ar")):
            site, translated = _site_in(configuration, language), _in_language(language, pool)
            made.append((f"{case}-{design}", _mail(site, newsletter, translated, language=language)))
    return made


def _system_mails(configuration: Configuration, store: Store) -> Iterator[tuple[str, bytes]]:
    """Each kind as a sender makes it, for a reader of two newsletters."""
    latest, configuration = latest_editions(configuration, store), _with_alerts(configuration)
    for name, (kind, language) in SYSTEM_MAILS.items():
        site = configuration if language == "en" else _site_in(configuration, language)
        document = document_of(site, store, kind, RenderedKey(language, "member"), latest, templates_of(site))
        yield (
            name,
            system_message(
                site,
                document,
                kind,
                "7",
                () if kind is SystemMail.SIGN_IN else ("daily", "weekend"),
                _ASHA,
                message_id=f"<{name}@news.example>",
                mail_format=MailFormat.HTML,
                links=Links(web_base(site)),
                now=WHEN,
            ),
        )


def _with_alerts(configuration: Configuration) -> Configuration:
    newsletters = configuration.schedules.newsletters
    alerts = newsletters["daily"].model_copy(
        update={"title": "News alerts", "design": "alert", "description": "", "sections": newsletters["daily"].sections}
    )
    schedules = configuration.schedules.model_copy(update={"newsletters": {**newsletters, "alerts": alerts}})
    return replace(configuration, schedules=schedules)


def _with_blocks(configuration: Configuration, newsletter: str) -> Configuration:
    """The newsletter with all that may stand round its stories: a note with a list, a promotion with a picture and a
    button and one without, other newsletters, what was missed."""
    newsletters = configuration.schedules.newsletters
    media = f"{web_base(configuration)}/media"
    promotions: list[dict[str, object]] = [
        {
            "headline": "Two nights at the lighthouse, breakfast with the keeper",
            "text": "The Daily Example's readers stay from **Thursday to Sunday** for the price of one night.",
            "url": "https://stay.example/lighthouse",
            "image": f"{media}/sample-lighthouse.jpg",
            "alt": "A lighthouse above a rocky shore",
            "button": "See the rooms",
        },
        {
            "headline": "The harbour book fair opens on Saturday",
            "text": "Sixty publishers, three stages, and a tram that runs until midnight.",
            "url": "https://fair.example/",
            "after": 9,
        },
    ]
    note = (
        "Good morning. The dam was never in danger, and we asked the people who watched it all night:\n\n"
        "* the engineer who *opened the gates*\n* the village that heard the siren, and stayed\n\n"
        "Tell us what the rain did where you live: [write to the desk](https://news.example/letters)."
    )
    changed = {
        "note": note,
        "promotions": [Promotion.model_validate(one) for one in promotions],
        "related": [name for name in ("daily", "briefing", "weekend") if name != newsletter],
        "missed": Missed(),
    }
    blocks = newsletters[newsletter].model_copy(update=changed)
    schedules = configuration.schedules.model_copy(update={"newsletters": {**newsletters, newsletter: blocks}})
    return replace(configuration, schedules=schedules)


def _mail(
    configuration: Configuration,
    newsletter: str,
    pool: Mapping[str, Sequence[Article]],
    *,
    language: str = "en",
    plan: str = "member",
    missed: Sequence[Article] = (),
    trimmed: int = 0,
) -> bytes:
    """A reader's copy of an edition of these stories, made as a send makes it. Ids are given afresh. ``missed`` stand
    at its end; ``trimmed`` gave way to the size budget."""
    sections: list[EditionSection] = []
    known: dict[int, Article] = {}
    for name, stories in [*pool.items(), *([("", missed)] if missed else [])]:
        ids = range(len(known) + 1, len(known) + 1 + len(stories))
        known.update({number: _at(story, number) for number, story in zip(ids, stories, strict=True)})
        sections.append(EditionSection(name, tuple(ids), missed=not name, trimmed=trimmed if not sections else 0))
    edition = Edition(newsletter, Stream.EACH, Occurrence(date(2026, 11, 24), 1), "", WHEN, tuple(sections))
    key = RenderedKey(language, plan)
    made = render_edition(configuration, edition, known, key, templates_of(configuration))
    variant = Variants(made).variant(JoinedKey(()))
    assert variant is not None
    return message_for(
        configuration,
        edition,
        variant,
        _ASHA,
        message_id=message_id(configuration, newsletter, str(edition.name), 7),
        mail_format=MailFormat.HTML,
        links=Links(web_base(configuration)),
        now=WHEN,
    )


def _credited(story: Article) -> Article:
    """With one credit: whether the demo finds it depends on whether the feed or the page came first."""
    return replace(story, images=tuple(replace(one, credit="Illustration: The Daily Example") for one in story.images))


def _at(story: Article, number: int) -> Article:
    """The story under this number, published at a minute that does not depend on when the tests run."""
    published = WHEN - timedelta(minutes=13 * number)
    return replace(story, id=number, published_at=published, updated_at=published)


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


def _without_pictures(story: Article, _number: int) -> Article:
    return replace(story, images=())


def _for_members(story: Article, number: int) -> Article:
    return replace(story, access=Access.FREE if number % 2 else Access.MEMBERS)


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
        "text": (
            "रात दो बजे सायरन बजा और पहरेदार ने पहला फाटक खोला। "
            "“हमने इतना पानी पहले कभी नहीं देखा, पर दीवार एक पल के लिए भी नहीं काँपी।” "
            "सुबह तक सभी फाटक खुल चुके थे।"
        ),
        "authors": ("मीरा पिल्लई",),
        "titles": ("दैनिक उदाहरण", "सुबह की ख़बरें", "सप्ताहांत", "ताज़ा ख़बर"),
        "greeting": ("सुबह की चाय से पहले पाँच ख़बरें।",),
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
        "text": (
            "دوّت الصفارة عند الثانية فجرًا وفتح الحارس البوابة الأولى. "
            "«لم نر في حياتنا هذا القدر من الماء، لكن الجدار لم يهتز لحظة واحدة.» "
            "وبحلول الصباح كانت البوابات كلها مفتوحة."
        ),
        "authors": ("ليلى حداد",),
        "titles": ("المثال اليومي", "موجز الصباح", "نهاية الأسبوع", "عاجل"),
        "greeting": ("خمسة أخبار قبل فنجان القهوة الأول.",),
        "sections": ("محليات", "العالم", "اقتصاد", "رياضة", "ثقافة"),
        "pictures": ("مياه تتدفق من بوابات السد المفتوحة", "السد عند الغروب", "ر. حداد"),
    },
}


def _site_in(configuration: Configuration, language: str) -> Configuration:
    """The site as a paper of this language would configure it."""
    words = _TONGUES[language]
    schedules = configuration.schedules
    titles = dict(zip(DESIGNS.values(), words["titles"], strict=True))
    newsletters = {
        name: schedules.newsletters[name].model_copy(update={"title": title, "description": words["greeting"][0]})
        for name, title in titles.items()
    }
    site = schedules.site.model_copy(update={"name": titles["daily"], "language": language})
    return replace(configuration, schedules=schedules.model_copy(update={"site": site, "newsletters": newsletters}))


def _in_language(language: str, pool: Mapping[str, Sequence[Article]]) -> dict[str, list[Article]]:
    words = _TONGUES[language]
    alt, caption, credit = words["pictures"]

    def translated(story: Article, number: int) -> Article:
        return replace(
            story,
            headline=words["headlines"][number % len(words["headlines"])],
            standfirst=words["standfirsts"][0],
            teaser=words["standfirsts"][0],
            authors=tuple(words["authors"]),
            section=words["sections"][0],
            body_text=str(words["text"]),
            language=language,
            images=tuple(replace(image, alt=alt, caption=caption, credit=credit) for image in story.images),
        )

    return dict(zip(words["sections"], _each(pool, translated).values(), strict=False))
