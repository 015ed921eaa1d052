"""The workbench as a person looks at it, in Chromium: choosing, panes, views, findings, keys, links."""

from __future__ import annotations

import io
import re
from hashlib import sha256

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from newsletter.preview.looks import PROFILES, Look
from tests.preview.bench import READER, Bench
from tests.preview.pages import a_page, mail, ready, view
from tests.support.waiting import wait_for

PAPER, NIGHT = "rgb(253, 253, 251)", "rgb(23, 25, 28)"


def test_it_shows_inbox_row_mail_stories_size_and_hash(page: Page, running: Bench) -> None:
    ready(page, running.url)
    assert page.url == f"{running.origin}/"
    expect(page.locator(".inbox")).to_contain_text("Story number 5 of the test")
    expect(page.locator(".stories").first.locator("li")).to_have_count(5)
    expect(page.locator("#facts")).to_contain_text("bytes of 100,000")
    assert re.fullmatch(r"[0-9a-f]{64}", page.locator("#hash").inner_text())
    expect(mail(page).get_by_role("heading", name="Story number 5 of the test")).to_be_visible()


def test_each_look_shows_what_its_client_does_and_says_how_far_it_is_to_be_believed(page: Page, running: Bench) -> None:
    every = "&".join(f"pane=375.{look}" for look in Look)
    ready(page, f"{running.url}&edition=scenario:one-story&{every}")
    for place, look in enumerate(Look):
        one = page.locator("#panes .one").nth(place)
        expect(one).to_have_attribute("aria-label", f"{PROFILES[look].title}, 375 pixels")
        expect(one.locator(".badge summary")).to_have_text(PROFILES[look].fidelity.value)
        expect(one.locator(".badge div")).to_contain_text(PROFILES[look].lacks)
    looks = list(Look)

    def colour(look: Look, selector: str, name: str) -> str:
        found = mail(page, looks.index(look)).locator(selector).first
        return str(found.evaluate(f"one => getComputedStyle(one)['{name}']"))

    assert colour(Look.LIGHT, "body", "background-color") == PAPER
    assert colour(Look.DARK, "body", "background-color") == NIGHT
    for look in (Look.LIGHT, Look.DARK, Look.FULL):
        below = page.locator("#panes .scroller").nth(looks.index(look))
        expect(below).to_have_css("background-color", colour(look, "body", "background-color"))
    for look in (Look.PARTIAL, Look.FULL):
        assert _light(colour(look, "body", "background-color")) < 60
        assert _light(colour(look, "h2.title a", "color")) > 190
        expect(mail(page, looks.index(look)).locator("img")).to_have_count(1)
    outlook, unstyled, bare = (mail(page, looks.index(one)) for one in looks[-3:])
    assert "@media" not in str(outlook.locator("head").inner_html())
    expect(unstyled.locator("style")).to_have_count(0)
    assert colour(Look.UNSTYLED, "body", "background-color") == PAPER
    expect(bare.locator("img")).to_have_count(0)
    expect(bare.locator("body")).to_contain_text("Cranes over a harbour at dusk")


def test_inversion_of_a_dark_panel_is_what_tells_partial_from_full(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&pane=375.light")
    script = """async ([how]) => {
      const { invert } = await import("/workbench/inverting.js");
      const inner = document.querySelector("#panes iframe").contentDocument;
      inner.body.innerHTML = '<div id=panel style="background:#101010;color:#fafafa">x</div>' +
        '<p id=plain style="color:#111">y</p>';
      invert(inner, how);
      const style = (id) => inner.defaultView.getComputedStyle(inner.getElementById(id));
      return [style("panel").backgroundColor, style("panel").color, style("plain").color];
    }"""
    panel, words, plain = page.evaluate(script, ["partial"])
    assert (_light(panel), _light(words)) == (16, 250)
    assert _light(plain) > 190
    panel, words, plain = page.evaluate(script, ["full"])
    assert _light(panel) > 190
    assert _light(words) < 60


def test_panes_stand_side_by_side_are_resized_freely_and_are_in_the_url(page: Page, running: Bench) -> None:
    page.set_viewport_size({"width": 1800, "height": 860})
    ready(page, running.url)
    page.get_by_role("link", name="+ Beside").click()
    expect(page.locator("#panes .one")).to_have_count(2)
    page.get_by_label("Look of pane 2").select_option(label="Dark")
    expect(mail(page, 1).locator("body")).to_have_css("background-color", NIGHT)
    expect(mail(page, 0).locator("body")).to_have_css("background-color", PAPER)
    assert page.url.endswith("pane=800.light&pane=375.dark")
    grip = page.get_by_role("separator", name="Drag to resize pane 2")
    grip.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"pane=395\.dark"))
    box = grip.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 4, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 104, box["y"] + 200, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"pane=495\.dark"))
    assert mail(page, 1).locator("body").evaluate("() => innerWidth") == 495
    expect(page.get_by_label("Pixels of pane 2")).to_have_value("495")
    page.get_by_label("Pixels of pane 2").fill("512")
    page.get_by_label("Pixels of pane 2").press("Enter")
    expect(page).to_have_url(re.compile(r"pane=512\.dark"))
    page.reload()
    expect(mail(page, 1).locator("body")).to_have_css("background-color", NIGHT)
    page.get_by_role("link", name="Close pane 1").click()
    expect(page.locator("#panes .one")).to_have_count(1)
    page.locator("#arrangement").select_option(label="Every dark")
    expect(page.locator("#panes .one")).to_have_count(4)
    page.go_back()
    expect(page.locator("#panes .one")).to_have_count(1)


VIEWS = {
    "2": ("Inbox", "Notification on a locked phone"),
    "3": ("Text", "STORY NUMBER 5"),
    "4": ("Read aloud", "heading 2, link"),
    "5": ("Headers", "List-Unsubscribe-Post says List-Unsubscribe=One-Click, once"),
    "6": ("Structure", "multipart/alternative"),
    "7": ("Source", "<!DOCTYPE html>"),
    "8": ("Inlining", "Before: as the templates render it"),
    "9": ("Difference", "Nothing to compare with"),
}


def test_every_view_is_shown_by_key_and_by_mouse(page: Page, running: Bench) -> None:
    ready(page, running.url)
    for key, (name, words) in VIEWS.items():
        page.keyboard.press(key)
        expect(view(page)).to_contain_text(words, ignore_case=True)
        expect(page.locator(".tabs a[aria-current]")).to_have_text(name)
    page.get_by_role("link", name="Structure").click()
    expect(page.locator("#raw")).to_contain_text("Content-Transfer-Encoding: quoted-printable")
    page.keyboard.press("1")
    expect(mail(page).locator("h1")).to_be_visible()
    expect(view(page)).to_be_hidden()


def test_before_inlining_the_styles_stand_in_their_block(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&view=inlining")
    before, after = (page.locator(".beside pre").nth(place).inner_text() for place in (0, 1))
    assert '<p class="standfirst">' in before
    assert ".standfirst {" in before
    assert '<p class="standfirst" style="' in after


def test_the_inbox_view_says_what_will_come_to_the_reader_chosen(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&view=inbox")
    assert page.locator(".coming").count() == 0, "nobody in particular"
    ready(page, f"{running.url}&view=inbox&as={READER}")
    expect(page.get_by_role("heading", name=f"What will come to {READER} in 7 days")).to_be_visible()
    rows = page.locator(".coming tbody tr")
    expect(rows).not_to_have_count(0)
    assert {one.split("@")[0] for one in rows.locator("td:nth-child(2)").all_inner_texts()} == {"daily"}
    assert set(rows.locator("td:nth-child(3)").all_inner_texts()) == {"yes"}


def test_the_inbox_cuts_at_real_widths(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&edition=scenario:long-headlines&view=inbox")
    for selector, width in ((".row-desk", 900), (".row-phone", 375), (".notification", 359)):
        assert page.locator(selector).evaluate("one => one.offsetWidth") == width
    cut = page.locator(".row-phone .cut")
    assert cut.evaluate("one => one.scrollWidth > one.clientWidth")
    assert page.locator(".row-phone .pre").evaluate("one => one.scrollHeight > one.clientHeight")


def test_a_spoken_line_points_at_its_element(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&view=reading")
    lines = page.locator(".say")
    expect(lines.first).to_contain_text("heading 1, link")
    expect(page.locator(".spoken .odd")).to_have_count(0)
    assert all(int(one.get_attribute("data-element") or -1) >= 0 for one in lines.all())
    lines.filter(has_text="Unsubscribe").click()
    expect(page.locator(".pointed")).to_be_visible()
    link, pointed = mail(page).get_by_role("link", name="Unsubscribe"), page.locator(".pointed")

    def at_the_link() -> bool:
        spoken_of, drawn = link.bounding_box(), pointed.bounding_box()
        return spoken_of is not None and drawn is not None and abs(spoken_of["y"] - drawn["y"]) < 4

    wait_for(at_the_link, "the outline at the link, also where it is drawn anew as the page settles", 10)


def test_readers_are_reached_by_arrows_by_search_and_by_hand(page: Page, running: Bench) -> None:
    ready(page, running.url)
    for key, reader in (
        ("ArrowRight", "reader00001@readers.example"),
        ("ArrowRight", "reader00002@readers.example"),
        ("ArrowLeft", "reader00001@readers.example"),
        ("ArrowLeft", "a reader of plan free, in en"),
    ):
        page.keyboard.press(key)
        expect(page.locator(".reader")).to_have_text(reader)
    page.keyboard.press("/")
    page.keyboard.type("00003")
    expect(page.locator("#readers option")).to_have_count(1)
    expect(page.locator("#readers option")).to_have_attribute("value", "reader00003@readers.example")
    page.get_by_label("Reader", exact=True).fill(READER)
    page.keyboard.press("Enter")
    expect(page.locator(".reader")).to_have_text(READER)
    expect(mail(page).locator("body")).to_contain_text(READER)
    ready(page, f"{running.origin}/")
    page.get_by_label("Plan").select_option("member")
    expect(page.locator(".reader")).to_have_text("a reader of plan member, in en")
    assert page.url == f"{running.origin}/?newsletter=daily&plan=member"


def test_editions_and_scenarios_are_reached_by_arrows(page: Page, running: Bench) -> None:
    ready(page, running.url)
    for key, name in (("ArrowDown", "usual-day"), ("ArrowDown", "one-story"), ("ArrowUp", "usual-day")):
        page.keyboard.press(key)
        expect(page.locator("#list h2")).to_have_text(f"Scenario: {name}")


def test_at_another_time_it_says_why_each_story_is_in_or_out(page: Page, running: Bench) -> None:
    ready(page, running.url)
    expect(page.locator("#list")).to_contain_text("due Tue 24 Nov, 07:00")
    page.keyboard.press("t")
    page.locator("#at").select_option(label="Tomorrow, this time")
    expect(page.locator("#list")).to_contain_text("due Wed 25 Nov, 07:00, seen at 2026-11-24 11:30")
    assert "at=2026-11-24T11%3A30" in page.url
    page.locator("#at").select_option("pick")
    page.keyboard.type("02012027", delay=40)  # the field has the focus, and keeps it at each digit
    expect(page.locator("#moment")).to_have_value("2027-02-01T11:30")
    assert "at=2026-11-24T11%3A30" in page.url
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"at=2027-02-01T11%3A30"))
    expect(page.locator(".fault")).to_contain_text("has no article that was not sent")
    page.locator("#at").select_option("")
    expect(page.locator(".fault")).to_have_count(0)


def test_a_finding_stands_beside_its_element_and_at_its_templates_line(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&edition=scenario:one-story&pane=800.light")
    found = page.locator("#findings .instance[data-rule=http-link]").first
    expect(found).to_contain_text("without TLS")
    expect(page.locator("#findings .share").first).to_contain_text("% of readers")
    mark = page.locator(".overlay .mark").first
    expect(mark).to_have_text(re.compile("http-link"))
    page.keyboard.press("n")
    expect(page.locator(".pointed")).to_have_count(1)
    pointed, image = page.locator(".pointed").bounding_box(), mail(page).locator("img").bounding_box()
    assert pointed is not None
    assert image is not None
    assert abs(pointed["y"] - image["y"]) < 4
    found.locator("summary").click()
    expect(found.locator(".faulty code")).to_contain_text("<img src=")
    expect(found.locator("summary")).to_contain_text("parts.html:")


def test_the_files_are_the_message_itself(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&edition=scenario:one-story&pane=375.dark")
    shown = page.locator("#hash").inner_text()

    def file(kind: str) -> bytes:
        with page.expect_download() as download:
            page.locator(f"#file-{kind}").click()
        assert download.value.suggested_filename == f"daily-one-story.{kind}"
        return download.value.path().read_bytes()

    assert sha256(file("eml")).hexdigest() == shown
    assert b"Night ferry" in file("txt")
    html = file("html").decode()
    assert 'src="data:image/jpeg;base64,' in html
    assert not re.search(r'src="http', html)
    with Image.open(io.BytesIO(file("png"))) as picture:
        assert picture.width == 375
        assert picture.height > 600
        assert picture.convert("RGB").getpixel((2, 300)) == (23, 25, 28)


def test_the_keyboard_alone_changes_looks_widths_panes_and_lists(page: Page, running: Bench) -> None:
    ready(page, running.url)
    body = mail(page).locator("body")
    page.keyboard.press("d")
    expect(body).to_have_css("background-color", NIGHT)
    page.keyboard.press("w")
    expect(page).to_have_url(re.compile(r"pane=375\.dark$"))
    page.keyboard.press("l")
    expect(page).to_have_url(re.compile(r"pane=375\.partial$"))
    page.keyboard.press("p")
    expect(page.locator("#panes .one")).to_have_count(1)
    page.keyboard.press("f")
    expect(page.locator("#list")).to_be_hidden()
    page.keyboard.press("f")
    expect(page.locator("#list")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("send me this")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("d?1")
    expect(page.get_by_label("Reader", exact=True)).to_have_value("d?1")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Reader", exact=True)).not_to_be_focused()


def test_keys_pressed_faster_than_pictures_are_drawn_all_count(page: Page, running: Bench) -> None:
    ready(page, running.url)
    for key in "dwf5":
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(r"pane=375\.dark&wide=1&view=headers$"))
    expect(page.locator("#list")).to_be_hidden()
    expect(view(page)).to_contain_text("List-Id")


def test_keys_work_while_the_mail_has_the_focus(page: Page, running: Bench) -> None:
    ready(page, running.url)
    mail(page).locator("h1").click(position={"x": 2, "y": 2}, button="middle")
    mail(page).locator("body").focus()
    mail(page).locator("a").first.focus()
    page.keyboard.press("d")
    expect(mail(page).locator("body")).to_have_css("background-color", NIGHT)


def test_a_link_opens_the_whole_choice(page: Page, running: Bench) -> None:
    query = f"newsletter=daily&as={READER}&at=2026-11-24T07:00&view=headers&pane=375.dark&wide=1"
    ready(page, f"{running.url}&{query}")
    expect(page.locator("#list")).to_be_hidden()
    expect(view(page)).to_contain_text(READER)
    page.keyboard.press("1")
    expect(mail(page).locator("body")).to_have_css("background-color", NIGHT)


def test_the_light_mail_is_light_for_a_person_who_prefers_dark(browser: Browser, running: Bench) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    ready(page, running.url)
    expect(mail(page).locator("body.page")).to_have_css("background-color", PAPER)
    context.close()


def test_our_own_links_lead_to_an_explanation_and_change_nothing(page: Page, running: Bench) -> None:
    ready(page, f"{running.url}&as={READER}")
    with page.context.expect_page() as opened:
        mail(page).get_by_role("link", name="Unsubscribe").click()
    expect(opened.value.get_by_role("heading")).to_have_text("In the mail, this link works")
    expect(opened.value.locator(".where")).to_contain_text("/u/1/daily/")


@pytest.mark.parametrize("width", [320, 800, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, running: Bench, width: int) -> None:
    with a_page(browser, width=width) as page:
        for path in ("", "&view=headers", "&view=structure", "&as=nobody@example.com", "&view=inlining"):
            ready(page, running.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def _light(colour: str) -> int:
    """The mean of red, green and blue."""
    numbers = [float(one) for one in re.findall(r"[\d.]+", colour)[:3]]
    return round(sum(numbers) / 3)
