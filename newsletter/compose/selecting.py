"""Candidates -> an edition's pool, by section, and one reason for each candidate. Pure.

    candidates -- why_not, blocked --> by section -- ranking --> best first -- collapsing --> without doubles
        -- dealing --> those with a place; the rest is offered as missed, carried over or dropped

No window on ``published_at`` decides anything (Invariant 4): the ledger says what is unused, so a late, back-dated or
carried-over story is a candidate like any other until it is older than ``max_age`` since we first saw it; a story that
waited for its hour, since that hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from newsletter.compose.collapsing import Doubles, Likeness
from newsletter.compose.dealing import Table
from newsletter.compose.ranking import Rank, rank, ranked
from newsletter.config.models import Match, Newsletter
from newsletter.model import USED_UP, Article, Decision, EditionSection, Reason
from newsletter.store.article_merges import Appearance


@dataclass(frozen=True, slots=True)
class Selection:
    """An edition's pool, and why each candidate is, or is not, in it (one decision a candidate, in their order)."""

    sections: tuple[EditionSection, ...]
    decisions: tuple[Decision, ...]

    @property
    def article_ids(self) -> tuple[int, ...]:
        """Every article in it, in section order."""
        return tuple(article for section in self.sections for article in section.article_ids)

    @property
    def number(self) -> int:
        """How many stories have a place; what is offered as missed has none."""
        return sum(len(section.article_ids) for section in self.sections if not section.missed)


def select_stories(
    candidates: Sequence[Article],
    newsletter: Newsletter,
    now: datetime,
    appearances: Mapping[int, Sequence[Appearance]] = MappingProxyType({}),
    *,
    blocked: Mapping[int, str] = MappingProxyType({}),
    likeness: Likeness = Likeness(),
) -> Selection:
    """Choose and order the stories of one edition.

    Each candidate goes to the first section, in the newsletter's order, that matches it, or matches it where else it
    stands (``appearances``, by article id: the same story in another source or section); one that matches none may be
    of the ``fallback``. ``ranking`` says which is better, ``order`` how those taken stand. Of near-duplicates
    (``likeness``) only the best is taken, or another where that has no place; what doubles a story of an earlier
    edition is not. With ``lead: best`` the best of all leads, outside its section. Where the sections together exceed
    ``articles.max``, places are dealt in rounds (``dealing``). What has no place is offered as ``missed``, carried or
    dropped, as the newsletter says. ``blocked`` says in words why editors keep an article out. A candidate given twice
    counts once; the order in which they are given changes nothing.
    """
    known = {article.id: article for article in candidates}
    decided = {article.id: why for article in known.values() if (why := _refused(article, newsletter, now, blocked))}
    doubles = Doubles(known, likeness, collapse=newsletter.ranking.collapse)
    sorting = _Sorting(newsletter, now, doubles)
    for article in known.values():
        if article.id not in decided:
            decision = sorting.sort(article, appearances.get(article.id, ()))
            if decision is not None:
                decided[article.id] = decision
    sections, placed = _Placing(newsletter, sorting, doubles).place()
    decided |= {decision.article_id: decision for decision in placed}
    return Selection(sections, tuple(decided[article_id] for article_id in known))


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
    number = selection.number
    if newsletter.when_empty == "send" or number >= max(1, newsletter.articles.min):
        return Reason.NONE
    return Reason.BELOW_MINIMUM if number else Reason.EMPTY


def nothing_taken(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """The decisions of an edition that is not made: what it would have used up is carried over to the next."""
    return tuple(
        replace(decision, reason=Reason.CARRIED_OVER, position=0) if decision.reason in USED_UP else decision
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


def _refused(article: Article, newsletter: Newsletter, now: datetime, blocked: Mapping[int, str]) -> Decision | None:
    reason = why_not(article, newsletter, now)
    if reason is Reason.NONE and article.id in blocked:
        return Decision(article.id, Reason.BLOCKED, detail=blocked[article.id])
    return Decision(article.id, reason) if reason is not Reason.NONE else None


class _Sorting:
    """Candidates by the section that they belong to, or the fallback, each with its rank."""

    def __init__(self, newsletter: Newsletter, now: datetime, doubles: Doubles) -> None:
        self._newsletter, self._now, self._doubles = newsletter, now, doubles
        self.own: dict[str, list[Rank]] = {name: [] for name in newsletter.section_names}
        self.fallback: list[Rank] = []

    def sort(self, article: Article, appearances: Sequence[Appearance]) -> Decision | None:
        """Put one candidate where it belongs; or the decision that it belongs nowhere."""
        name = section_of(article, self._newsletter, appearances)
        stands: tuple[Article | Appearance, ...] = (article, *appearances)
        only, fallback = self._newsletter.only, self._newsletter.fallback
        if only is not None and not any(matches(only, one) for one in stands):
            return Decision(article.id, Reason.NO_SECTION, name or "", detail="it is not of what `only` takes")
        if name is None and (fallback is None or not any(matches(fallback, one) for one in stands)):
            return Decision(article.id, Reason.NO_SECTION)
        used = self._doubles.used(article)
        if used is not None:
            detail = f"doubles article {used.article.id}, “{used.article.headline}”, which {used.words}"
            return Decision(article.id, Reason.NEAR_DUPLICATE, name or "", detail=detail)
        ranks = self.fallback if name is None else self.own[name]
        ranks.append(rank(article, self._newsletter.ranking, self._now))
        return None


class _Placing:
    """Where the candidates of one edition come to stand."""

    def __init__(self, newsletter: Newsletter, sorting: _Sorting, doubles: Doubles) -> None:
        self._newsletter, self._doubles = newsletter, doubles
        self._home = {one.article.id: name for name, listed in sorting.own.items() for one in listed}
        self._home |= {one.article.id: "" for one in sorting.fallback}
        best = [_best_first(one for listed in sorting.own.values() for one in listed), _best_first(sorting.fallback)]
        self._ranks = {one.article.id: one for listed in best for one in listed}
        self._better: dict[int, int] = {}  # what each near-duplicate doubles
        kept: list[int] = []
        for article_id in self._ranks:
            better = doubles.of(article_id, kept)
            if better is None:
                kept.append(article_id)
            else:
                self._better[article_id] = better

    def place(self) -> tuple[tuple[EditionSection, ...], list[Decision]]:
        """The sections, and a decision for each story."""
        newsletter, lead, home = self._newsletter, None, ""
        kept = [article_id for article_id in self._ranks if article_id not in self._better]
        if newsletter.lead == "best" and kept and self._home[kept[0]]:
            lead, home = kept[0], self._home[kept[0]]
        table = Table(newsletter, outside=1 if lead is not None else 0)
        spare = self._listed("", kept, lead)
        table.deal({name: self._listed(name, kept, lead) for name in newsletter.section_names}, spare)
        if newsletter.lead == "best" and lead is None and table.number:  # all that there is came from the fallback
            lead = next(article_id for article_id in kept if article_id in table.ids)
            home = next(name for name, listed in table.taken.items() if self._ranks[lead] in listed)
            table.taken[home].remove(self._ranks[lead])
            table.outside = 1
            # The place that it leaves is free again.
            there = _there(table, lead)
            table.deal_spare([one for one in spare if one.article.id not in there])
        self._seat_doubles(table, lead)
        missed = self._missed(_there(table, lead))
        sections = [EditionSection("", (lead,), home=home)] if lead is not None else []
        sections += [
            EditionSection(section.name, tuple(one.article.id for one in self._ordered(table, section.name)))
            for section in newsletter.sections
            if table.taken.get(section.name)
        ]
        sections += [EditionSection("", tuple(missed), missed=True)] if missed else []
        return tuple(sections), self._decisions(sections, table)

    def _listed(self, home: str, kept: Sequence[int], lead: int | None) -> list[Rank]:
        """What competes for the places of a section ('': what the fallback has), best first."""
        listed = [self._ranks[one] for one in kept if self._home[one] == home and one != lead]
        found = ranked(listed, self._newsletter.ranking)
        self._ranks |= {one.article.id: one for one in found}
        return found

    def _seat_doubles(self, table: Table, lead: int | None) -> None:
        """What doubles only stories without a place may have one that is left over: of its own section; of the
        fallback, where it is needed."""
        for article_id, better in self._better.items():
            name, there = self._home[article_id], _there(table, lead)
            if better in there or self._doubles.of(article_id, there) is not None:
                continue
            if name:
                table.seat(name, self._ranks[article_id])
            else:
                table.deal_spare([self._ranks[article_id]])

    def _missed(self, there: Sequence[int]) -> list[int]:
        """The best of what has no place, for ``missed``."""
        if self._newsletter.missed is None:
            return []
        placed = {*there, *self._better}
        waiting = (
            self._ranks[one]
            for one, home in self._home.items()
            if home and one not in placed and self._doubles.of(one, there) is None
        )
        return [one.article.id for one in _best_first(waiting)[: self._newsletter.missed.max]]

    def _ordered(self, table: Table, name: str) -> list[Rank]:
        """The stories of a section as they stand; in order of rank, what came from the fallback is last."""
        listed = table.taken[name]
        section = next(section for section in self._newsletter.sections if section.name == name)
        if section.order == "rank":
            return sorted(listed, key=lambda one: one.article.id in table.from_fallback)
        return sorted(
            listed,
            key=lambda one: (one.article.published_at, one.article.first_seen_at, one.article.id),
            reverse=section.order == "newest",
        )

    def _decisions(self, sections: Sequence[EditionSection], table: Table) -> list[Decision]:
        places = {
            article_id: (section, position)
            for section in sections
            for position, article_id in enumerate(section.article_ids, start=1)
        }
        return [
            self._placed(article_id, *places[article_id], table)
            if article_id in places
            else self._left_out(article_id, list(places), table)
            for article_id in self._home
        ]

    def _placed(self, article_id: int, section: EditionSection, position: int, table: Table) -> Decision:
        home = section.name or section.home or self._home[article_id]
        details = [self._ranks[article_id].words]
        if section.missed:
            details.append(table.full(home))
        if article_id in table.from_fallback:
            details.append(f"from the fallback: {table.from_fallback[article_id]}")
        if article_id in self._better:
            details.append(f"in place of article {self._better[article_id]}, which it doubles and which has no place")
        return Decision(article_id, section.reason, home, position, "; ".join(details))

    def _left_out(self, article_id: int, there: Sequence[int], table: Table) -> Decision:
        home, words = self._home[article_id], self._ranks[article_id].words
        double = self._doubles.of(article_id, there) or (self._better.get(article_id) if home else None)
        if double is not None:
            headline = self._ranks[double].article.headline
            detail = f"doubles article {double}, “{headline}”"
            return Decision(article_id, Reason.NEAR_DUPLICATE, home, detail=detail)
        if not home:
            detail = f"in the fallback, which nothing needed; {words}"
            return Decision(article_id, Reason.NO_SECTION, detail=detail)
        carried = self._newsletter.articles.overflow == "carry"
        reason = Reason.CARRIED_OVER if carried else Reason.DROPPED_OVERFLOW
        return Decision(article_id, reason, home, detail="; ".join(filter(None, (words, table.full(home)))))


def _there(table: Table, lead: int | None) -> list[int]:
    return table.ids if lead is None else [lead, *table.ids]


def _best_first(ranks: Iterable[Rank]) -> list[Rank]:
    return sorted(ranks, key=lambda one: one.order, reverse=True)
