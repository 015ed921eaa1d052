"""The pieces of editions: rendered once for each rendered key, and shared among cohorts with the same stories.

Blocking: rendering takes 50 to 500 ms a key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

import structlog

from newsletter.compose.keys import rendered_keys
from newsletter.config.reading import Configuration
from newsletter.model import Picture, RenderedKey
from newsletter.render.rendering import render_fitted, templates_of
from newsletter.store import Store, articles, edition_changes, editions, pieces
from newsletter.store.editions import EditionRow

log = structlog.get_logger()

_MOST_REMEMBERED = 1000


class Renderings:
    """What this process rendered, for one configuration and store. ``logo`` is our copy of the theme's."""

    def __init__(self, configuration: Configuration, store: Store, logo: Picture | None) -> None:
        self._configuration, self._store, self._logo = configuration, store, logo
        self._rendered: OrderedDict[tuple[int, str], EditionRow] = OrderedDict()

    def render(self, edition: EditionRow) -> EditionRow:
        """Render an edition for each rendered key that has no pieces yet; the edition as it then is, without what gave
        way to its size budget. Raises TemplateError.
        """
        schedules = self._configuration.schedules
        keys = rendered_keys(self._configuration.languages(edition.newsletter), schedules.plans)
        there = set(keys).difference(self.unrendered(edition))
        if len(there) == len(keys):
            return edition
        if (twin := self._twin(edition, keys)) is not None:
            return self._shared(edition, twin)
        if edition.pieces_of is not None:  # of what it shared, there is not all any more
            return self.render(self._shared(edition, None))
        made = render_fitted(
            self._configuration,
            edition.edition,
            self._store.read(articles.get_many, edition.edition.article_ids),
            keys,
            templates_of(self._configuration),
            logo=self._logo,
            there={key: self._store.read(pieces.load, *edition.pieces_at, key) for key in keys if key in there},
        )
        if made.trimmed:
            changed = self._store.write(edition_changes.trim, edition, made.edition.sections, made.trimmed, made.words)
            if changed.sections != made.edition.sections:
                return self.render(changed)  # somebody else changed it meanwhile
            edition, there = changed, set()
            log.info("trimmed", edition=str(edition.name), articles=list(made.trimmed), why=made.words)
        for key in keys:
            if key not in there:
                self._store.write(pieces.save, edition.id, edition.revision, key, made.pieces[key])
        if edition.cohort:
            self._rendered[_content(edition)] = edition
            while len(self._rendered) > _MOST_REMEMBERED:
                self._rendered.popitem(last=False)
        return edition

    def unrendered(self, edition: EditionRow) -> list[RenderedKey]:
        """The rendered keys of which an edition has no pieces."""
        keys = rendered_keys(self._configuration.languages(edition.newsletter), self._configuration.schedules.plans)
        there = set(self._store.read(pieces.keys, *edition.pieces_at))
        return [key for key in keys if key not in there]

    def _twin(self, edition: EditionRow, keys: Collection[RenderedKey]) -> EditionRow | None:
        """Another cohort's edition that this process rendered of the same stories as they still are."""
        twin = self._rendered.get(_content(edition)) if edition.cohort else None
        if twin is None or twin.id == edition.id:
            return None
        there = self._store.read(pieces.keys, *twin.pieces_at)
        changed = twin.revised(self._store.read(edition_changes.last_revised, twin.article_ids))
        return None if changed or not set(keys) <= set(there) else twin

    def _shared(self, edition: EditionRow, twin: EditionRow | None) -> EditionRow:
        self._store.write(editions.share_pieces, edition, twin)
        changed = self._store.read(editions.get, edition.id) or edition
        return changed if changed.revision == edition.revision else self.render(changed)


def _content(edition: EditionRow) -> tuple[int, str]:
    """What a rendering is of: two cohorts of an occurrence with the same stories in the same places share it."""
    return edition.occurrence_id, repr((edition.sections, edition.layer))
