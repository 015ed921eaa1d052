"""Makes the screenshots of docs/images/ anew: ``python -m tests.judges.shots``, by hand, where Chromium is.

The demo's mails and pages -> Chromium -> PNGs of at most 400 kB, their colours reduced until they are.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.judges.gallery import Gallery, Scheme, gallery
from tests.judges.messages import ROOT
from tests.support.browser import browser

FOLDER = ROOT / "docs" / "images"
MOST_BYTES = 400_000

# File name, mail, width and height in pixels (of the window, at scale 1), appearance.
MAIL_SHOTS: tuple[tuple[str, str, int, int, Scheme], ...] = (
    ("daily-desktop-light", "daily", 800, 1500, "light"),
    ("daily-desktop-dark", "daily", 800, 1500, "dark"),
    ("daily-phone-light", "daily", 375, 1500, "light"),
    ("daily-phone-dark", "daily", 375, 1500, "dark"),
    ("briefing-phone-light", "briefing", 375, 1800, "light"),
)
# File name, page, width. A page is shown whole.
PAGE_SHOTS = (
    ("unsubscribe-page", "unsubscribe", 1280),
    ("unsubscribe-page-phone", "unsubscribe", 375),
    ("preferences-page", "preferences", 1280),
    ("preferences-page-phone", "preferences", 375),
    ("preview-page", "preview", 1280),
    ("preview-panes-page", "preview-panes", 1920),
    ("preview-scenario-page", "preview-scenario", 1280),
    ("preview-headers-page", "preview-headers", 1280),
)


def main() -> None:
    """Write every screenshot. Takes the folder of a finished gallery as an argument, else makes one."""
    with tempfile.TemporaryDirectory() as made:
        take(gallery(Path(sys.argv[1] if len(sys.argv) > 1 else made)))


def take(shown: Gallery) -> None:
    """Write every screenshot of these mails and pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with browser() as chromium:
        for name, mail, width, height, scheme in MAIL_SHOTS:
            page = shown.open_mail(chromium, mail, width=width, scheme=scheme)
            page.set_viewport_size({"width": width, "height": min(height, _height(page))})
            _write(name, page.screenshot())
            page.close()
        for name, kept, width in PAGE_SHOTS:
            page = shown.open_page(chromium, kept, width=width)
            page.set_viewport_size({"width": width, "height": max(_height(page), 480)})
            _write(name, page.screenshot())
            page.close()


def _height(page: Page) -> int:
    height: int = page.evaluate("Math.ceil(document.body.getBoundingClientRect().bottom)")
    return height


def _write(name: str, png: bytes) -> None:
    """The picture in 256 colours, or in fewer where that is still too large."""
    with Image.open(io.BytesIO(png)) as taken:
        picture = taken.convert("RGB")
    for colours in (256, 192, 128, 96, 64):
        reduced = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.FLOYDSTEINBERG).save(reduced, "PNG", optimize=True)
        png = min(png, reduced.getvalue(), key=len)
        if len(png) <= MOST_BYTES:
            break
    if len(png) > MOST_BYTES:
        raise SystemExit(f"{name}.png has {len(png):,} bytes; at most {MOST_BYTES:,}")
    (FOLDER / f"{name}.png").write_bytes(png)
    print(f"docs/images/{name}.png  {picture.width} x {picture.height}  {len(png):,} bytes")


if __name__ == "__main__":
    main()
