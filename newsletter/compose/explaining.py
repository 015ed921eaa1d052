"""The reasons of a selection in words, for ``editions show --why`` and ``preview --why``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from newsletter.compose.composing import Proposal
from newsletter.model import Reason
from newsletter.store.editions import WhyRow

_WORDS: Mapping[Reason, str] = {
    Reason.LEADS: "leads",
    Reason.CHOSEN: "chosen",
    Reason.OFFERED_AS_MISSED: "offered as missed: no place for it elsewhere",
    Reason.CARRIED_OVER: "carried over: no place for it, or no edition; the next one may have it",
    Reason.NEAR_DUPLICATE: "near-duplicate: left out for one that says the same",
    Reason.BLOCKED: "kept out",
    Reason.DROPPED_OVERFLOW: "dropped: no place for it, and overflow is `drop`",
    Reason.TOO_OLD: "dropped: older than max_age since we first saw it",
    Reason.ALREADY_SENT: "already sent in an earlier edition",
    Reason.RESERVED_ELSEWHERE: "held by another edition of this newsletter that is not sent yet",
    Reason.NO_SECTION: "matches no section of this newsletter",
    Reason.RETRACTED: "retracted by its source",
    Reason.TRIMMED: "gave way to size_budget: the mail would have been too large; the next one may have it",
    Reason.NOT_YET: "not yet published: its publication time is to come",
    Reason.BACKFILL: "only remembered: it was there before the first collection of its source",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one article is where it is in an edition, or not there. ``position`` counts from 1; 0: not in it.

    ``detail`` is what composing or an editor had to say of it: its rank and the factors of that, what it doubles, who
    pinned it; ``words`` are the reason with that.
    """

    cohort: str
    article_id: int
    headline: str
    section: str
    position: int
    reason: Reason
    detail: str
    words: str


def explain(rows: Sequence[WhyRow], sections: Sequence[str]) -> list[Explanation]:
    """The rows of ``store.editions.why``, in words: what was chosen first, in the order of ``sections``.

    Then everything else by reason, newest article (highest id) first.
    """
    order = {name: place for place, name in enumerate(sections)}
    reasons = list(_WORDS)

    def place(row: WhyRow) -> tuple[str, int, int, int, int]:
        reason = reasons.index(row.reason) if row.reason in _WORDS else len(reasons)
        section = order.get(row.section, len(order)) if row.reason is Reason.CHOSEN and row.position else 0
        return (row.cohort, reason, section, row.position, -row.article_id)

    return [
        Explanation(
            cohort=row.cohort,
            article_id=row.article_id,
            headline=row.headline,
            section=row.section,
            position=row.position,
            reason=row.reason,
            detail=row.detail,
            words="; ".join(filter(None, (in_words(row.reason), row.detail))),
        )
        for row in sorted(rows, key=place)
    ]


def explain_proposal(proposal: Proposal, sections: Sequence[str]) -> list[Explanation]:
    """The same of an edition that is only proposed; of its candidates, whose headlines it holds."""
    rows = [
        WhyRow(
            cohort="",
            article_id=decision.article_id,
            headline=proposal.articles[decision.article_id].headline,
            url=proposal.articles[decision.article_id].url,
            source=proposal.articles[decision.article_id].source,
            reason=decision.reason,
            section=decision.section,
            position=decision.position,
            detail=decision.detail,
        )
        for decision in proposal.selection.decisions
    ]
    return explain(rows, sections)


def in_words(reason: Reason) -> str:
    """What a reason of a selection means to an editor."""
    return _WORDS.get(reason, reason.value.replace("_", " "))
