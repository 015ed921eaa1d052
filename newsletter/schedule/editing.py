"""One edit of an occurrence: what it names is looked up, the store takes it, and what it touches is rendered anew.

The command line (and later the desk) says what to change (``Change``); this says no before anything is written, or does
it whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from newsletter.compose.edit_sheet import Shown
from newsletter.compose.edits import Change, apply_edits, changed, in_words
from newsletter.compose.selecting import section_of
from newsletter.config.faults import suggestion
from newsletter.config.models import Newsletter
from newsletter.errors import NothingToDo, TemplateError, UsageError
from newsletter.model import Article, EditionSection, Edits, Pin
from newsletter.schedule.checking import findings_of
from newsletter.schedule.work import Work
from newsletter.store import Store, article_merges, articles, blocking, editing, editions
from newsletter.store.blocking import Block
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow

LONGEST_LINE = 500
LONGEST_NOTE = 4000


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit came to: the occurrence and its editions as they stand, the change in words, and what speaks against
    sending it now: findings of lint, or the error of a template."""

    row: OccurrenceRow
    editions: tuple[EditionRow, ...]
    words: str
    findings: tuple[str, ...] = ()
    error: TemplateError | None = None


def shown(store: Store, newsletter: Newsletter, row: OccurrenceRow, edition: EditionRow) -> Shown:
    """What a sheet shows of an occurrence: the edition of one of its cohorts. Blocking. Raises UnreadableEdits."""
    known = store.read(articles.get_many, edition.article_ids)
    headlines = {article.id: article.headline for article in known.values()}
    return Shown(
        str(row.name),
        edition.sections,
        tuple(newsletter.section_names),
        headlines,
        row.edits,
        may_lead=newsletter.lead != "none",
        composed_lead=next((article for one in edition.composed if one.leads for article in one.article_ids), None),
    )


def edit(
    work: Work, row: OccurrenceRow, change: Change, *, places: Mapping[int, str], actor: str, now: datetime
) -> Edited:
    """Change an occurrence, and every edition of it that is composed. Blocking.

    ``row`` is as the editor saw it; ``places`` says where an article was named (``FILE:LINE``). Raises UsageError where
    it names what is not there or may not stand in it, NothingToDo where it changes nothing, EditedMeanwhile and
    StoreError where it is too late. Then nothing is changed.
    """
    store, newsletter = work.store, work.configuration.of(row)
    editing.require_editable(row)
    before = Edits() if change.clear else row.edits
    wanted = change.article_ids | {pin.article_id for pin in before.pinned}
    known = store.read(articles.get_many, wanted)
    blocks = store.read(blocking.blocked, row.newsletter, wanted)
    checking = _Checking(row, newsletter, known, blocks, places)
    change = checking.checked(change, store, actor)
    may_stand = {article_id: article for article_id, article in known.items() if article_id not in blocks}
    edits = changed(before, replace(change, clear=False))
    if not change or (not row.layer and edits == Edits()) or (not change.clear and edits == row.edits):
        raise NothingToDo(f"{row.name} stands so already; nothing was changed")

    def apply(composed: Sequence[EditionSection]) -> tuple[EditionSection, ...]:
        sections = apply_edits(composed, edits, may_stand, names=newsletter.section_names)
        if not sections and newsletter.when_empty != "send":
            raise UsageError(
                "no story would be left; nothing was changed",
                where=str(row.name),
                remedy=f"`newsletter editions hold {row.name}` holds it",
            )
        return sections

    checking.require_there(edits, change, [apply(one.composed) for one in store.read(editions.for_occurrence, row.id)])
    words = in_words(change)
    required = newsletter.approval.mode == "required"
    pinned = [pin.article_id for pin in change.pin]
    row = store.write(
        editing.edit, row, edits, apply, pinned=pinned, required=required, actor=actor, detail=words, now=now
    )
    made = tuple(store.read(editions.for_occurrence, row.id))
    findings: list[str] = []
    try:
        for edition in made:
            found = findings_of(work.configuration, store, work.render(edition))
            findings += [str(finding) for finding in found]
        made = tuple(store.read(editions.for_occurrence, row.id))
    except TemplateError as error:
        return Edited(row, made, words, error=error)
    return Edited(row, made, words, tuple(dict.fromkeys(findings)))


class _Checking:
    """Whether what a change names is there, and may stand where it wants it."""

    def __init__(
        self,
        row: OccurrenceRow,
        newsletter: Newsletter,
        known: Mapping[int, Article],
        blocks: Mapping[int, Block],
        places: Mapping[int, str],
    ) -> None:
        self._row, self._newsletter, self._known, self._blocks, self._places = row, newsletter, known, blocks, places

    def checked(self, change: Change, store: Store, actor: str) -> Change:
        """The change with every pin's section named, and by whom it is. Raises UsageError."""
        for article_id in sorted(change.article_ids):
            if article_id not in self._known:
                remedy = "`newsletter articles list` shows their numbers"
                raise self._fault(article_id, f"there is no article {article_id}", remedy)
        for name in change.order:
            self._require_section(name)
        stands = store.read(article_merges.appearances, [pin.article_id for pin in change.pin])
        pins = tuple(replace(self._pin(pin, stands.get(pin.article_id, ())), by=actor) for pin in change.pin)
        headlines = {
            article_id: "" if headline == self._known[article_id].headline else headline
            for article_id, headline in change.headlines.items()
        }
        for article_id, headline in headlines.items():
            self._require_line(headline, f"the headline of article {article_id}", self._places.get(article_id, ""))
        for name, text in change.texts.items():
            if name == "note":
                if text is not None and len(text) > LONGEST_NOTE:
                    raise UsageError(f"the note is longer than {LONGEST_NOTE} characters; nothing was changed")
            else:
                self._require_line(text or "", f"the {name}", "")
        return replace(change, pin=pins, headlines=headlines)

    def require_there(self, edits: Edits, change: Change, laid: Sequence[Sequence[EditionSection]]) -> None:
        """Refuse a new headline for what is in no edition, and an order of what does not stand in that section."""
        if not laid:
            return
        by_section: dict[str, set[int]] = {}
        for section in (section for sections in laid for section in sections):
            by_section.setdefault(section.name, set()).update(section.article_ids)
        there = set().union(*by_section.values())
        name = self._row.name
        for article_id, headline in change.headlines.items():
            if headline and article_id not in there:
                raise self._fault(article_id, f"article {article_id} is not in {name}", "Pin it first")
        for section_name, ordered in change.order.items():
            for article_id in ordered:
                if article_id not in by_section.get(section_name, ()):
                    remedy = f"--pin {article_id}:{section_name} puts it there"
                    raise self._fault(article_id, f"article {article_id} is not in {section_name} of {name}", remedy)

    def _pin(self, pin: Pin, stands: Sequence[article_merges.Appearance]) -> Pin:
        article = self._known[pin.article_id]
        if article.retracted_at is not None:
            raise self._fault(article.id, f"article {article.id} was retracted by its source", "")
        if article.merged_into is not None:
            raise self._fault(article.id, f"article {article.id} is article {article.merged_into} now", "Pin that")
        if article.id in self._blocks:
            remedy = f"`newsletter articles unblock {article.id}` lets it in again"
            raise self._fault(article.id, f"article {article.id} is {self._blocks[article.id].words}", remedy)
        if pin.leads and self._newsletter.lead == "none":
            remedy = f"Write lead: first or lead: best for {self._row.newsletter} in schedules.yaml"
            raise self._fault(article.id, f"{self._row.newsletter} has no lead", remedy)
        if article.published_at > self._row.due_at:
            at = f"{article.published_at:%Y-%m-%d %H:%M} UTC"
            raise self._fault(article.id, f"article {article.id} is not to be published before {at}", "")
        if pin.section:
            self._require_section(pin.section)
            return pin
        return replace(pin, section=section_of(article, self._newsletter, stands) or self._newsletter.section_names[0])

    def _require_section(self, name: str) -> None:
        names = self._newsletter.section_names
        if name not in names:
            raise UsageError(
                f"{self._row.newsletter} has no section '{name}'; nothing was changed", remedy=suggestion(name, names)
            )

    def _require_line(self, text: str, what: str, where: str) -> None:
        if len(text) > LONGEST_LINE:
            raise UsageError(f"{what} is longer than {LONGEST_LINE} characters; nothing was changed", where=where)
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
            raise UsageError(f"{what} holds a line break or control character; nothing was changed", where=where)

    def _fault(self, article_id: int, what: str, remedy: str) -> UsageError:
        return UsageError(f"{what}; nothing was changed", where=self._places.get(article_id, ""), remedy=remedy)
