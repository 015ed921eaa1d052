"""Nobody reaches the workbench but the person who started it, and nothing in a message runs there."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.preview.bench import Bench, a_site, bench


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "media").mkdir()
    (folder / "media" / "abc.jpg").write_bytes(b"\xff\xd8picture")
    (folder / "outside.jpg").write_bytes(b"not yours")
    (folder / "media" / "abc-320.jpg").write_bytes(b"\xff\xd8small")
    (folder / "media" / "notes.txt").write_text("not a picture")
    with bench(a_site(folder)) as served:
        yield served


def _hash(page: str) -> str:
    return page.split('id="hash">')[1].split("<")[0]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}"])
def test_another_host_is_refused_even_with_the_cookie(running: Bench, host: str) -> None:
    answer = running.ask(headers={"Host": host.format(port=running.port)})
    assert answer.status == 421
    assert "daily" not in answer.body


def test_localhost_is_this_machine_too(running: Bench) -> None:
    assert running.ask(headers={"Host": f"localhost:{running.port}"}).status == 200


@pytest.mark.parametrize("path", ["/", "/?as=reader00001@readers.example", "/changes", "/in-the-mail/u/1", "/?token=x"])
def test_nothing_is_read_without_the_token_of_this_start(running: Bench, path: str) -> None:
    answer = running.ask(path, known=False)
    assert answer.status == 403
    assert "Story number" not in answer.body


def test_the_printed_address_sets_a_cookie_and_leaves_the_url(running: Bench) -> None:
    answer = running.ask(f"/?token={running.token}&view=text", known=False)
    assert answer.status == 303
    assert answer.headers["location"] == "/?view=text"
    cookie = answer.headers["set-cookie"]
    assert running.token in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_the_welcome_leads_to_no_other_site(running: Bench) -> None:
    answer = running.ask(f"//evil.example/?token={running.token}", known=False)
    assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_whatever_would_change_something_needs_the_token_in_a_header(running: Bench, method: str) -> None:
    assert running.ask(method=method).status == 403
    assert running.ask(method=method, headers={"X-Preview-Token": running.token}).status == 405


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/tests"), ("POST", "/scenarios/sixty"), ("DELETE", "/scenarios/sixty")]
)
def test_each_act_needs_the_token_of_this_start_and_host(running: Bench, method: str, path: str) -> None:
    assert running.ask(path, method=method).status == 403
    assert running.ask(path, method=method, headers={"X-Preview-Token": "guessed"}).status == 403
    own = {"X-Preview-Token": running.token, "Host": "evil.example"}
    assert running.ask(path, method=method, headers=own).status == 421
    assert running.ask(path, headers={"X-Preview-Token": running.token}).status == 405


def test_every_page_forbids_scripts_and_frames_of_others(running: Bench) -> None:
    for path in ("/", "/in-the-mail/u/1", "/?as=nobody@example.com"):
        policy = running.ask(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy


def test_the_frame_has_no_script_no_form_and_no_network(running: Bench) -> None:
    page = running.ask().body
    policy = running.ask(f"/previews/{_hash(page)}/frame").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"img-src {running.origin}/media/ data:;" in policy
    assert "script-src 'none'" in policy
    # Our origin, so that the page can measure it; never together with allow-scripts.
    sandbox = "allow-same-origin allow-popups allow-popups-to-escape-sandbox"
    assert policy.endswith(f"sandbox {sandbox}")
    assert f'sandbox="{sandbox}"' in page


def test_the_download_is_the_message_that_the_hash_is_of(running: Bench) -> None:
    shown = _hash(running.ask().body)
    answer = running.ask(f"/previews/{shown}/message.eml")
    assert answer.headers["content-type"] == "message/rfc822"
    assert 'filename="daily-' in answer.headers["content-disposition"]
    assert sha256(answer.body.encode()).hexdigest() == shown


def test_a_preview_made_too_long_ago_says_so(running: Bench) -> None:
    assert running.ask(f"/previews/{'0' * 64}/frame").status == 410


def test_pictures_come_from_the_media_folder_alone(running: Bench) -> None:
    assert running.ask("/media/abc.jpg", known=False).status == 200
    assert running.ask("/media/abc-320.jpg", known=False).status == 200
    for path in ("/media/../outside.jpg", "/media/%2e%2e%2foutside.jpg", "/media/notes.txt", "/media/none.jpg"):
        assert running.ask(path).status in (403, 404)


def test_a_reader_there_is_not_leaves_the_page_standing(running: Bench) -> None:
    page = running.ask("/?as=%3Cscript%3Ealert(1)%3C/script%3E@example.com").body
    assert "<script>alert" not in page
    assert "This cannot be shown" in page


def test_an_unknown_newsletter_and_edition_are_told_on_the_page(running: Bench) -> None:
    assert "there is no newsletter &#39;dialy&#39;" in running.ask("/?newsletter=dialy").body
    assert "has not been composed" in running.ask("/?edition=2026-01-01/1").body
    assert "is not an occurrence" in running.ask("/?edition=x%40y/z/1").body


def test_a_fault_in_the_configuration_is_shown_with_its_line_and_gone_when_mended(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    file = site.path / "schedules.yaml"
    good = file.read_text()
    with bench(site) as running:
        file.write_text(good.replace("catch_up: 2h", "catch_upp: 2h"))
        page = running.ask().body
        assert "schedules.yaml:" in page
        assert '<div class="line faulty">' in page
        assert "catch_upp: 2h" in page
        file.write_text(good)
        assert "Story number" in running.ask().body


@pytest.mark.parametrize("at", ["tomorrow", "0001-01-01T00:00", "9999-12-31T23:59", "0002-11-25T07:00"])
def test_a_time_beyond_reckoning_is_refused_in_words(running: Bench, at: str) -> None:
    for edition in ("next", "scenario:one-story"):
        answer = running.ask(f"/?newsletter=daily&edition={edition}&at={at}")
        assert answer.status == 200
        assert "is not a time of 1970 to 2100" in answer.body
