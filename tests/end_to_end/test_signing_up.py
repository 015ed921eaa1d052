"""A reader's whole life in a real browser, against ``newsletter run`` and a real SMTP server, with and without
JavaScript: signs up for three, confirms, chooses, leaves with one click, comes back, is erased."""

from __future__ import annotations

import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from newsletter.model import SubscriptionState
from newsletter.store import subscribers, subscriptions
from tests.support.browser import browser
from tests.support.site_folder import SiteFolder, not_soon
from tests.support.smtp_server import Accepted, SmtpServer
from tests.support.waiting import free_port, listens, wait_for

MORE = f"""
  evening:
    title: The Evening
    description: What the day came to.
    from: "The Evening <evening@news.example>"
    schedule: {not_soon()}
    sections: [{{name: National, match: {{section: National}}, max: 5}}]
    gates: {{web: false}}
  weekend:
    title: The Weekend
    description: Long reads for Saturday.
    from: "The Weekend <weekend@news.example>"
    schedule: {not_soon()}
    sections: [{{name: Reads}}]
system_mails: {{from: "The Test <account@news.example>"}}"""
ANN = "ann+news@readers.example"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def to_ann(server: SmtpServer) -> list[Accepted]:
    return [one for one in server.accepted if one.recipient == ANN]


def mailed(server: SmtpServer, number: int) -> tuple[str, str]:
    """The subject of the mail of that number to Ann, and the first of its links that does something."""
    wait_for(lambda: len(to_ann(server)) >= number, f"mail {number} to {ANN}")
    message = to_ann(server)[number - 1].message
    html = message.get_body(("html",))
    assert html is not None
    link = re.search(r'href="(http://127\.0\.0\.1:\d+/[ciup]/[^"]+)"', html.get_content())
    return str(message["Subject"]), link[1] if link is not None else ""


def sign_up(page: Page, base: str, *newsletters: str) -> None:
    page.goto(f"{base}/subscribe")
    for title in newsletters:
        page.get_by_role("checkbox", name=title).check()
    page.get_by_label("Your e-mail address").fill(ANN)
    sent = page.get_by_role("heading", name="Look into your mailbox")

    def pressed() -> bool:
        """A browser that types faster than people do is asked to press once more."""
        if not sent.count():
            page.get_by_role("button", name="Subscribe").click()
        return bool(sent.count())

    wait_for(pressed, "the form is taken")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_reader_comes_chooses_leaves_comes_back_and_is_erased(
    chromium: Browser, server: SmtpServer, tmp_path: Path, scripts: bool
) -> None:
    url = f"sqlite:///{tmp_path}/newsletter.db"
    site = SiteFolder(tmp_path, url, server.port, web_port=free_port(), more=MORE, schedule=not_soon())
    site.fill(readers=1)
    base = f"http://127.0.0.1:{site.web_port}"
    running = site.start("run")
    page = chromium.new_context(java_script_enabled=scripts, viewport={"width": 375, "height": 800}).new_page()
    try:
        wait_for(lambda: listens(site.web_port), "the pages")
        sign_up(page, base, "The Test", "The Evening", "The Weekend")
        subject, link = mailed(server, 1)
        assert subject == "Confirm your newsletters from The Test"
        assert states(site) == dict.fromkeys(("daily", "evening", "weekend"), SubscriptionState.PENDING)
        page.goto(link)
        page.get_by_role("button", name="Confirm").click()
        assert page.get_by_role("heading", level=1).inner_text() == "You are subscribed"
        assert mailed(server, 2)[0] == "Welcome to The Test"

        page.get_by_role("link", name="Choose sections, format and pauses").click()
        page.get_by_label("Send me The Weekend").uncheck()
        page.get_by_role("button", name="Save").click()
        assert states(site)["weekend"] is SubscriptionState.UNSUBSCRIBED

        done = site.command("send", "daily", "--yes", "--no-collect")
        assert done.code == 0, done.err
        mailed(server, 3)
        one_click = to_ann(server)[2].message["List-Unsubscribe"].strip("<>")
        request = urllib.request.Request(one_click, data=b"List-Unsubscribe=One-Click", method="POST")
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.status == 200
        site.fill(stories=6)
        done = site.command("send", "daily", "--extra", "--yes", "--no-collect")
        assert done.code == 0, done.err
        assert [one.recipient for one in server.accepted].count("reader00001@readers.example") == 2
        assert len(to_ann(server)) == 3
        assert states(site)["daily"] is SubscriptionState.UNSUBSCRIBED

        sign_up(page, base, "The Test")
        subject, link = mailed(server, 4)
        assert subject == "Confirm your newsletters from The Test"
        page.goto(link)
        page.get_by_role("button", name="Confirm").click()
        assert states(site)["daily"] is SubscriptionState.ACTIVE
        assert mailed(server, 5)[0] == "Welcome to The Test"

        page.goto(f"{base}/sign-in")
        page.get_by_label("Your e-mail address").fill(ANN)
        page.get_by_role("button", name="Send me the link").click()
        page.goto(mailed(server, 6)[1])
        page.get_by_role("button", name="Sign in").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Your newsletters"
        page.get_by_role("link", name="Erase everything").click()
        page.get_by_label("Yes, erase everything about me").check()
        page.get_by_role("button", name="Erase").click()
        assert page.get_by_role("heading", level=1).inner_text() == "You are erased"
        page.goto(f"{base}/sign-in")
        assert page.get_by_role("heading", level=1).inner_text() == "Sign in", "the session ended with her"
    finally:
        page.context.close()
        running.send_signal(signal.SIGTERM)
        running.wait(30)
    with site.open() as store:
        assert store.read(subscribers.by_address, ANN) is None
    assert ANN.encode() not in b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())


def states(site: SiteFolder) -> dict[str, SubscriptionState]:
    with site.open() as store:
        found = store.read(subscribers.by_address, ANN)
        assert found is not None
        return {one.newsletter: one.state for one in store.read(subscriptions.of, found.id)}
