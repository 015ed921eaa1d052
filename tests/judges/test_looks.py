"""How a mail stands in a window: 375, 640 and 800 pixels wide, light and dark; and how large it is."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest
from playwright.sync_api import Browser

from newsletter.render.lint import CLIPPED_BYTES, STYLE_WANTED_BYTES
from tests.judges.gallery import Gallery, Scheme
from tests.judges.messages import MAILS, SYSTEM_MAILS
from tests.judges.pages import PAGES

LEAST_PIXELS = 13
TAP_PIXELS = 44

# Words too small to read, with their size: every text that is shown, but for cells that only keep a distance.
_SMALL = """least => {
    const small = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const element = text.parentElement
        if (!text.data.replace(/[\\s\\u00a0]/g, '') || !element.getClientRects().length) continue
        const size = parseFloat(getComputedStyle(element).fontSize)
        if (size < least) small.push(`${size}px: ${text.data.trim().slice(0, 60)}`)
    }
    return small
}"""
# Pictures whose width on the screen is not the one of their attribute.
_PICTURES = """() => [...document.images].map(image => [image, image.getBoundingClientRect().width])
    .filter(([image, width]) => Math.abs(width - Number(image.getAttribute('width'))) > 0.5 || !image.naturalWidth)
    .map(([image, width]) => `${width} shown, ${image.getAttribute('width')} said: ${image.src}`)"""
_WIDER = """() => [...document.querySelectorAll('body *')]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 0.5)
    .map(element => element.outerHTML.slice(0, 100))"""
_LINKS = """() => [...document.querySelectorAll('.links a')].map(link => {
    const {left, top, right, bottom} = link.getBoundingClientRect()
    return {words: link.textContent, left, top, right, bottom}
})"""


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_fits_its_window_and_can_be_read(shown: Gallery, chromium: Browser, name: str) -> None:
    page = shown.open_mail(chromium, name)
    wrong = page.evaluate(_PICTURES)
    assert not wrong, f"{name} at 800: pictures: {wrong}"
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for width, scheme in product((375, 640, 800), schemes):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        where = f"{name} at {width} in the {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{where}: {page.evaluate(_WIDER)}"
        small = page.evaluate(_SMALL, LEAST_PIXELS)
        assert not small, f"{where}: smaller than {LEAST_PIXELS} px: {small}"
        links = page.evaluate(_LINKS)
        if name in SYSTEM_MAILS:  # there is nothing to unsubscribe from
            assert links == [], where
        else:
            check_links(links, where, least=TAP_PIXELS if width == 375 else LEAST_PIXELS)
    page.close()


def check_links(links: list[dict[str, Any]], where: str, *, least: int) -> None:
    """The footer's three links stand apart, each at least ``least`` pixels high."""
    assert len(links) == 3, f"{where}: the footer's links are {links}"
    low = [link["words"] for link in links if link["bottom"] - link["top"] < least]
    assert not low, f"{where}: lower than {least} px: {low}"
    for one, other in pairwise(links):
        beside = one["right"] < other["left"] or other["right"] < one["left"]
        assert beside or one["bottom"] <= other["top"] + 0.5, f"{where}: {one['words']} and {other['words']} overlap"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window(shown: Gallery, chromium: Browser, name: str) -> None:
    page = shown.open_page(chromium, name)
    for width in (1280, 375, 320):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} at {width}: {wide} wide: {page.evaluate(_WIDER)}"
    page.close()


def test_the_designs_show_pictures(shown: Gallery) -> None:
    assert shown.mails["daily"].html.count("<img") >= 4
    assert "<img" not in shown.mails["no-pictures-daily"].html


@pytest.mark.parametrize("name", MAILS)
def test_gmail_clips_no_mail_and_keeps_its_styles(shown: Gallery, name: str) -> None:
    html = shown.mails[name].html
    size = len(html.encode("utf-8"))
    assert size < CLIPPED_BYTES, f"{name} has {size:,} bytes of HTML"
    styles = "".join(part.partition("</style>")[0] for part in html.split("<style")[1:])
    assert len(styles.encode("utf-8")) < STYLE_WANTED_BYTES, f"{name} keeps {len(styles):,} characters of <style>"
    assert html.count("<h2") + html.count("<h3") + html.count('class="brief"') >= (
        60 if name.startswith("sixty-stories") else 1
    )
