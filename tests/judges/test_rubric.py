"""docs/design-rubric.md where a ruler can say it: sizes of type, measure, columns, the first screen, contrast."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.judges.gallery import Gallery
from tests.judges.looks import INVERTED
from tests.judges.messages import DESIGNS
from tests.judges.test_accessibility import AXE

SCALE = {13, 16, 20, 26, 30, 38}

_SIZES = """() => {
    const sizes = {}
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const element = text.parentElement
        if (!text.data.replace(/[\\s\\u00a0]/g, '') || !element.getClientRects().length) continue
        sizes[parseFloat(getComputedStyle(element).fontSize)] = text.data.trim().slice(0, 60)
    }
    return sizes
}"""
# Characters of each full line of running text (the last of a paragraph is not full), and whether it is in a column.
_LINES = """() => {
    const found = []
    for (const paragraph of document.querySelectorAll('.standfirst, .opening, .note p, .promotion p')) {
        const narrow = Boolean(paragraph.closest('.tile'))
            || Boolean(paragraph.closest('tr').querySelector('.thumb'))
        const lines = new Map()
        const texts = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT)
        for (let text = texts.nextNode(); text; text = texts.nextNode())
            if (!text.parentElement.closest('.told')) for (const word of text.data.matchAll(/\\S+\\s*/g)) {
                const range = document.createRange()
                range.setStart(text, word.index)
                range.setEnd(text, word.index + word[0].trimEnd().length)
                const line = Math.round(range.getBoundingClientRect().bottom / 8)
                lines.set(line, (lines.get(line) || 0) + word[0].length)
            }
        const full = [...lines.values()].slice(0, -1)
        if (full.length) found.push({narrow, longest: Math.max(...full) - 1,
            mean: full.reduce((sum, one) => sum + one, 0) / full.length, words: paragraph.textContent.slice(0, 50)})
    }
    return found
}"""
_PAINTED = "elements => elements.map(element => getComputedStyle(element).backgroundColor)"
_COLUMNS = """() => [...document.querySelectorAll('.column')].map(column => {
    const {left, top, right, width} = column.getBoundingClientRect()
    return {left, top, right, width}
})"""


@pytest.mark.parametrize("design", DESIGNS)
def test_type_has_one_scale_and_lines_their_measure(shown: Gallery, chromium: Browser, design: str) -> None:
    for name in (f"look-{design}", f"hindi-{design}", f"arabic-{design}", f"blocks-{design}"):
        page = shown.open_mail(chromium, name)
        for width in (800, 375):
            page.set_viewport_size({"width": width, "height": 900})
            between = {size: words for size, words in page.evaluate(_SIZES).items() if float(size) not in SCALE}
            assert not between, f"{name} at {width}: sizes off the scale: {between}"
            if name.startswith(("look", "blocks")):
                _measure(page, width)
        page.close()


def _measure(page: Page, width: int) -> None:
    lines: list[dict[str, Any]] = page.evaluate(_LINES)
    for line in lines:
        least, most = (25, 62) if line["narrow"] or width < 640 else (45, 75)
        assert line["longest"] <= most, f"{line['longest']} characters at {width}: {line['words']}"
        assert line["mean"] >= least, f"{line['mean']:.0f} characters at {width}: {line['words']}"


@pytest.mark.parametrize("name", ["look-weekly", "arabic-weekly"])
def test_two_columns_stack_where_there_is_no_room(shown: Gallery, chromium: Browser, name: str) -> None:
    page = shown.open_mail(chromium, name)
    for width, beside in ((800, True), (640, True), (600, False), (375, False)):
        page.set_viewport_size({"width": width, "height": 900})
        one, other = page.evaluate(_COLUMNS)[:2]
        assert (one["top"] == other["top"]) is beside, f"at {width}"
        if beside:
            assert (one["left"] > other["left"]) is (name == "arabic-weekly"), (
                "the first story is at the side of reading"
            )
        else:
            assert one["width"] > width - 40, f"at {width} a column fills the mail"
    page.close()


def test_two_columns_stack_on_a_phone_that_knows_no_style_block(shown: Gallery, chromium: Browser) -> None:
    plain = re.sub(r"<style.*?</style>", "", shown.mails["look-weekly"].html, flags=re.DOTALL)
    page = shown.open_mail(chromium, "look-weekly", width=375, html=plain)
    one, other = page.evaluate(_COLUMNS)[:2]
    assert one["top"] < other["top"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.close()


def test_an_alert_is_read_in_the_first_screen_of_a_phone(shown: Gallery, chromium: Browser) -> None:
    for name in ("alerts", "hindi-alert", "arabic-alert"):
        page = shown.open_mail(chromium, name, width=375)
        button = page.locator(".button a").bounding_box()
        cell = page.locator(".button").bounding_box()
        assert button is not None
        assert cell is not None
        assert button["y"] + button["height"] <= 667, f"{name}: the button ends at {button['y'] + button['height']}"
        assert button["height"] >= 44
        assert (button["width"], button["height"]) == (cell["width"], cell["height"]), "all of the cell is the link"
        page.close()
    words = shown.mails["alerts"].html
    assert words.count("<h2") == 1
    assert words.count('class="button"') == 1


@pytest.mark.parametrize("design", DESIGNS)
def test_what_stands_round_the_stories_is_quiet_and_can_be_touched(
    shown: Gallery, chromium: Browser, design: str
) -> None:
    page = shown.open_mail(chromium, f"blocks-{design}", width=375)
    for name in ("note", "promotion", "membership", "more"):
        assert page.locator(f".{name}").count(), f"no {name}"
    button, cell = page.locator(".outlined a").bounding_box(), page.locator(".outlined").bounding_box()
    assert button is not None
    assert cell is not None
    assert button["height"] >= 44
    assert button["width"] == cell["width"] - 2, "all of the cell within its border is the link"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for selector in (".note", ".promotion", ".outlined", ".membership", ".more"):
        colours = page.eval_on_selector_all(selector, _PAINTED)
        assert set(colours) <= {"rgba(0, 0, 0, 0)", paper}, f"{selector} is painted {colours}"
    assert page.locator(".button").count() == (design == "alert"), "the one button in the accent is the alert's"
    page.close()


@pytest.mark.parametrize("name", [f"{case}-{design}" for design in DESIGNS for case in ("look", "blocks")])
def test_forced_inversion_leaves_every_word_readable(shown: Gallery, chromium: Browser, name: str) -> None:
    page = shown.open_mail(chromium, name, width=375)
    page.evaluate(INVERTED)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(4, 4, 2)"
    page.evaluate(AXE)
    found: list[str] = page.evaluate(
        """async () => (await axe.run(document, {runOnly: ['color-contrast']})).violations
            .flatMap(rule => rule.nodes.map(node => node.html.slice(0, 120)))"""
    )
    assert not found
    page.close()
