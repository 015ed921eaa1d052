"""The top of an edition as a small picture, for the page that offers its newsletter."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import shutil

from PIL import Image

from newsletter.preview.choice import Choice
from newsletter.preview.looks import Look
from newsletter.preview.picturing import CHROMIUM_NAMES, picture_of
from newsletter.preview.scenarios import picture_file
from newsletter.preview.workbench import Workbench

# Twice the size that it is shown at, in pixels; a mail this wide has the layout of a phone, with larger words.
_WIDTH, _HEIGHT = 480, 600
_COLOURS = 128


def can_take_cards() -> bool:
    """Whether Playwright and a Chromium are there."""
    return importlib.util.find_spec("playwright") is not None and any(map(shutil.which, CHROMIUM_NAMES))


async def card_of(workbench: Workbench, newsletter: str, occurrence: str) -> bytes:
    """The top of this edition as a stranger sees it: a PNG of 480 x 600 pixels. Raises NewsletterError."""
    made = (await asyncio.to_thread(workbench.make, Choice(newsletter, occurrence))).preview
    configuration = workbench.configuration
    whole = await picture_of(made, lambda name: picture_file(configuration, name), width=_WIDTH, look=Look.LIGHT)
    return await asyncio.to_thread(_top, whole)


def _top(whole: bytes) -> bytes:
    with Image.open(io.BytesIO(whole)) as opened:
        paper = opened.convert("RGB")
    top = Image.new("RGB", (_WIDTH, _HEIGHT), paper.getpixel((0, 0)))
    top.paste(paper.crop((0, 0, _WIDTH, min(paper.height, _HEIGHT))))
    made = io.BytesIO()
    top.quantize(_COLOURS).save(made, "PNG", optimize=True)
    return made.getvalue()
