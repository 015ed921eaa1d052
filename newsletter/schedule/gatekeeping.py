"""Gathers what the gates judge by, and has them judge: an occurrence that is rendered -> what speaks against it.

The count of its readers and the earlier editions come from the store, what it says and points at from its pieces, and
whether our pages and its pictures answer from ``reachability``. Blocking: call it off the event loop.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.compose.keys import rendered_keys
from newsletter.config.models import Newsletter
from newsletter.config.reading import Configuration
from newsletter.model import Edition, FailedGate, Gate, JoinedKey, Picture
from newsletter.render.encoding import Slot
from newsletter.render.joining import Variants
from newsletter.render.lint import Finding
from newsletter.render.pointing import pointing
from newsletter.render.rendering import render_fitted, templates_of
from newsletter.render.templates import names_in
from newsletter.schedule.checking import Documents, lint_errors, stored_documents
from newsletter.schedule.gates import LAST_EDITIONS, Facts, failed_gates
from newsletter.schedule.reachability import Reachability
from newsletter.store import Store, articles, fan_out, gates
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow

_OF_THIS_EDITION = frozenset({"lead", "articles", "edition"})


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking at an occurrence came to: the gates that fail and that nobody has overruled, how many readers it is
    about to go to, and under which subjects (by cohort and rendered key)."""

    failed: tuple[FailedGate, ...]
    readers: int
    subjects: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of an occurrence that went out now: the gates that would fail, and the stories that would give
    way to the size budget, with why in words."""

    failed: tuple[FailedGate, ...]
    trimmed: tuple[int, ...] = ()
    trimmed_why: str = ""


@dataclass(frozen=True, slots=True)
class _Rendered:
    edition: Edition
    documents: Documents
    lint: bool = True


class Gatekeeping:
    """Looks at occurrences of one configuration and store."""

    def __init__(self, configuration: Configuration, store: Store, reachability: Reachability | None = None) -> None:
        self._configuration, self._store = configuration, store
        self.reachability = reachability or Reachability(configuration)

    def look(
        self,
        row: OccurrenceRow,
        now: datetime,
        made: Sequence[EditionRow],
        *,
        lint: Collection[int] | None = None,
    ) -> Looked:
        """Look at editions of an occurrence, which are rendered; ``lint`` only those with these ids (None: all).

        Raises TemplateError and StoreError.
        """
        rendered = [
            _Rendered(one.edition, stored_documents(self._store, one), lint is None or one.id in lint) for one in made
        ]
        return self._judged(row, rendered, max(now, row.due_at))

    def foresee(
        self, row: OccurrenceRow, proposed: Sequence[Edition], now: datetime, *, logo: Picture | None = None
    ) -> Foreseen:
        """What would happen if these editions went out now. They are rendered here, and nothing is written.

        Raises TemplateError and StoreError.
        """
        name = row.newsletter
        keys = rendered_keys(self._configuration.languages(name), self._configuration.schedules.plans)
        templates = templates_of(self._configuration)
        rendered, trimmed, why = [], list[int](), ""
        for one in proposed:
            known = self._store.read(articles.get_many, one.article_ids)
            made = render_fitted(self._configuration, one, known, keys, templates, logo=logo)
            rendered.append(_Rendered(made.edition, made.pieces))
            if made.trimmed:
                trimmed, why = [*trimmed, *made.trimmed], why or made.words
        return Foreseen(self._judged(row, rendered, now).failed, tuple(dict.fromkeys(trimmed)), why)

    def _judged(self, row: OccurrenceRow, rendered: Sequence[_Rendered], goes_out_at: datetime) -> Looked:
        newsletter = self._configuration.of(row)
        overruled = gates.overruled_of(row)
        targeting = self._configuration.targets.of(row.newsletter)
        asked_for = self._configuration.asked_for(row.newsletter, row.stream)
        read = self._store.read
        earlier = read(gates.earlier, row, LAST_EDITIONS)
        known = read(articles.get_many, {article for one in rendered for article in one.edition.article_ids})
        found = [pointing(document) for one in rendered for document in one.documents.values()]
        pictures = newsletter.gates.lead_picture and Gate.LEAD_PICTURE not in overruled
        reached = self.reachability.ask(
            web=newsletter.gates.web and Gate.WEB not in overruled,
            lead=[address for points in found for address in points.lead_pictures] if pictures else [],
            pictures=[address for points in found for address in points.pictures] if pictures else [],
        )
        facts = Facts(
            name=row.name,
            goes_out_at=goes_out_at,
            readers=read(fan_out.count_readers, row.newsletter, row.stream.value, targeting, asked_for),
            earlier=earlier.readers,
            newest=max((article.published_at for article in known.values()), default=None),
            linked=[(len(points.stories), len(points.stories & points.links)) for points in found],
            subject_varies=row.edits.subject is not None or _varies(newsletter),
            subjects=_subjects(rendered),
            last=earlier.name,
            last_subjects=earlier.subjects,
            web_url=self.reachability.health,
            web=reached.web,
            pictures=reached.pictures,
            lint=[] if Gate.LINT in overruled else self._lint(rendered),
        )
        failed = [one for one in failed_gates(facts, newsletter.gates) if one.gate not in overruled]
        return Looked(tuple(failed), facts.readers, facts.subjects)

    def _lint(self, rendered: Sequence[_Rendered]) -> list[Finding]:
        found = [
            finding
            for one in rendered
            if one.lint
            for finding in lint_errors(self._configuration, self._store, one.edition, one.documents)
        ]
        return list(dict.fromkeys(found))


def _varies(newsletter: Newsletter) -> bool:
    """Whether the newsletter's subject is of its stories or its date; one that never is may well be the same again."""
    return bool(_OF_THIS_EDITION & names_in(newsletter.subject))


def _subjects(rendered: Sequence[_Rendered]) -> dict[str, str]:
    """The subject of a reader of all sections, by cohort and rendered key; a slot is written as its name in braces."""
    found: dict[str, str] = {}
    for one in rendered:
        for key, document in one.documents.items():
            variant = Variants(document).variant(JoinedKey())
            if variant is not None and variant.article_ids:
                parts = (f"{{{part.name}}}" if isinstance(part, Slot) else part for part in variant.subject)
                found[f"{one.edition.cohort} {key}".strip()] = "".join(parts)
    return found
