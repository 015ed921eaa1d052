"""What speaks against sending an edition that is rendered: lint errors on the message as a reader would get it."""

from __future__ import annotations

from datetime import UTC, datetime

from newsletter.config.reading import Configuration
from newsletter.deliver.assembling import Reader, message_for
from newsletter.deliver.copies import parts_of
from newsletter.members.links import Links
from newsletter.model import JoinedKey, MailFormat
from newsletter.render.joining import Variants
from newsletter.render.lint import Finding, Severity, lint
from newsletter.render.rendering import web_base
from newsletter.store import Store, pieces
from newsletter.store.editions import EditionRow

_NOBODY = Reader(0, "reader@example.com", "", "", b"\0" * 32)


def findings_of(configuration: Configuration, store: Store, edition: EditionRow) -> list[Finding]:
    """The errors that lint finds in this edition's whole message, for each rendered key."""
    found: list[Finding] = []
    links = Links(web_base(configuration))
    for key in store.read(pieces.keys, edition.id, edition.revision):
        variant = Variants(store.read(pieces.load, edition.id, edition.revision, key)).variant(JoinedKey())
        if variant is None:
            continue
        message = message_for(
            configuration,
            edition.edition,
            variant,
            _NOBODY,
            message_id="<check@newsletter.invalid>",
            mail_format=MailFormat.HTML,
            links=links,
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )
        html, text = parts_of(message)
        unsubscribe = links.unsubscribe(0, _NOBODY.secret, edition.newsletter)
        address = configuration.schedules.site.postal_address
        findings = lint(html, text, unsubscribe_url=unsubscribe, postal_address=address)
        found += [finding for finding in findings if finding.severity is Severity.ERROR]
    return found
