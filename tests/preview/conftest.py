"""One browser a module; one workbench a module for the tests that only look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.preview.bench import Bench, a_site, bench
from tests.preview.pages import a_page
from tests.support.browser import browser as started
from tests.support.site_folder import SiteFolder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with a_page(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> SiteFolder:
    """A site with three readers and five stories, which no test of the module changes."""
    site = a_site(tmp_path_factory.mktemp("site"), readers=3, stories=5)
    file = site.path / "schedules.yaml"
    shares = "clients: {gmail: 0.6, apple-mail: 0.4}\n    in_doubt"
    file.write_text(file.read_text().replace("in_doubt", shares, 1))
    return site


@pytest.fixture(scope="module")
def running(looked_at: SiteFolder) -> Iterator[Bench]:
    with bench(looked_at) as served:
        yield served
