"""The mail as a browser shows it: inlining really styled it, and it reads at every width, light and dark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from newsletter.model import RenderedKey
from newsletter.render.colour import PAPER_DARK, contrast
from tests.render.mails import a_newsletter, mail, pieces, variant

Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "these tests need Chromium on the PATH"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


def shown(browser: Browser, html: str, *, width: int = 800, scheme: Scheme = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.route("**/*", lambda route: route.abort())
    page.set_content(html, wait_until="domcontentloaded")
    return page


def style(page: Page, selector: str, name: str) -> str:
    found: str = page.eval_on_selector(selector, "(e, name) => getComputedStyle(e)[name]", name)
    return found


def test_inlined_styles_reach_the_elements_without_the_style_blocks(browser: Browser) -> None:
    html = re.sub(r"<style>.*?</style>", "", mail(variant(pieces())).html, flags=re.DOTALL)
    page = shown(browser, html)
    assert style(page, "h2.title", "fontSize") == "30px"
    assert style(page, "h2.title", "fontFamily").startswith("Georgia")
    assert style(page, "h3.title", "fontSize") == "20px"
    assert style(page, ".lead .kicker", "color") == "rgb(11, 83, 148)"
    assert style(page, ".brief p", "borderTopColor") == "rgb(217, 215, 210)"
    assert style(page, ".preheader", "display") == "none"
    assert page.evaluate("document.compatMode") == "CSS1Compat"
    page.close()


def test_the_dark_mail_is_dark_and_its_words_are_readable(browser: Browser) -> None:
    page = shown(browser, mail(variant(pieces())).html, scheme="dark")
    assert style(page, "body", "backgroundColor") == "rgb(23, 25, 28)"
    words: list[list[int]] = page.evaluate(
        """() => [...document.querySelectorAll('h1 a, h2, h3 a, p, p a, td.dateline, span.aside')]
            .map(e => getComputedStyle(e).color.match(/\\d+/g).slice(0, 3).map(Number))"""
    )
    assert len(words) > 20
    for colour in words:
        assert contrast("#" + "".join(f"{channel:02x}" for channel in colour), PAPER_DARK) >= 4.5
    page.close()


@pytest.mark.parametrize("design", ["daily", "briefing", "weekly", "alert"])
@pytest.mark.parametrize("language", ["en", "hi", "ar"])
@pytest.mark.parametrize("width", [320, 375, 640, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, design: str, language: str, width: int) -> None:
    def change(article: Any) -> Any:
        return replace(article, headline="Supercalifragilisticexpialidocious" * 2 + " " + "word " * 12)

    newsletter = a_newsletter(design=design, description="Good morning.")
    rendered = pieces(change=change, newsletter=newsletter, key=RenderedKey(language, "free"))
    page = shown(browser, mail(variant(rendered)).html, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    column: float = page.eval_on_selector(".paper", "e => e.getBoundingClientRect().width")
    assert column == min(width, 640)
    page.close()


def test_a_cards_picture_stands_at_the_end_of_the_line(browser: Browser) -> None:
    for language, at_right in (("en", True), ("ar", False)):
        page = shown(browser, mail(variant(pieces(key=RenderedKey(language, "free")))).html)
        picture: float = page.eval_on_selector(".thumb", "e => e.getBoundingClientRect().left")
        headline: float = page.eval_on_selector("h3.title", "e => e.getBoundingClientRect().left")
        assert (picture > headline) is at_right
        page.close()


def test_headings_go_down_without_a_gap(browser: Browser) -> None:
    page = shown(browser, mail(variant(pieces())).html)
    levels: list[int] = page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3')].map(e => Number(e.tagName[1]))"
    )
    assert levels[:2] == [1, 2]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.close()
