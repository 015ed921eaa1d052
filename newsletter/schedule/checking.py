"""What speaks against sending an edition that is rendered: lint errors on the message as a reader would get it."""

from __future__ import annotations

from newsletter.config.reading import Configuration
from newsletter.deliver.linting import lint_edition
from newsletter.render.lint import Finding
from newsletter.store import Store, articles, pieces
from newsletter.store.editions import EditionRow


def findings_of(configuration: Configuration, store: Store, edition: EditionRow) -> list[Finding]:
    """The errors that lint finds in this edition's whole message, for each rendered key, with file and line.

    None where the newsletter's ``gates.lint`` is false. Raises TemplateError and StoreError.
    """
    if not configuration.newsletter(edition.newsletter).gates.lint:
        return []
    found: list[Finding] = []
    for key in store.read(pieces.keys, edition.id, edition.revision):
        linted = lint_edition(
            configuration,
            edition.edition,
            store.read(pieces.load, edition.id, edition.revision, key),
            key,
            lambda: store.read(articles.get_many, edition.edition.article_ids),
            errors_only=True,
        )
        found += linted.errors
    return list(dict.fromkeys(found))
