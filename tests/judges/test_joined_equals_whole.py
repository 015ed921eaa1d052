"""A joined mail is the mail one would have rendered for that reader alone: in Chromium, element by element.

The same templates are rendered once more the ordinary way (``tests.support.ordinary``: her sections as one document,
styles inlined in one go), and both stand side by side in two frames of one page.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page

from newsletter.model import Access, Article, EditionSection
from newsletter.render.templates import Templates
from tests.judges.gallery import Scheme
from tests.render.mails import SLOTS, UNSUBSCRIBE, a_newsletter, an_edition, mail, pieces, variant
from tests.support.browser import browser
from tests.support.ordinary import Ordinary, ordinary

POOL = {"National": [1, 2, 3, 4], "World": [5, 6], "Business": [7, 8, 9], "Sport": [10], "Culture": [11, 12]}
# All that stands round the stories: what leads every mail, what was missed, what gave way, and every block.
FULL = replace(
    an_edition({}),
    sections=(
        EditionSection("", (20,), home="World"),
        EditionSection("National", (1, 2, 3, 4), trimmed=2),
        *(EditionSection(name, tuple(ids)) for name, ids in POOL.items() if name != "National"),
        EditionSection("", (21, 22), missed=True),
    ),
)
BLOCKS: Mapping[str, Any] = {
    "lead": "best",
    "missed": {},
    "note": "Good *morning*, [write to us](https://news.example/letters).\n\n* one\n* two",
    "promotions": [
        {"headline": "Spring coats", "url": "https://shop.example/coats", "after": 1, "text": "Warm *and* light."},
        {"headline": "A new term", "url": "https://school.example/", "after": "World", "button": "See the courses"},
        {"headline": "The fair", "url": "https://fair.example/", "after": 9, "image": "https://fair.example/tent.jpg"},
    ],
    "related": ["weekend"],
}
VALUES = {**SLOTS, "unsubscribe_url": UNSUBSCRIBE}
DESIGNS = Templates().designs()
MODES: tuple[tuple[int, Scheme], ...] = ((375, "light"), (375, "dark"), (800, "light"), (800, "dark"))
_FRAMES = """<!DOCTYPE html><style>body { margin: 0 } iframe { border: 0; height: 900px; vertical-align: top }</style>
<iframe></iframe><iframe></iframe>"""
_FILL = """mails => Promise.all([...document.querySelectorAll('iframe')].map((frame, index) => new Promise(loaded => {
    frame.onload = loaded
    frame.srcdoc = mails[index]
})))"""
# Every element whose computed style is another one, with the first few properties that differ; and how many there are.
_DIFFERENCES = """width => {
    const frames = [...document.querySelectorAll('iframe')]
    frames.forEach(frame => { frame.style.width = width + 'px' })
    const [ours, whole] = frames.map(frame => [...frame.contentDocument.querySelectorAll('*')])
    const [style, wanted] = frames.map(frame => frame.contentWindow.getComputedStyle)
    const different = ours.length === whole.length ? [] : [`${ours.length} elements, not ${whole.length}`]
    ours.slice(0, whole.length).forEach((element, index) => {
        const one = style(element), other = wanted(whole[index])
        const names = element.tagName === whole[index].tagName
            ? [...one].filter(name => one.getPropertyValue(name) !== other.getPropertyValue(name)) : ['tagName']
        if (names.length) different.push(`${element.outerHTML.slice(0, 80)}: ${names.slice(0, 5)}`)
    })
    return [different, ours.length]
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def window(chromium: Browser) -> Iterator[Page]:
    """A page whose every picture is the same one; nothing else is loaded."""
    page = chromium.new_page(viewport={"width": 1700, "height": 900})
    picture = _picture()

    def answer(route: Any) -> None:
        if route.request.resource_type == "image":
            route.fulfill(body=picture, content_type="image/png")
        else:
            route.abort()

    page.route("**/*", answer)
    yield page
    page.close()


@pytest.mark.parametrize("design", DESIGNS)
def test_a_joined_mail_has_every_style_of_the_whole(window: Page, design: str) -> None:
    check(window, design, sets=8, pictured=2)


@pytest.mark.soak
@pytest.mark.parametrize("design", DESIGNS)
def test_two_hundred_joined_mails_have_every_style_of_the_whole(window: Page, design: str) -> None:
    check(window, design, sets=200, pictured=10)


def check(window: Page, design: str, *, sets: int, pictured: int) -> None:
    """Compare the mails of as many random section sets, every other one with all blocks; the pixels of the first
    ``pictured``."""
    plain = a_newsletter(tuple(POOL), design=design)
    full = a_newsletter(tuple(POOL), design=design, **BLOCKS)
    others = {"weekend": a_newsletter(title="The Weekend", description="Long reads.")}
    alone = (
        ordinary(lambda: pieces(edition=FULL, newsletter=full, newsletters=others, change=_for_members)),
        ordinary(lambda: pieces(POOL, newsletter=plain)),
    )
    compared = [pair_of(alone[number % 2], sections) for number, sections in enumerate(section_sets(sets))]
    assert all(words in compared[0][2] for words in ("Good <em>", "Spring coats", "may have missed", "The Weekend"))
    window.set_content(_FRAMES)
    for sections, joined, whole in compared:
        window.evaluate(_FILL, [joined, whole])
        for width, scheme in MODES:
            window.emulate_media(color_scheme=scheme)
            different, elements = window.evaluate(_DIFFERENCES, width)
            assert not different, f"{design} of {sections} at {width} in the {scheme}: {different[:5]}"
            assert elements > 40
    for number, (sections, joined, whole) in enumerate(compared[:pictured]):
        width, scheme = MODES[number % len(MODES)]
        same = shot(window, joined, width, scheme) == shot(window, whole, width, scheme)
        assert same, f"{design} of {sections} looks otherwise at {width} in the {scheme}"


def _for_members(article: Article) -> Article:
    return replace(article, access=Access.MEMBERS) if article.id % 3 == 2 else article


def section_sets(number: int) -> list[tuple[str, ...]]:
    """Different ones, each in an order of its own; the same every time."""
    chance = random.Random(13)
    found: dict[tuple[str, ...], None] = {}
    while len(found) < number:
        found[tuple(chance.sample(list(POOL), chance.randint(1, len(POOL))))] = None
    return list(found)


def pair_of(alone: Ordinary, sections: tuple[str, ...]) -> tuple[tuple[str, ...], str, str]:
    """The HTML of her joined mail and of the ordinary one, which say the same in plain text too."""
    received = mail(variant(alone.pieces, *sections))
    assert received.text.split() == alone.text(sections, VALUES).split()
    assert received.message["Subject"] == alone.subject(sections, VALUES)
    return sections, received.html, alone.html(sections, VALUES)


def shot(window: Page, html: str, width: int, scheme: Scheme) -> bytes:
    """The pixels of a whole mail."""
    window.emulate_media(color_scheme=scheme)
    window.set_viewport_size({"width": width, "height": 900})
    window.set_content(html, wait_until="load")
    png = window.screenshot(full_page=True)
    with Image.open(io.BytesIO(png)) as taken:
        return taken.convert("RGB").tobytes()


def _picture() -> bytes:
    """3:2, in four colours, so that one that is cut or turned shows."""
    drawn = Image.new("RGB", (600, 400), "#335577")
    ImageDraw.Draw(drawn).polygon([(0, 0), (600, 0), (0, 400)], fill="#bb8844")
    ImageDraw.Draw(drawn).ellipse((150, 100, 350, 300), fill="#ddeecc")
    written = io.BytesIO()
    drawn.save(written, "PNG")
    return written.getvalue()
