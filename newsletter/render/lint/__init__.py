"""What a finished mail gets wrong, said before anyone receives it.

    decoded HTML and text of one assembled message, what is expected in it -> findings, errors first
    findings, the same edition rendered from traced templates (``origins``) -> findings with file and line

Errors are what a gate may hold an edition for. Pure: nothing is fetched and nothing is read but the tables shipped.
docs/linting.md lists the rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.render.lint import blocks, clients, content, contrast, links, structure
from newsletter.render.lint.blocks import STYLE_DROPPED_BYTES, STYLE_WANTED_BYTES
from newsletter.render.lint.cascade import looks_of
from newsletter.render.lint.findings import Finding, Severity, Spot
from newsletter.render.lint.mail import CLIPPED_BYTES, Expected, Mail

__all__ = [
    "CLIPPED_BYTES",
    "STYLE_DROPPED_BYTES",
    "STYLE_WANTED_BYTES",
    "Expected",
    "Finding",
    "Mail",
    "Severity",
    "Spot",
    "lint",
    "lint_mail",
]


def lint(html: str, text: str, *, unsubscribe_url: str = "", postal_address: str = "") -> list[Finding]:
    """``lint_mail`` where little is known: ``unsubscribe_url`` and ``postal_address`` are looked for where given;
    without the first, an English mail must at least have the word."""
    expected = Expected(unsubscribe_url=unsubscribe_url, postal_address=postal_address)
    return lint_mail(Mail(html, text, expected))


def lint_mail(mail: Mail) -> list[Finding]:
    """Findings on one message, errors first. 20 to 100 ms: call it off the event loop."""
    return sorted(_found(mail), key=lambda finding: finding.severity is not Severity.ERROR)


def _found(mail: Mail) -> Iterator[Finding]:
    yield from blocks.sizes(mail)
    yield from structure.document(mail)
    yield from content.unfilled(mail)
    yield from content.required(mail)
    if mail.root is None:
        return
    light = looks_of(mail, width=contrast.DESKTOP, scheme="light")
    yield from structure.pictures(mail)
    yield from structure.preheader(mail, light)
    yield from links.links(mail)
    yield from content.parting(mail)
    yield from blocks.blocks(mail)
    yield from contrast.contrast(mail, light, "light")
    yield from contrast.dark(mail)
    if contrast.has_dark(mail):
        dark = looks_of(mail, width=contrast.DESKTOP, scheme="dark")
        yield from contrast.contrast(mail, dark, "dark")
    yield from contrast.buttons(mail, looks_of(mail, width=contrast.PHONE, scheme="light"))
    yield from clients.clients(mail)
