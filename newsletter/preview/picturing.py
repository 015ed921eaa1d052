"""A message as a PNG: its HTML as a pane shows it, in a headless Chromium without a network, at a width.

Needs the extra ``screenshots`` (Playwright) and an installed Chromium; nothing else here does.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from newsletter.errors import UsageError
from newsletter.preview import showing
from newsletter.preview.looks import PROFILES, Look
from newsletter.preview.scenarios import MEDIA_TYPES
from newsletter.render.templates import shipped_templates

if TYPE_CHECKING:
    from newsletter.preview.making import Preview

_ORIGIN = "http://preview.invalid"
_HEIGHT = 900
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS: Sequence[str] = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PictureFile = Callable[[str], Path | None]


async def picture_of(preview: Preview, picture_file: PictureFile, *, width: int, look: Look) -> bytes:
    """The whole mail as a PNG ``width`` CSS pixels wide. Raises UsageError where Playwright or Chromium is missing."""
    if importlib.util.find_spec("playwright") is None:
        raise UsageError(
            "pictures of mails need Playwright",
            remedy="Run `pip install 'newsletter[screenshots]'`, and install chromium",
        )
    from playwright.async_api import Error, async_playwright

    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(
                executable_path=executable,
                args=list(_ARGUMENTS),
                chromium_sandbox=os.geteuid() != 0,  # as root Chromium starts without it only
            )
        except Error as error:
            said = str(error).strip().partition("\n")[0]
            raise UsageError(
                f"Chromium cannot be started: {said}", remedy="Install chromium, or run `playwright install chromium`"
            ) from None
        try:
            context = await browser.new_context(viewport={"width": width, "height": _HEIGHT}, service_workers="block")
            page = await context.new_page()
            document = showing.for_frame(preview.html, preview.web_base, look)
            await page.route("**/*", lambda route: _answer(route, document, picture_file))
            await page.goto(f"{_ORIGIN}/", wait_until="load")
            if PROFILES[look].inverts:
                await page.evaluate(inversion(), PROFILES[look].inverts)
            return await page.screenshot(full_page=True)
        finally:
            await browser.close()


def inversion() -> str:
    """The page's own function that inverts, as an expression for a browser."""
    source = (shipped_templates() / "preview" / "inverting.js").read_text(encoding="utf-8")
    return f"how => {{ {source.replace('export ', '')}\n invert(document, how); }}"


async def _answer(route: Any, document: str, picture_file: PictureFile) -> None:
    """The document and our pictures, from memory and disk; everything else is refused."""
    asked = urlsplit(route.request.url)
    path = picture_file(asked.path.rpartition("/")[2]) if asked.path.startswith(showing.MEDIA) else None
    if f"{asked.scheme}://{asked.netloc}" != _ORIGIN:
        await route.abort()
    elif asked.path == "/":
        # The policy of the frame, but for the place of our pictures: nothing of an article runs here either.
        policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src {_ORIGIN}/media/ data:"
        headers = {"Content-Security-Policy": policy, "Content-Type": "text/html; charset=utf-8"}
        await route.fulfill(status=200, headers=headers, body=document)
    elif path is not None:
        kind = MEDIA_TYPES.get(path.suffix[1:].lower(), "application/octet-stream")
        await route.fulfill(status=200, content_type=kind, body=path.read_bytes())
    else:
        await route.abort()
