"""What speaks against sending an edition that is rendered: lint errors on the message as a reader would get it."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.config.reading import Configuration
from newsletter.deliver.linting import lint_edition
from newsletter.model import Edition, RenderedKey
from newsletter.render.lint import Finding
from newsletter.store import Store, articles, pieces
from newsletter.store.editions import EditionRow

Documents = Mapping[RenderedKey, Mapping[str, bytes]]
"""The pieces of an edition, by rendered key."""


def stored_documents(store: Store, edition: EditionRow) -> Documents:
    """What is rendered of an edition as it is now. Raises StoreError."""
    keys = store.read(pieces.keys, *edition.pieces_at)
    return {key: store.read(pieces.load, *edition.pieces_at, key) for key in keys}


def lint_errors(configuration: Configuration, store: Store, edition: Edition, documents: Documents) -> list[Finding]:
    """The errors that lint finds in this edition's whole message, for each rendered key, with file and line.

    None where the newsletter's ``gates.lint`` is false. Raises TemplateError and StoreError.
    """
    if not configuration.of(edition).gates.lint:
        return []
    found: list[Finding] = []
    for key, document in documents.items():
        linted = lint_edition(
            configuration,
            edition,
            document,
            key,
            lambda: store.read(articles.get_many, edition.article_ids),
            errors_only=True,
        )
        found += linted.errors
    return list(dict.fromkeys(found))


def findings_of(configuration: Configuration, store: Store, edition: EditionRow) -> list[Finding]:
    """The same of an edition as it is stored."""
    return lint_errors(configuration, store, edition.edition, stored_documents(store, edition))
