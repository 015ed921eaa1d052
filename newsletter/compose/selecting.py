"""Candidates -> an edition's pool, by section, and one reason for each candidate. Pure.

No window on ``published_at`` decides anything (Invariant 4): the ledger says what is unused, so a late, back-dated or
carried-over story is a candidate like any other until it is older than ``max_age`` since we first saw it; a story that
waited for its hour, since that hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from types import MappingProxyType

from newsletter.config.models import Match, Newsletter
from newsletter.model import Article, Decision, EditionSection, Reason
from newsletter.store.article_merges import Appearance


@dataclass(frozen=True, slots=True)
class Selection:
    """An edition's pool, and why each candidate is, or is not, in it (one decision a candidate, in their order)."""

    sections: tuple[EditionSection, ...]
    decisions: tuple[Decision, ...]

    @property
    def article_ids(self) -> tuple[int, ...]:
        """Every article chosen, in section order."""
        return tuple(article for section in self.sections for article in section.article_ids)


def select_stories(
    candidates: Sequence[Article],
    newsletter: Newsletter,
    now: datetime,
    appearances: Mapping[int, Sequence[Appearance]] = MappingProxyType({}),
) -> Selection:
    """Choose and order the stories of one edition.

    Each candidate goes to the first section, in the newsletter's order, that matches it, or matches it where else it
    stands (``appearances``, by article id: the same story in another source or section). In a section the newest
    (``published_at``, then ``first_seen_at``, then id) come first, up to the section's ``max``. Where the sections
    together exceed ``articles.max``, places are dealt in rounds: every section's first story, in the newsletter's
    order, then every section's second, and so on, so that no section takes a further story while another, listed
    before it or after it, still waits with one of a better rank. What is left over is carried or dropped, as the
    newsletter says. A candidate given twice counts once.
    """
    known = {article.id: article for article in candidates}
    refused = {
        article.id: Decision(article.id, reason)
        for article in known.values()
        if (reason := why_not(article, newsletter, now)) is not Reason.NONE
    }
    ranked = _ranked(newsletter, (one for one in known.values() if one.id not in refused), appearances)
    chosen = {article.id for article in _dealt(newsletter, ranked)}
    left_over = Reason.CARRIED_OVER if newsletter.articles.overflow == "carry" else Reason.DROPPED_OVERFLOW
    sections: list[EditionSection] = []
    decided = dict(refused)
    for name, articles in ranked.items():
        taken = tuple(article.id for article in articles if article.id in chosen)
        if taken:
            sections.append(EditionSection(name, taken))
        decided |= {
            article: Decision(article, Reason.CHOSEN, name, position) for position, article in enumerate(taken, start=1)
        }
        decided |= {
            article.id: Decision(article.id, left_over, name) for article in articles if article.id not in chosen
        }
    for article_id in known:
        decided.setdefault(article_id, Decision(article_id, Reason.NO_SECTION))
    return Selection(tuple(sections), tuple(decided[article_id] for article_id in known))


def why_not(article: Article, newsletter: Newsletter, now: datetime) -> Reason:
    """Why no section may have this article, NONE where one may: retracted, backfill, too old, not yet published."""
    if article.retracted_at is not None:
        return Reason.RETRACTED
    if not article.eligible:
        return Reason.BACKFILL
    if now - max(article.first_seen_at, article.published_at) > newsletter.articles.max_age:
        return Reason.TOO_OLD
    if article.published_at > now:
        return Reason.NOT_YET
    return Reason.NONE


def too_few(selection: Selection, newsletter: Newsletter) -> Reason:
    """Why an edition of this selection is skipped, NONE where it is not.

    ``when_empty: send`` sends whatever there is: nothing at all, or fewer than ``articles.min``.
    """
    number = len(selection.article_ids)
    if newsletter.when_empty == "send" or number >= max(1, newsletter.articles.min):
        return Reason.NONE
    return Reason.BELOW_MINIMUM if number else Reason.EMPTY


def nothing_taken(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """The decisions of an edition that is not made: what it would have used up is carried over to the next."""
    return tuple(
        replace(decision, reason=Reason.CARRIED_OVER, position=0)
        if decision.reason in (Reason.CHOSEN, Reason.DROPPED_OVERFLOW)
        else decision
        for decision in decisions
    )


def section_of(article: Article, newsletter: Newsletter, appearances: Sequence[Appearance] = ()) -> str | None:
    """The name of the first section that matches the article itself, else one of its appearances; None: none does."""
    stands: tuple[Article | Appearance, ...] = (article, *appearances)
    for one in stands:
        for section in newsletter.sections:
            if matches(section.match, one):
                return section.name
    return None


def matches(match: Match, article: Article | Appearance) -> bool:
    """Whether everything that ``match`` names holds of the article; of a list, any one. Case is ignored."""
    return (
        _any_of(match.section, [article.section])
        and _any_of(match.source, [article.source])
        and _any_of(match.tag, article.tags)
    )


def _any_of(wanted: str | list[str] | None, found: Iterable[str]) -> bool:
    if wanted is None:
        return True
    names = [wanted] if isinstance(wanted, str) else wanted
    return not {_folded(name) for name in names}.isdisjoint(_folded(name) for name in found)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _ranked(
    newsletter: Newsletter, articles: Iterable[Article], appearances: Mapping[int, Sequence[Appearance]]
) -> Mapping[str, list[Article]]:
    ranked: dict[str, list[Article]] = {name: [] for name in newsletter.section_names}
    for article in articles:
        name = section_of(article, newsletter, appearances.get(article.id, ()))
        if name is not None:
            ranked[name].append(article)
    for listed in ranked.values():
        listed.sort(key=lambda article: (article.published_at, article.first_seen_at, article.id), reverse=True)
    return ranked


def _dealt(newsletter: Newsletter, ranked: Mapping[str, Sequence[Article]]) -> Iterator[Article]:
    within = [ranked[section.name][: section.max] for section in newsletter.sections]
    rounds = (article for rank in zip_longest(*within) for article in rank if article is not None)
    yield from (article for _, article in zip(range(newsletter.articles.max), rounds, strict=False))
