"""The workbench as a person uses it, in Chromium."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from newsletter.store import tables
from tests.preview.bench import READER, Bench, a_site, bench
from tests.support.browser import browser as started

HOSTILE = """<tr><td><h2 id="story">Hostile</h2>
<script>parent.document.title = document.body.id = "taken"</script>
<img src="/media/none.jpg" onerror="document.body.id = 'taken'">
<a id="js" href="javascript:document.body.id='taken'">x</a>
<form id="form" action="/"><button id="send">x</button></form>
<img id="far" src="http://127.0.0.1:{tracker}/p.gif">
<iframe src="http://127.0.0.1:{tracker}/"></iframe>
<link rel="preconnect" href="http://127.0.0.1:{tracker}/">
<meta http-equiv="refresh" content="0;url=http://127.0.0.1:{tracker}/">
</td></tr>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    yield opened
    context.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Bench]:
    with bench(a_site(tmp_path)) as served:
        yield served


def override(folder: Path, name: str, text: str) -> Path:
    file = folder / "templates" / "daily" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_it_shows_inbox_row_mail_stories_size_and_hash(page: Page, running: Bench) -> None:
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(running.url)
    assert page.url == f"{running.origin}/"
    expect(page.locator(".inbox")).to_contain_text("Story number 3 of the test")
    expect(page.locator(".stories").first.locator("li")).to_have_count(3)
    expect(page.locator(".facts")).to_contain_text("bytes of 100,000")
    assert re.fullmatch(r"[0-9a-f]{64}", page.locator("#hash").inner_text())
    expect(page.frame_locator("iframe").get_by_role("heading", name="Story number 3 of the test")).to_be_visible()
    assert faults == []


def test_phone_desktop_light_and_dark_show_in_the_frame_and_in_the_url(page: Page, running: Bench) -> None:
    page.goto(running.url)
    body = page.frame_locator("iframe").locator("body.page")
    expect(body).to_have_css("background-color", "rgb(253, 253, 251)")
    assert page.frames[1].evaluate("innerWidth") == 800
    page.get_by_role("link", name="Phone").click()
    page.keyboard.press("d")
    expect(body).to_have_css("background-color", "rgb(23, 25, 28)")
    assert page.frames[1].evaluate("innerWidth") == 375
    assert page.url.endswith("/?width=phone&scheme=dark")
    page.reload()
    expect(body).to_have_css("background-color", "rgb(23, 25, 28)")
    assert page.frames[1].evaluate("innerWidth") == 375


def test_the_light_mail_is_light_for_a_person_who_prefers_dark(browser: Browser, running: Bench) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(running.url)
    expect(page.frame_locator("iframe").locator("body.page")).to_have_css("background-color", "rgb(253, 253, 251)")
    context.close()


def test_tabs_show_every_part_by_mouse_and_by_key(page: Page, running: Bench) -> None:
    page.goto(running.url)
    page.get_by_role("tab", name="Text").click()
    expect(page.locator("#view-text")).to_contain_text("STORY NUMBER 3", ignore_case=True)
    page.keyboard.press("3")
    expect(page.locator("#view-headers")).to_contain_text("List-Unsubscribe-Post")
    page.keyboard.press("5")
    expect(page.locator("#view-message")).to_contain_text("Content-Transfer-Encoding: quoted-printable")
    expect(page.locator("#view-headers")).to_be_hidden()
    page.get_by_role("tab", name="Message").press("ArrowRight")
    expect(page.locator("#view-html")).to_be_visible()


def test_a_reader_is_chosen_by_address_or_by_key(page: Page, running: Bench) -> None:
    page.goto(running.url)
    page.get_by_label("Reader", exact=True).fill(READER)
    page.keyboard.press("Enter")
    expect(page.locator(".reader")).to_have_text(READER)
    expect(page.frame_locator("iframe").locator("body")).to_contain_text(READER)
    page.goto(f"{running.origin}/")
    page.get_by_label("Plan").select_option("member")
    expect(page.locator(".reader")).to_have_text("a reader of plan member, in en")
    assert page.url == f"{running.origin}/?newsletter=daily&plan=member"


def test_our_own_links_lead_to_an_explanation_and_change_nothing(page: Page, running: Bench) -> None:
    page.goto(f"{running.url}&as={READER}")
    with page.context.expect_page() as opened:
        page.frame_locator("iframe").get_by_role("link", name="Unsubscribe").click()
    expect(opened.value.get_by_role("heading")).to_have_text("In the mail, this link works")
    expect(opened.value.locator(".where")).to_contain_text("/u/1/daily/")


def test_a_hostile_message_runs_nothing_and_asks_nobody(page: Page, tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as tracker, bench(site) as running:
        override(tmp_path, "lead.html", HOSTILE.replace("{tracker}", str(tracker.getsockname()[1])))
        tracker.setblocking(False)
        page.goto(running.url)
        frame = page.frame_locator("iframe").first
        expect(frame.locator("#story")).to_be_visible()
        frame.locator("#js").click()
        frame.locator("#send").click()
        expect(page).to_have_title(re.compile("Preview$"))
        assert frame.locator("body").get_attribute("id") is None
        assert page.frames[1].url.startswith(f"{running.origin}/previews/")
        assert page.frames[1].evaluate("origin") == "null"
        expect(page.locator(".facts")).to_contain_text("on another server")
        with pytest.raises(BlockingIOError):
            tracker.accept()  # nobody came


def test_a_template_error_is_shown_in_place_and_goes_when_it_is_mended(page: Page, tmp_path: Path) -> None:
    site = a_site(tmp_path)
    override(tmp_path, "card.html", "<tr><td>{{ story.headline }}</td></tr>\n")
    with bench(site) as running:
        page.goto(running.url)
        expect(page.frame_locator("iframe").locator("body")).to_contain_text("Story number 1")
        file = override(tmp_path, "card.html", "<tr><td>\n{% iff story.headline %}\n</td></tr>\n")
        expect(page.locator(".fault .where")).to_have_text(f"{file}:2")
        expect(page.locator(".faulty")).to_contain_text("{% iff story.headline %}")
        override(tmp_path, "card.html", "<tr><td>Mended: {{ story.headline }}</td></tr>\n")
        expect(page.frame_locator("iframe").locator("body")).to_contain_text("Mended: Story number 1")


def test_an_empty_store_explains_the_next_step(page: Page, tmp_path: Path) -> None:
    with bench(a_site(tmp_path, stories=0, readers=0)) as running:
        page.goto(running.url)
        expect(page.get_by_role("alert")).to_contain_text("Collect first")


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_nothing_is_wider_than_the_window(page: Page, running: Bench, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("", "&view=headers", "&view=message", "&as=nobody@example.com"):
        page.goto(running.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_headline_of_markup_stays_text_on_the_page(page: Page, tmp_path: Path) -> None:
    site = a_site(tmp_path, stories=1)
    headline = "<img src=x onerror=document.title=1> & more"
    with site.open() as store:
        store.write(lambda connection: connection.execute(update(tables.articles).values(headline=headline)))
    with bench(site) as running:
        page.goto(running.url)
        expect(page.locator(".stories .headline")).to_have_text(headline)
        expect(page.locator(".inbox strong")).to_have_text(headline)
