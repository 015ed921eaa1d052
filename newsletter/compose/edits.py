"""What editors change of an occurrence: how a change alters their layer, and the layer an edition's stories. Pure.

``Change`` is one edit (a command's flags, or what differs in a sheet, see ``edit_sheet``); ``changed`` puts it into the
occurrence's ``Edits``; ``apply_edits`` lays these over what a cohort's edition was composed of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from newsletter.model import Article, Decision, EditionSection, Edits, Pin, Reason
from newsletter.store.editing import DROPPED, pinned_words

TextName = Literal["subject", "preheader", "note"]
TEXTS: tuple[TextName, ...] = ("subject", "preheader", "note")
_Laid = tuple[EditionSection, list[int]]  # a section, and its stories as they come to stand


@dataclass(frozen=True, slots=True)
class Change:
    """One edit. ``headlines`` ('': the article's own again) and ``order`` (by section) hold what is new of them;
    ``texts`` only those that change, None: the newsletter's own again. ``clear`` forgets all earlier edits first.
    """

    drop: tuple[int, ...] = ()
    pin: tuple[Pin, ...] = ()
    headlines: Mapping[int, str] = field(default_factory=dict)
    order: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    texts: Mapping[TextName, str | None] = field(default_factory=dict)
    clear: bool = False

    def __bool__(self) -> bool:
        return bool(self.drop or self.pin or self.headlines or self.order or self.texts or self.clear)

    @property
    def article_ids(self) -> frozenset[int]:
        """Every article that it names."""
        ordered = (article for articles in self.order.values() for article in articles)
        return frozenset((*self.drop, *(pin.article_id for pin in self.pin), *self.headlines, *ordered))


def changed(edits: Edits, change: Change) -> Edits:
    """The edits with this change. What is pinned is no longer dropped, and the other way round; of two stories that are
    to lead, the one named last does."""
    before = Edits() if change.clear else edits
    pinned = {pin.article_id: pin for pin in (*before.pinned, *change.pin) if pin.article_id not in change.drop}
    leading = [number for number, pin in pinned.items() if pin.leads]
    newest = next((pin.article_id for pin in reversed(change.pin) if pin.leads), None)
    pinned = {number: pin for number, pin in pinned.items() if number not in leading or newest in (None, number)}
    headlines = dict(before.headlines) | dict(change.headlines)
    order = {section.name: section.article_ids for section in before.order} | dict(change.order)
    texts = {name: change.texts.get(name, getattr(before, name)) for name in TEXTS}
    return Edits(
        dropped=tuple(sorted({*before.dropped, *change.drop} - {pin.article_id for pin in change.pin})),
        pinned=tuple(pinned.values()),
        order=tuple(EditionSection(name, articles) for name, articles in order.items() if articles),
        headlines=tuple(sorted((article, headline) for article, headline in headlines.items() if headline)),
        **texts,
    )


def apply_edits(
    sections: Sequence[EditionSection],
    edits: Edits,
    articles: Mapping[int, Article],
    *,
    names: Sequence[str] = (),
) -> tuple[EditionSection, ...]:
    """The sections with the editors' layer over them; applied again it changes nothing.

    ``sections`` are as composed. What was dropped is nowhere and each article stands once. In a section those of its
    ``order`` come first, then the others as they were; pinned ones stand at their position, or last where it has fewer.
    A pinned article must be in ``articles`` and neither retracted nor merged. A section that only a pin makes stands
    where ``names``, the newsletter's sections in order, has it, else at the end, before what was missed. A section
    without stories is left out. One that is to lead stands in a section of its own, first of all; what led before is
    then the first of the section that it comes from.
    """
    dropped = frozenset(edits.dropped)
    pins = {
        pin.article_id: pin
        for pin in edits.pinned
        if pin.article_id not in dropped and _may_stand(articles.get(pin.article_id))
    }
    order = {section.name: section.article_ids for section in edits.order}
    lead = next((pin for pin in pins.values() if pin.leads), None)
    seen = {*dropped, *pins}
    stands: dict[int, str] = {}
    laid: list[_Laid] = []
    for section in _with_lead(sections, lead, names):
        kept = []
        for article in section.article_ids:
            if not section.missed:
                stands.setdefault(article, section.name or section.home)
            if article not in seen:
                kept.append(article)
            seen.add(article)
        if section.leads and lead is not None:
            kept = [lead.article_id]
        laid.append((section, _ordered(kept, order.get(section.name, ()) if section.name else ())))
    first = next((section.name for section in sections if section.name), names[0] if names else "")
    for name, listed in _by_section((pin for pin in pins.values() if not pin.leads), stands, first).items():
        _insert(_section_of(name, laid, names), listed)
    return tuple(replace(section, article_ids=tuple(listed)) for section, listed in laid if listed)


def redecided(decisions: Sequence[Decision], sections: Sequence[EditionSection], edits: Edits) -> tuple[Decision, ...]:
    """The decisions of an edition whose ``sections`` have the edits over them: what was dropped is blocked, what was
    pinned is chosen, and everything stands where it came to stand."""
    places = {
        article: (section, position)
        for section in sections
        for position, article in enumerate(section.article_ids, start=1)
    }
    pinned = {pin.article_id: pin for pin in edits.pinned if pin.article_id in places}
    decided = {decision.article_id: decision for decision in decisions}
    for article in edits.dropped:
        if article in decided:
            decided[article] = Decision(article, Reason.BLOCKED, detail=DROPPED)
    for article, (section, position) in places.items():
        name = section.name or section.home
        if article in pinned:
            decided[article] = Decision(article, section.reason, name, position, pinned_words(pinned[article]))
        elif article in decided:
            before = decided[article]
            decided[article] = replace(before, reason=section.reason, section=name or before.section, position=position)
    return tuple(decided.values())


def in_words(change: Change) -> str:
    """One change as the audit and the command line say it: ``dropped 12; pinned 14 (World, 1); subject``."""
    said = ["all earlier edits removed"] if change.clear else []
    if change.drop:
        said.append(f"dropped {', '.join(map(str, change.drop))}")
    if change.pin:
        said.append(f"pinned {', '.join(f'{pin.article_id} ({_place(pin)})' for pin in change.pin)}")
    for article, headline in change.headlines.items():
        said.append(f"retitled {article} “{headline}”" if headline else f"{article} under its own headline again")
    said += [f"order of {name}" for name in change.order]
    for name, text in change.texts.items():
        said.append(f"the newsletter's own {name} again" if text is None else name if text else f"no {name}")
    return "; ".join(said)


def _place(pin: Pin) -> str:
    return "leads" if pin.leads else f"{pin.section or 'its section'}, {pin.position}"


def _may_stand(article: Article | None) -> bool:
    return article is not None and article.retracted_at is None and article.merged_into is None


def _with_lead(sections: Sequence[EditionSection], lead: Pin | None, names: Sequence[str]) -> Sequence[EditionSection]:
    """The sections with one for the story that is to lead; what led before is back where it comes from."""
    if lead is None:
        return sections
    before = next((section for section in sections if section.leads), None)
    if before is not None and before.article_ids != (lead.article_id,):
        home = before.home or next((section.name for section in sections if section.name), names[0] if names else "")
        back: list[_Laid] = [(one, list(one.article_ids)) for one in sections if not one.leads]
        if home:
            _section_of(home, back, names)[:0] = before.article_ids
        sections = [replace(section, article_ids=tuple(listed)) for section, listed in back]
    others = (section for section in sections if not section.leads)
    return (EditionSection("", (lead.article_id,), home=lead.section), *others)


def _ordered(articles: Sequence[int], wanted: Sequence[int]) -> list[int]:
    first = [article for article in dict.fromkeys(wanted) if article in articles]
    return [*first, *(article for article in articles if article not in first)]


def _by_section(pins: Iterable[Pin], stands: Mapping[int, str], first: str) -> dict[str, list[Pin]]:
    """The pins of each section in the order of their positions; one that names no section stays where it stands."""
    found: dict[str, list[Pin]] = {}
    for pin in pins:
        name = pin.section or stands.get(pin.article_id, first)
        if name:
            found.setdefault(name, []).append(pin)
    return {name: sorted(listed, key=lambda pin: pin.position) for name, listed in found.items()}


def _section_of(name: str, laid: list[_Laid], names: Sequence[str]) -> list[int]:
    """The stories of the section of this name, which is made where it belongs if need be."""
    for section, listed in laid:
        if section.name == name and not section.missed:
            return listed
    later = names[names.index(name) + 1 :] if name in names else ()
    place = next((at for at, (one, _) in enumerate(laid) if one.missed or one.name in later), len(laid))
    laid.insert(place, (EditionSection(name, ()), []))
    return laid[place][1]


def _insert(listed: list[int], pins: Sequence[Pin]) -> None:
    """Put each pin at its position; of two for the same one the second comes after the first."""
    free = 0
    for pin in pins:
        at = min(max(pin.position - 1, free), len(listed))
        listed.insert(at, pin.article_id)
        free = at + 1
