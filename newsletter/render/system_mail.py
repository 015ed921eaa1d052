"""The document of a system mail: the frame of its kind and one piece for each newsletter, joined for each reader.

It is made as an edition is: its templates under ``system/`` run once a language, go through premailer once, and are
cut into pieces; which newsletters a reader's mail names are joined facts, and her links are slots. It holds no
articles of its own; the welcome shows the latest edition of what somebody joined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from newsletter.config.models import Newsletter, Site
from newsletter.model import SYSTEM, Picture, RenderedKey, SystemMail
from newsletter.render import facts
from newsletter.render.blocks import Blocks
from newsletter.render.campaigns import Campaign
from newsletter.render.document import strings_in, unused_nonce
from newsletter.render.encoding import Place, Reference, pack, unpack
from newsletter.render.facts import Story
from newsletter.render.joining import Chunk, Variant
from newsletter.render.pool import PREHEADER, SECTIONS, Pool, piece_name
from newsletter.render.templates import Templates
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.whole import Whole
from newsletter.render.words import Words, direction_of, locale_of

# The file that shows one newsletter, in the mails that name some.
_ITEM = {SystemMail.WELCOME: "issue"}
_USUAL_ITEM = "newsletter"
MOST_STORIES = 5
"""Stories of the latest edition that a welcome shows of each newsletter."""


@dataclass(frozen=True, slots=True)
class ItemView:
    """One newsletter as these templates see it. ``date`` and ``stories`` are of its latest edition, where there is one;
    ``language`` and ``direction`` are empty where they are the mail's own."""

    name: str
    title: str
    description: str
    frequency: str
    language: str = ""
    direction: str = ""
    date: date | None = None
    stories: tuple[Story, ...] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the links of these mails work, in words that templates choose: days to confirm, minutes to sign in."""

    days: int
    minutes: int


class SystemDocument:
    """What all readers of one kind, language and plan share. For one thread."""

    def __init__(self, language: str, subject: str, preheader: str, pieces: Mapping[str, bytes]) -> None:
        self.language, self.pieces = language, pieces
        self._subject, self._preheader = subject, preheader
        self._cuts: dict[str, list[bytes | Reference]] = {}
        self._variants: dict[tuple[str, ...], Variant] = {}

    def variant(self, newsletters: Sequence[str]) -> Variant:
        """The message that names these newsletters, in order; one that is not published any more is left out."""
        known = tuple(newsletters)
        if known not in self._variants:
            if len(self._variants) > 256:
                self._variants.clear()
            # What tells one multipart boundary from another; no article has these numbers.
            mark = int.from_bytes(hashlib.sha256(repr(known).encode()).digest()[:4], "big")
            self._variants[known] = Variant(
                subject=(self._subject,),
                preheader=(self._preheader,),
                text=self._part("txt", known),
                html=self._part("html", known),
                article_ids=(-mark,),
                language=self.language,
            )
        return self._variants[known]

    def _part(self, suffix: str, newsletters: Sequence[str]) -> tuple[Chunk, ...]:
        chunks: list[Chunk] = []
        for chunk in self._cut(piece_name(suffix, "frame")):
            if not isinstance(chunk, Place):
                chunks.append(chunk)
            elif chunk.name == PREHEADER:
                escaped = self._preheader.replace("&", "&amp;").replace("<", "&lt;")
                chunks += [one for one in unpack(pack([escaped])) if not isinstance(one, Place)]
            elif chunk.name == SECTIONS:
                for name in newsletters:
                    piece = self._cut(piece_name(suffix, f"newsletter/{name}"))
                    chunks += [one for one in piece if not isinstance(one, Place)]
        return tuple(chunks)

    def _cut(self, name: str) -> list[bytes | Reference]:
        if name not in self._cuts:
            self._cuts[name] = unpack(self.pieces[name]) if name in self.pieces else []
        return self._cuts[name]


def system_document(
    mail: SystemMail,
    newsletter: Newsletter,
    items: Sequence[ItemView],
    site: Site,
    key: RenderedKey,
    web_base: str,
    templates: Templates,
    *,
    confirm_within: timedelta,
    sign_in_within: timedelta,
    logo: Picture | None = None,
) -> SystemDocument:
    """Render one kind for one language. ``newsletter`` stands for these mails, ``items`` are all that any may name.

    Takes up to 100 ms: off the event loop. Raises TemplateError at ``file:line``.
    """
    web_base = web_base.rstrip("/")
    words = templates.words(key.language)
    subject, preheader = _small_texts(mail, site, words, sign_in_within)
    shared: dict[str, Any] = {
        "newsletter": facts.newsletter_view(SYSTEM, newsletter),
        "site": facts.site_view(site, facts.picture_view(logo, web_base) if logo else None),
        "key": facts.KeyView(key.language, key.plan),
        TRANSLATIONS: words,
        "locale": locale_of(key.language),
        "zone": site.zone,
        "direction": direction_of(key.language),
        "note": None,
        "related": (),
        "subject": subject,
        "waits": Waits(max(confirm_within // timedelta(days=1), 1), max(sign_in_within // timedelta(minutes=1), 1)),
    }
    printed = [asdict(shared["site"]), *(asdict(item) for item in items), subject]
    pieces: dict[str, bytes] = {}
    for suffix in ("html", "txt"):
        pieces |= _Whole(
            templates=templates,
            design=SYSTEM,
            suffix=suffix,
            pool=Pool((), "none"),
            blocks=Blocks(),
            shared=shared,
            texts=frozenset({PREHEADER}),
            nonce=unused_nonce(list(strings_in(printed))),
            campaign=Campaign(),
            file=mail.value,
            items=tuple(items),
            item_file=_ITEM.get(mail, _USUAL_ITEM),
        ).pieces()
    return SystemDocument(key.language, subject, preheader, pieces)


def check_system_mails(templates: Templates) -> None:
    """Refuse templates of system mails that cannot be used. Raises TemplateError at ``file:line``."""
    templates.check(SYSTEM, (*(mail.value for mail in SystemMail), _USUAL_ITEM, *_ITEM.values()))


@dataclass
class _Whole(Whole):
    """A document whose sections are newsletters, one piece each."""

    items: tuple[ItemView, ...] = ()
    item_file: str = _USUAL_ITEM

    def _sections(self, context: Mapping[str, Any]) -> Iterator[str]:
        for item in self.items:
            yield self._piece(f"newsletter/{item.name}", self.item_file, {**context, "item": item})


def _small_texts(mail: SystemMail, site: Site, words: Words, sign_in_within: timedelta) -> tuple[str, str]:
    """Subject and preheader."""
    match mail:
        case SystemMail.CONFIRM:
            return (
                words.gettext("Confirm your newsletters from %(site)s", site=site.name),
                words.gettext("One press of a button. Without it, nothing is sent."),
            )
        case SystemMail.SIGN_IN:
            minutes = max(sign_in_within // timedelta(minutes=1), 1)
            return (
                words.gettext("Your link to sign in at %(site)s", site=site.name),
                words.gettext("It works once, for the next %(minutes)s minutes.", minutes=minutes),
            )
        case SystemMail.WELCOME:
            return (
                words.gettext("Welcome to %(site)s", site=site.name),
                words.gettext("What you will get and when, and what was in it last."),
            )
        case SystemMail.ALREADY:
            return (
                words.gettext("You are already subscribed"),
                words.gettext("Nothing has changed. Here is what comes to you."),
            )
