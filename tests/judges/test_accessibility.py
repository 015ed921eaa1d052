"""axe-core in Chromium on every design and page, light and dark: no violation, and each "incomplete" looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.judges.gallery import Gallery, Scheme
from tests.judges.messages import MAILS
from tests.judges.pages import PAGES, PREVIEW_PAGES

AXE = (Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")

# Rules that do not hold for a mail, each with its reason.
NOT_FOR_MAILS = {
    "landmark-one-main": "a mail is shown inside a client's page, which has its own main",
    "region": "the same: a landmark of ours would stand among the client's",
}
# What axe could not decide and a person looked at: words that its finding has, by page -> why it is no fault.
_UNDER_THE_SUBJECT = "axe lays the inbox row's cut-off subject over the pane beside it; no pixel of it is there"
_A_FRAME = "the frame holds a mail, and every mail is judged by itself"
LOOKED_AT = {
    ("preview", "frame-tested:"): _A_FRAME,
    ("preview-panes", "frame-tested:"): _A_FRAME,
    ("preview-scenario", "frame-tested:"): _A_FRAME,
    ("preview-reading", "frame-tested:"): _A_FRAME,
    **{(name, "<h3>Findings"): _UNDER_THE_SUBJECT for name in PREVIEW_PAGES},
    ("preview-plain-reader", 'class="notice"'): _UNDER_THE_SUBJECT,
}


def judged(page: Page, scheme: Scheme, *, without: dict[str, str]) -> dict[str, list[str]]:
    """Violations and incompletes as ``rule: what, where``. The message in the preview's frame is judged as a mail."""
    page.emulate_media(color_scheme=scheme)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    rules: dict[str, Any] = {rule: {"enabled": False} for rule in without}
    found: dict[str, list[str]] = page.evaluate(
        """async (rules) => {
            const report = await axe.run(document, {rules, iframes: false, resultTypes: ['violations', 'incomplete']})
            const words = list => list.flatMap(rule => rule.nodes.map(node =>
                `${rule.id}: ${rule.help}, at ${node.target.join(' ')}: ${node.html.slice(0, 160)} `
                + [...node.any, ...node.all, ...node.none].map(check => check.message).join('; ')))
            return {violations: words(report.violations), incomplete: words(report.incomplete)}
        }""",
        rules,
    )
    return found


def check(page: Page, name: str, *, without: dict[str, str]) -> None:
    """Both appearances of an open document; closes it."""
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for scheme in schemes:
        found = judged(page, scheme, without=without)
        assert not found["violations"], f"axe on {name} in the {scheme}:\n" + "\n".join(found["violations"])
        known = [words for page_name, words in LOOKED_AT if page_name == name]
        unseen = [one for one in found["incomplete"] if not any(words in one for words in known)]
        assert not unseen, f"axe cannot decide this on {name} in the {scheme}; look at it:\n" + "\n".join(unseen)
    page.close()


@pytest.mark.parametrize("name", MAILS)
def test_axe_finds_nothing_in_a_mail(shown: Gallery, chromium: Browser, name: str) -> None:
    check(shown.open_mail(chromium, name), name, without=NOT_FOR_MAILS)


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_on_a_page(shown: Gallery, chromium: Browser, name: str) -> None:
    check(shown.open_page(chromium, name), name, without={})


def test_axe_would_find_a_missing_alt_and_a_pale_word(shown: Gallery, chromium: Browser) -> None:
    html = shown.mails["briefing"].html.replace("<h1", '<img src="a.png" alt="" width="9"><h1', 1)
    for fault, rule in (
        (html.replace(" alt=", " data-alt="), "image-alt"),
        (html.replace("color:#1a1a1a", "color:#c9c9c9"), "color-contrast"),
    ):
        assert fault != html
        page = shown.open_mail(chromium, "one-story-daily", html=fault)
        found = judged(page, "light", without=NOT_FOR_MAILS)["violations"]
        assert any(one.startswith(f"{rule}:") for one in found), f"axe did not see {rule}"
        page.close()
