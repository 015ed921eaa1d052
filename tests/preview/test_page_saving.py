"""The workbench while somebody works: live reload, faults in place, scenarios edited, tests sent, hostile articles."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from newsletter.store import tables
from tests.builders import NOW
from tests.preview.bench import READER, Bench, a_site, bench
from tests.preview.pages import mail, override, ready, view
from tests.support.ledger import dump
from tests.support.smtp_server import SmtpServer

CARD = "<tr><td>{{ story.headline }}</td></tr>\n"
HOSTILE = """<tr><td><h2 id="story">Hostile</h2>
<script>parent.document.title = document.body.id = "taken"</script>
<img src="/media/none.jpg" onerror="document.body.id = 'taken'">
<svg onload="parent.document.title='taken'"></svg>
<a id="js" href="javascript:parent.document.title='taken'">x</a>
<a id="top" href="https://news.example/" target="_top">x</a>
<form id="form" action="/"><button id="send">x</button></form>
<img id="far" src="http://127.0.0.1:{tracker}/p.gif">
<iframe src="http://127.0.0.1:{tracker}/"></iframe>
<link rel="preconnect" href="http://127.0.0.1:{tracker}/">
<meta http-equiv="refresh" content="0;url=http://127.0.0.1:{tracker}/">
<p data-n="1" style="background:url(http://127.0.0.1:{tracker}/b.gif)">y</p>
</td></tr>
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Bench]:
    with bench(a_site(tmp_path, readers=1, stories=5)) as served:
        yield served


def test_a_save_shows_at_once_and_keeps_scroll_panes_and_focus(page: Page, running: Bench, tmp_path: Path) -> None:
    override(tmp_path, "card.html", CARD * 20)
    ready(page, f"{running.url}&pane=375.light&pane=375.dark")
    scroller = page.locator(".scroller").first
    scroller.evaluate("one => { one.scrollTop = 200 }")
    page.locator("#look-1").focus()
    before = page.locator("#hash").inner_text()
    page.evaluate("document.body.dataset.same = 'yes'")
    override(tmp_path, "card.html", CARD * 20 + "<tr><td>A new line</td></tr>")
    for place in (0, 1):
        expect(mail(page, place).locator("body")).to_contain_text("A new line")
    expect(page.locator("#hash")).not_to_have_text(before)
    assert scroller.evaluate("one => one.scrollTop") == 200
    expect(page.locator("#look-1")).to_be_focused()
    assert page.evaluate("document.body.dataset.same") == "yes", "the page itself was loaded again"


def test_every_kind_of_file_shows_when_it_is_saved(page: Page, running: Bench, tmp_path: Path) -> None:
    ready(page, f"{running.url}&edition=scenario:one-story&pane=375.light")
    kicker = mail(page).locator(".kicker").first
    settings = tmp_path / "schedules.yaml"
    site = 'site: {name: The Test, theme: {accent: "#0b5d4b"},'
    settings.write_text(settings.read_text().replace("site: {name: The Test,", site))
    expect(kicker).to_have_css("color", "rgb(11, 93, 75)")
    partial = tmp_path / "templates" / "shared" / "masthead.html"
    partial.parent.mkdir(parents=True)  # templates/ itself is new
    partial.write_text("<h1>My own masthead</h1>")
    expect(mail(page).locator("h1")).to_have_text("My own masthead")
    previews = tmp_path / "previews"
    previews.mkdir()
    (previews / "pier.png").write_bytes(_png(400, 300))
    (previews / "one-story.yaml").write_text("title: A\nstories: [{headline: Mine, picture: {file: pier.png}}]\n")
    picture = mail(page).locator("img")
    expect(picture).to_have_attribute("height", "444")
    (previews / "pier.png").write_bytes(_png(400, 400))
    expect(picture).to_have_attribute("height", "592")


def test_a_template_error_is_shown_in_place_over_the_last_good_and_goes_when_it_is_mended(
    page: Page, running: Bench, tmp_path: Path
) -> None:
    override(tmp_path, "card.html", CARD)
    ready(page, running.url)
    file = override(tmp_path, "card.html", "<tr><td>\n{% iff story.headline %}\n</td></tr>\n")
    expect(page.locator(".fault .where")).to_have_text(f"{file}:2")
    expect(page.locator(".fault .faulty")).to_contain_text("{% iff story.headline %}")
    expect(mail(page).locator("body")).to_contain_text("Story number 4")
    expect(page.locator(".sheet")).to_have_css("opacity", "0.35")
    expect(page.locator("#facts")).to_contain_text("The bytes of the last that worked")
    expect(page.locator("#facts")).not_to_contain_text("Send me this")
    page.reload()
    expect(page.locator(".fault .where")).to_have_text(f"{file}:2")
    expect(mail(page).locator("body")).to_contain_text("Story number 4")
    override(tmp_path, "card.html", "<tr><td>Mended: {{ story.headline }}</td></tr>\n")
    expect(mail(page).locator("body")).to_contain_text("Mended: Story number 4")
    expect(page.locator(".fault")).to_have_count(0)
    expect(page.locator(".sheet")).to_have_css("opacity", "1")


def test_a_finding_of_an_own_template_names_its_line(page: Page, running: Bench, tmp_path: Path) -> None:
    file = override(
        tmp_path,
        "card.html",
        '<tr><td>{{ story.headline }}\n<img src="https://news.example/a.jpg" width="9"></td></tr>',
    )
    ready(page, running.url)
    found = page.locator("#findings .error .instance[data-rule=alt]").first
    expect(found.locator("summary")).to_have_text(f"{file}:2")
    expect(page.locator(".mark.error").first).to_have_text(re.compile("alt"))
    expect(page.locator("#findings li").first).to_contain_text("error · alt")


def test_the_line_where_gmail_clips_is_drawn_and_names_the_stories_below(
    page: Page, running: Bench, tmp_path: Path
) -> None:
    settings = tmp_path / "schedules.yaml"
    settings.write_text(settings.read_text().replace("in_doubt", "size_budget: 1000000\n    in_doubt", 1))
    override(
        tmp_path, "card.html", "<tr><td><a href='{{ story.url }}'>{{ story.headline }}</a>" + "x" * 1500 + "</td></tr>"
    )
    override(
        tmp_path, "brief.html", '<tr><td><a href="{{ story.url }}">{{ story.headline }}</a>' + "x" * 3000 + "</td></tr>"
    )
    ready(page, f"{running.url}&edition=scenario:sixty&pane=375.light")
    expect(page.locator("#ruler .wrong")).to_have_text(
        re.compile(r"Gmail hides \d+ stories and the unsubscribe link\.")
    )
    line = page.locator(".cut-line")
    expect(line).to_have_text(re.compile(r"Gmail clips here: \d+ stories below, unsubscribe lost"))
    page.get_by_text("Below the line").click()
    below = page.locator(".below li")
    assert below.count() == int(re.findall(r"\d+", line.inner_text())[0])
    last = mail(page).get_by_text(below.last.inner_text()).bounding_box()
    # In one go: the marks are laid anew when the findings come.
    drawn = float(page.evaluate("document.querySelector('.cut-line').getBoundingClientRect().top"))
    assert last is not None
    assert drawn < last["y"]


def test_a_scenario_is_edited_in_the_page_and_put_back(page: Page, running: Bench, tmp_path: Path) -> None:
    ready(page, f"{running.url}&edition=scenario:one-story")
    page.keyboard.press("e")
    text = page.get_by_label("YAML", exact=True)
    expect(text).to_have_value(re.compile("Night ferry"))
    text.fill("title: Mine\nstories:\n  - headlin: A bridge\n")
    page.keyboard.press("Control+s")
    expect(page.locator("#scenario-fault")).to_contain_text("previews/one-story.yaml:3")
    assert text.evaluate("one => one.value.slice(one.selectionStart, one.selectionEnd)") == "  - headlin: A bridge"
    assert not (tmp_path / "previews").exists()
    text.fill("title: Mine\nstories:\n  - headline: A bridge opens\n")
    page.get_by_role("button", name="Save").click()
    expect(mail(page).locator("body")).to_contain_text("A bridge opens")
    assert (tmp_path / "previews" / "one-story.yaml").read_text().startswith("title: Mine")
    expect(page.locator("#edition option:checked")).to_have_text("Mine (yours)")
    page.get_by_label("Saved as previews/").fill("bridge")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#list h2")).to_have_text("Scenario: bridge")
    ready(page, f"{running.origin}/?edition=scenario:one-story&view=scenario")
    page.get_by_role("button", name="Put back what was shipped").click()
    expect(mail(page).locator("body")).to_contain_text("Night ferry")
    assert [file.name for file in (tmp_path / "previews").iterdir()] == ["bridge.yaml"]


def test_send_me_this_mails_what_is_shown_to_allowed_addresses_alone(page: Page, tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, readers=1, stories=5, port=str(server.port))
        settings = tmp_path / "schedules.yaml"
        with bench(site) as running:
            ready(page, f"{running.url}&as={READER}")
            expect(page.locator("#facts")).to_contain_text("Name who may get tests under test_recipients")
            settings.write_text("test_recipients: [desk@news.example]\n" + settings.read_text())
            button = page.locator("#test").get_by_role("button", name="Send")
            assert button.evaluate("one => one.scrollHeight <= one.clientHeight"), "its word is broken"
            button.click()
            expect(page.locator("#test-said")).to_have_text(re.compile("Sent to desk@news.example"))
            [sent] = server.accepted
            assert sent.recipient == "desk@news.example"
            own = running.ask(f"/previews/{page.locator('#hash').inner_text()}/message.eml").body
            unsubscribe = re.search(r"List-Unsubscribe: <([^>]+)>", own)
            assert unsubscribe is not None
            assert unsubscribe[1].encode() not in sent.content.replace(b"\r\n ", b" ")
            assert b"Subject: Story number 5 of the test" in sent.content
            refused = page.evaluate(
                """async ([sha256, address]) => {
                  const token = document.querySelector("meta[name=preview-token]").content;
                  const headers = {"X-Preview-Token": token, "Content-Type": "application/json"};
                  const body = JSON.stringify({sha256, address});
                  const answer = await fetch("/tests", {method: "POST", headers, body});
                  return [answer.status, (await answer.json()).words];
                }""",
                [page.locator("#hash").inner_text(), READER],
            )
            assert refused[0] == 422
            assert "not among those who get tests" in refused[1]
            assert len(server.accepted) == 1
        with site.open() as store:
            assert "desk@news.example" not in str(store.read(dump))


def test_a_hostile_message_runs_nothing_and_asks_nobody(page: Page, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tracker, bench(a_site(tmp_path)) as running:
        override(tmp_path, "lead.html", HOSTILE.replace("{tracker}", str(tracker.getsockname()[1])))
        tracker.setblocking(False)
        looks = ("light", "dark", "partial", "full", "outlook", "unstyled", "no-pictures")
        ready(page, f"{running.url}&" + "&".join(f"pane=375.{look}" for look in looks))
        for place in range(len(looks)):
            frame = mail(page, place)
            expect(frame.locator("#story")).to_be_attached()
            frame.locator("#js").evaluate("one => one.click()")
            frame.locator("#send").evaluate("one => one.click()")
            frame.locator("#top").evaluate("one => one.click()")
            assert frame.locator("body").get_attribute("id") is None
        for number in range(2, 10):
            page.keyboard.press(str(number))
            expect(view(page)).not_to_be_empty()
        expect(page).to_have_title(re.compile("Preview$"))
        assert page.url.startswith(running.origin)
        expect(page.locator("#notices")).to_contain_text("on another server")
        with pytest.raises(BlockingIOError):
            tracker.accept()  # nobody came


def test_a_headline_of_markup_stays_text_everywhere(page: Page, tmp_path: Path) -> None:
    site = a_site(tmp_path, stories=1)
    headline = "<img src=x onerror=document.title=1> & more"
    with site.open() as store:
        store.write(lambda connection: connection.execute(update(tables.articles).values(headline=headline)))
    with bench(site) as running:
        ready(page, running.url)
        expect(page.locator(".stories .headline")).to_have_text(headline)
        expect(page.locator(".inbox strong")).to_have_text(headline)
        for key in "23456789":
            page.keyboard.press(key)
            expect(view(page)).not_to_be_empty()
            expect(view(page).locator("img")).to_have_count(0)


def test_an_empty_store_explains_the_next_step(page: Page, tmp_path: Path) -> None:
    with bench(a_site(tmp_path, stories=0, readers=0)) as running:
        ready(page, running.url)
        expect(page.get_by_role("alert")).to_contain_text("Collect first")
        page.get_by_role("link", name="Look at sample stories meanwhile").click()
        expect(mail(page).locator("body")).to_contain_text("Night ferry")


def test_after_a_send_the_difference_to_the_last_edition_is_shown(page: Page, tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, readers=1, stories=3, port=str(server.port))
        assert site.command("--now", NOW.isoformat(), "send", "daily", "--yes", "--no-collect").code == 0
        wire = sha256(server.accepted[0].content).hexdigest()
    with site.open() as store:
        site.add_stories(store, [4, 5], NOW)
    with bench(site) as running:
        ready(page, f"{running.url}&as={READER}&view=difference")
        expect(view(page).locator("h2")).to_have_text("Since daily@2026-11-24/1")
        expect(view(page)).to_contain_text("Only before")
        expect(view(page).locator(".plus").first).to_be_visible()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#hash")).to_have_text(wire)


def _png(width: int, height: int) -> bytes:
    import io

    from PIL import Image

    written = io.BytesIO()
    Image.new("RGB", (width, height), "#345").save(written, "PNG")
    return written.getvalue()
