"""What stands round the stories: the editor's note, promotions, other newsletters, the way to a membership.

Configuration and an edition -> frozen views for the templates, those of one rendered key. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from newsletter.config.models import DAYS, Newsletter, Promotion
from newsletter.model import Edition
from newsletter.render.encoding import clean
from newsletter.render.markdown import prose
from newsletter.render.words import direction_of


@dataclass(frozen=True, slots=True)
class NoteView:
    """The editor's note. ``language`` and ``direction`` are empty where they are the edition's own."""

    html: Markup
    text: str
    language: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True)
class PromotionView:
    """What an advertiser has put into the mail. ``label`` is '' where the words of the edition's language serve.

    ``after`` is the section it follows: its number in the reader's mail, or its name. ``target`` is the digest of who
    sees it, '' where every reader of this document does.
    """

    headline: str
    html: Markup
    text: str
    url: str
    image: str
    alt: str
    button: str
    label: str
    after: int | str
    language: str = ""
    direction: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class RelatedView:
    """Another newsletter of the same publisher."""

    name: str
    title: str
    description: str
    language: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Blocks:
    """All of them for one rendered key. ``missed_title`` is '' where the words of the edition's language serve."""

    note: NoteView | None = None
    promotions: tuple[PromotionView, ...] = ()
    related: tuple[RelatedView, ...] = ()
    missed_title: str = ""
    trimmed: int = 0


def blocks_of(
    edition: Edition,
    newsletter: Newsletter,
    others: Mapping[str, Newsletter],
    *,
    language: str,
    own_language: str,
    plan: str,
) -> Blocks:
    """The blocks of an edition for readers of one language and plan; ``others`` are the newsletters by name."""
    foreign = foreign_to(own_language, language)
    note = prose(newsletter.note if edition.edits.note is None else edition.edits.note)
    related = [(name, others[name]) for name in newsletter.related if name in others]
    return Blocks(
        note=NoteView(note.html, note.text, *foreign) if note else None,
        promotions=tuple(
            _promotion_view(one, foreign) for one in running(newsletter.promotions, edition.occurrence.local_date, plan)
        ),
        related=tuple(
            RelatedView(name, one.title, one.description, *foreign_to(one.language or own_language, language))
            for name, one in related
        ),
        missed_title=(newsletter.missed.title or "") if newsletter.missed else "",
        trimmed=sum(section.trimmed for section in edition.sections),
    )


def running(promotions: Sequence[Promotion], day: date, plan: str) -> tuple[Promotion, ...]:
    """Those that run on ``day``, the local date of the occurrence, for readers of ``plan``."""
    return tuple(
        one
        for one in promotions
        if (one.from_ is None or one.from_ <= day)
        and (one.until is None or day <= one.until)
        and (one.days is None or DAYS[day.weekday()] in one.days)
        and (one.plans is None or plan in one.plans)
    )


def _promotion_view(promotion: Promotion, foreign: tuple[str, str]) -> PromotionView:
    text = prose(promotion.text)
    return PromotionView(
        headline=promotion.headline,
        html=text.html,
        text=text.text,
        url=str(promotion.url),
        image=str(promotion.image or ""),
        alt=clean(promotion.alt),
        button=promotion.button or "",
        label=promotion.label or "",
        after=promotion.after,
        language=foreign[0],
        direction=foreign[1],
        target=promotion.parsed_target.digest if promotion.parsed_target is not None else "",
    )


def foreign_to(written: str, language: str) -> tuple[str, str]:
    """Language and direction of what is ``written`` in another language than the edition's; '' where it is that."""
    if written.split("-")[0] in ("", language.split("-")[0]):
        return "", ""
    direction = direction_of(written)
    return written, direction if direction != direction_of(language) else ""
