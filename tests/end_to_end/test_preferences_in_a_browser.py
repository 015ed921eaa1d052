"""The preference centre in a real browser: all of it without JavaScript, in Arabic from the right, and held to WCAG."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import update

from newsletter.config.reading import Configuration
from newsletter.members.links import Links
from newsletter.model import MailFormat, Subscription, SubscriptionState
from newsletter.store import Store, subscribers, subscriptions, tables
from tests.builders import add_subscribers
from tests.judges.test_accessibility import judged
from tests.support.browser import browser
from tests.support.web_server import a_site, served_in_a_thread
from tests.web.test_languages import in_several_languages


@dataclass(frozen=True)
class Served:
    """A site served in a thread; ``link`` is its one reader's preferences page."""

    store: Store
    reader: int
    link: str
    unsubscribe: str

    def held(self) -> dict[str, Subscription]:
        return {one.newsletter: one for one in self.store.read(subscriptions.of, self.reader)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, migrated_sqlite: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    """In English; with the mark ``arabic``, in Arabic and with a choice of languages."""
    (tmp_path / "newsletter.db").write_bytes(migrated_sqlite.read_bytes())
    configuration: Configuration = a_site(tmp_path)
    arabic = getattr(request, "param", "") == "arabic"
    with Store.open(f"sqlite:///{tmp_path}/newsletter.db") as store:
        (reader,) = add_subscribers(store, 1)
        if arabic:
            configuration = in_several_languages(tmp_path)
            store.write(lambda connection: connection.execute(update(tables.subscribers).values(language="ar")))
        person = store.read(subscribers.by_id, reader)
        assert person is not None
        with served_in_a_thread(configuration, store) as base:
            links = Links(base)
            preferences = links.preferences(reader, person.secret)
            yield Served(store, reader, preferences, links.unsubscribe(reader, person.secret, "daily"))


def test_everything_is_done_without_javascript(chromium: Browser, site: Served) -> None:
    page = chromium.new_page(java_script_enabled=False, viewport={"width": 375, "height": 800})
    page.goto(site.link)
    page.get_by_label("Send me The Weekend").check()
    page.get_by_text("Sections · Format · Pause").click()
    page.get_by_role("checkbox", name="National").uncheck()
    page.get_by_role("textbox", name="Place Sport & Games").fill("1")
    page.get_by_label("Plain text").check()
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Your choices are saved"
    daily, weekly = site.held()["daily"], site.held()["weekly"]
    assert (daily.sections, daily.format) == (("Sport & Games", "World"), MailFormat.TEXT)
    assert weekly.state is SubscriptionState.ACTIVE

    page.get_by_role("button", name="Pause for 30 days").click()
    assert all(one.paused_until is not None for one in site.held().values())
    page.get_by_role("button", name="End the pause now").click()
    assert all(one.paused_until is None for one in site.held().values())

    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download it").click()
    assert json.loads(downloading.value.path().read_text())["reader"]["address"] == "reader00001@readers.example"

    page.get_by_role("button", name="Unsubscribe from all").click()
    assert {one.state for one in site.held().values()} == {SubscriptionState.UNSUBSCRIBED}
    page.goto(site.unsubscribe)
    page.get_by_role("button", name="Subscribe again").click()
    assert site.held()["daily"].state is SubscriptionState.ACTIVE

    page.goto(site.link)
    page.get_by_role("link", name="Erase everything").click()
    page.get_by_label("Yes, erase everything about me").check()
    page.get_by_role("button", name="Erase").click()
    assert page.get_by_role("heading", level=1).inner_text() == "You are erased"
    erased = site.store.read(subscribers.by_id, site.reader)
    assert erased is not None
    assert erased.erased_at is not None
    page.close()


@pytest.mark.parametrize("site", ["arabic"], indirect=True)
def test_in_arabic_every_page_runs_from_the_right_and_axe_finds_nothing(chromium: Browser, site: Served) -> None:
    for width in (320, 1280):
        page = chromium.new_page(viewport={"width": width, "height": 800})
        page.goto(site.link)
        assert page.locator("html").get_attribute("dir") == "rtl"
        tick, words = (page.locator(f".switch > {part}").first.bounding_box() for part in ("input", "span"))
        assert tick is not None
        assert words is not None
        assert tick["x"] > words["x"], "the box stands at the right of its words"
        page.locator("summary").click()
        _axe(page)
        page.get_by_label("اللغة").select_option("")
        page.locator("input[name^='place:daily']").first.fill("x")
        page.locator("input[name='section:daily']").nth(1).uncheck()
        page.locator("form").first.locator("button").click()
        assert page.locator("[role=alert]").count() == 1
        _axe(page)
        page.goto(f"{site.link}/erase")
        _axe(page)
        page.locator("input[name=sure]").evaluate("box => box.removeAttribute('required')")
        page.locator("form button").click()
        assert page.locator("#sure-error").is_visible()
        _axe(page)
        page.close()


def _axe(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing runs out of the window"
    for scheme in ("light", "dark"):
        found = judged(page, scheme, without={})
        assert found == {"violations": [], "incomplete": []}, (page.url, scheme)


def test_another_site_cannot_act_in_her_browser_and_no_script_runs(chromium: Browser, site: Served) -> None:
    context = chromium.new_context()
    page = context.new_page()
    trap = f'<form method="post" action="{site.link}/none"><button>Win a prize</button></form>'
    page.route("http://evil.example/", lambda route: route.fulfill(body=trap, content_type="text/html"))
    page.goto("http://evil.example/")
    with page.expect_navigation() as landing:
        page.get_by_role("button").click()
    assert landing.value is not None
    assert landing.value.status == 403
    assert site.held()["daily"].state is SubscriptionState.ACTIVE

    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text))
    page.goto(site.link)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    page.evaluate("document.body.appendChild(document.createElement('script')).textContent = 'window.ran = 1'")
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in broken)
    assert context.cookies() == []
    context.close()
