"""Rules on sizes and on the style blocks that are kept (block B): what makes Gmail clip a mail or drop its styles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.render.lint.css import Rule
from newsletter.render.lint.findings import Finding, Spot, error, warning
from newsletter.render.lint.mail import CLIPPED_BYTES, Mail

STYLE_WANTED_BYTES = 8_000
STYLE_DROPPED_BYTES = 16_000
# Where a percent sign or a comma is missing, these are the colours of CSS Color 4: rgb(0 0 0), rgb(0 0 0 / 50%).
_SPACED = re.compile(r"\b(?:rgba?|hsla?)\(\s*[^\s,()]+\s+[^\s,()]+\s+[^,()]+\)", re.IGNORECASE)
_RANGE = re.compile(r"\([^()]*(?:[<>]=?|=)[^()]*\)")
_CLIENT_HACK = re.compile(
    r"\[(?:data-og|class~=|owa)|(?:^|[\s,])u\s*\+|\.moz-text|#outlook|\.ExternalClass", re.IGNORECASE
)


def sizes(mail: Mail) -> Iterator[Finding]:
    """Bytes of decoded HTML, and of the style blocks in it."""
    size, budget = len(mail.html.encode("utf-8")), mail.expected.size_budget
    what = f"the HTML has {size:,} bytes; Gmail clips at {CLIPPED_BYTES:,}"
    if size >= max(budget, CLIPPED_BYTES):
        yield error("size", what, "Send fewer stories or sections")
    elif size >= CLIPPED_BYTES:
        yield warning("size", what, "Send fewer stories or sections, or live with size_budget above it")
    elif size >= budget:
        yield warning(
            "size", f"the HTML has {size:,} bytes, more than its size_budget of {budget:,}", "Send fewer stories"
        )
    kept = sum(len((style.text or "").encode("utf-8")) for style, _ in mail.styles)
    spot = mail.at(mail.styles[0][0]) if mail.styles else Spot()
    if kept > STYLE_DROPPED_BYTES:
        yield error(
            "style-size", f"<style> keeps {kept:,} bytes; over 16 kB Gmail drops it all", "Shorten block B", spot
        )
    elif kept > STYLE_WANTED_BYTES:
        yield warning("style-size", f"<style> keeps {kept:,} bytes; aim under 8 kB", "Shorten block B", spot)


def blocks(mail: Mail) -> Iterator[Finding]:
    """What a client drops a style block for, or a rule of it."""
    for style, sheet in mail.styles:
        for line, what in sheet.faults:
            at = mail.at(style)
            spot = Spot(element=at.element, line=at.line + line - 1)
            rule = next((one for owner, one in mail.rules if owner is style and one.line == line), None)
            yield error("css", what, "Balance the braces", mail.at_rule(rule) if rule is not None else spot)
        for top in sheet.rules:
            yield from _rule(mail, top)
        media = any(rule.at == "media" for rule in sheet.rules)
        hack = next((rule for rule in sheet.rules if not rule.at and _CLIENT_HACK.search(rule.prelude)), None)
        if media and hack is not None:
            yield warning(
                "client-hack",
                f"'{hack.prelude[:60]}', meant for one client, stands in the block of all",
                "Put it into a <style> of its own: a client that cannot read it drops the whole block",
                mail.at_rule(hack),
            )


def _rule(mail: Mail, rule: Rule) -> Iterator[Finding]:
    if inner := next((one for child in rule.rules for one in child.all() if _has_at(one)), None):
        yield error(
            "nested-at",
            f"'{inner.prelude[:60]}' has an @ inside '{rule.prelude[:60]}': Gmail drops the whole <style>",
            "Take it out of the at-rule",
            mail.at_rule(inner),
        )
    if rule.at == "import":
        yield warning(
            "import",
            f"'{rule.prelude[:80]}' fetches styles; most clients refuse",
            "Write them into the block",
            mail.at_rule(rule),
        )
    if rule.at == "media" and _RANGE.search(rule.prelude):
        yield warning(
            "media-range",
            f"'{rule.prelude[:80]}' is a range, which most clients cannot read",
            "Write (max-width: …) or (min-width: …)",
            mail.at_rule(rule),
        )
    for one in rule.all():
        spaced = next((found for said in one.declarations if (found := _SPACED.search(said.value))), None)
        if spaced is not None:
            yield error(
                "spaced-colour",
                f"'{spaced[0]}' in '{one.prelude[:60]}': Gmail drops the whole <style> at a colour without commas",
                "Write it as #rrggbb",
                mail.at_rule(one),
            )


def _has_at(rule: Rule) -> bool:
    return "@" in rule.prelude or any("@" in one.value for one in rule.declarations)
