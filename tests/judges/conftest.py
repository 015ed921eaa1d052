"""The gallery (one a run) and the browser (one a module: Playwright must not run during async tests)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.judges.gallery import Gallery, gallery
from tests.support.browser import browser


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Every mail and page, with the verdicts of Node's judges."""
    base = tmp_path_factory.getbasetemp()
    # xdist's workers have folders of their own below one that they share.
    return gallery((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "judges")


@pytest.fixture(scope="module")
def chromium(shown: Gallery) -> Iterator[Browser]:
    """A running Chromium, started after the gallery is made."""
    with browser() as running:
        yield running
