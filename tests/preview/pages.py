"""What the browser tests share: a page that complains, its frames, a template of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, FrameLocator, Locator, Page

PATIENCE_MILLISECONDS = 20_000


@contextmanager
def a_page(browser: Browser, *, width: int = 1280, height: int = 860) -> Iterator[Page]:
    """A page of a context of its own; whatever the console says is wrong fails the test."""
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    faults: list[str] = []
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    unexpected = [one for one in faults if not _expected(one)]
    assert unexpected == []


def _expected(words: str) -> bool:
    """What Chromium says of refusals that a test asks for: an answer 4xx, what the frame's policy or sandbox stops."""
    return any(one in words for one in ("Failed to load resource", "Content Security Policy", "sandboxed", "net::ERR"))


def ready(page: Page, url: str) -> None:
    """Open ``url`` and wait until its frames are drawn."""
    page.goto(url)
    page.locator("html[data-ready]").wait_for(state="attached")


def mail(page: Page, pane: int = 0) -> FrameLocator:
    """The message in a pane."""
    return page.locator("#panes .one").nth(pane).frame_locator("iframe:not(.behind)")


def view(page: Page) -> Locator:
    return page.locator("#view")


def override(folder: Path, name: str, text: str) -> Path:
    """A template of the design ``daily`` of one's own."""
    file = folder / "templates" / "daily" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
