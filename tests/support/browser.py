"""The Chromium that the tests drive, and how it is started: headless, and without a word to the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FONTS = Path(__file__).parents[1] / "judges" / "fonts" / "fonts.conf"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)


def find_chromium() -> str | None:
    """The executable: the installed one, else the one that Playwright downloaded; None where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    downloads = Path.home() / ".cache" / "ms-playwright"
    return next((str(path) for path in sorted(downloads.glob("chromium-*/chrome-linux*/chrome"))), None)


def chromium() -> str:
    """The executable; stops the run where there is none, for nothing here is ever skipped."""
    found = find_chromium()
    if found is None:
        pytest.exit("Chromium is needed: run `make test`, which gets it, or install chromium", 3)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A running browser, with the tests' own fonts and no others."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium(), args=list(ARGUMENTS), env={**os.environ, "FONTCONFIG_FILE": str(FONTS)}
        )
        try:
            yield running
        finally:
            running.close()
