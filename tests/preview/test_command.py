"""``newsletter preview`` as it is typed: right after ``init``, into files, as a page; every bad input one line."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest
from PIL import Image

from newsletter.cli import main
from tests.builders import NOW
from tests.preview.bench import READER, a_site
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import wait_for

AT = ("--now", NOW.isoformat())


def test_it_works_right_after_init_and_collect_without_readers_or_relay(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "newsletter", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert run("init").returncode == 0
    nothing = run("preview", "daily", "--out", "a.eml")
    assert nothing.returncode == 3
    assert nothing.stderr.count("\n") == 1
    assert not (tmp_path / "a.eml").exists()
    (tmp_path / "inbox" / "story.md").write_text("# A bridge opens\n\nIt was built in two years.\n")
    assert run("collect").returncode == 0
    made = run("preview", "daily", "--out", "a.eml")
    assert made.returncode == 0, made.stderr
    assert "A bridge opens" in made.stdout
    assert "web is not configured" in made.stderr
    assert sha256((tmp_path / "a.eml").read_bytes()).hexdigest() in made.stdout


def test_each_kind_of_file_holds_its_part_and_json_the_facts(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    made = site.command(*AT, "preview", "daily", "--as", READER, "--out", "a.eml", "--json")
    facts = made.json
    content = (tmp_path / "a.eml").read_bytes()
    assert facts["sha256"] == sha256(content).hexdigest()
    assert facts["edition"] == "daily@2026-11-24/1"
    assert facts["sent"] is False
    message = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert message["To"] == READER
    assert message["Subject"] == facts["subject"]
    site.command(*AT, "preview", "daily", "--as", READER, "--out", "a.txt")
    site.command(*AT, "preview", "daily", "--as", READER, "--out", "a.html")
    assert "Story number 3" in (tmp_path / "a.txt").read_text()
    html = (tmp_path / "a.html").read_bytes()
    assert html.startswith(b"<!DOCTYPE html")
    assert len(html) == facts["html_bytes"]
    assert sorted(file.name for file in tmp_path.glob("*a.*")) == ["a.eml", "a.html", "a.txt"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("dialy",), 2, "Did you mean 'daily'?"),
        (("daily", "--out", "a.pdf"), 2, "--out"),
        (("daily", "--out", "no/such/folder/a.eml"), 2, "--out: there is no folder 'no/such/folder'"),
        (("daily", "--screenshot", "no/a.png"), 2, "--screenshot: there is no folder 'no'"),
        (("daily", "--dark"), 2, "--dark: it is of a screenshot"),
        (("daily", "--out", "a.html", "--width", "375"), 2, "--width: it is of a screenshot"),
        (("daily", "--out", "a.html", "--open"), 2, "--open: it is of the page"),
        (("daily", "--as", "stranger@readers.example"), 2, "is not a subscriber"),
        (("daily", "--as", "a@b.example\r\nBcc: c@d.example"), 2, "one line"),
        (("daily", "--key", "colour=red"), 2, "a reader has no 'colour'"),
        (("daily", "--key", "plan=gold", "--as", READER), 2, "exclude each other"),
        (("daily", "--key", "format=pdf"), 2, "no format 'pdf'"),
        (("daily", "--key", "format=text", "--out", "a.html"), 2, "plain text alone"),
        (("daily", "--edition", "2026-01-01/1"), 2, "has not been composed"),
        (("daily", "--edition", "yesterday"), 2, "is not an occurrence"),
        (("daily", "--edition", "scenario:sixti"), 2, "Did you mean 'sixty'?"),
        (("daily", "--edition", "scenario:../site"), 2, "is no name of a scenario"),
        (("daily", "--screenshot", "a.jpg"), 2, "does not end in .png"),
        (("daily", "--screenshot", "a.png", "--profile", "outlok"), 2, "Did you mean 'outlook'?"),
        (("daily", "--screenshot", "a.png", "--profile", "full", "--dark"), 2, "exclude each other"),
        (("daily", "--key", "format=text", "--screenshot", "a.png"), 2, "plain text alone"),
        (("daily", "--watch"), 2, "no file to write again"),
    ],
)
def test_a_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    a_site(tmp_path)
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    out = () if {"--out", "--screenshot", "--watch"} & {*arguments} else ("--json",)
    monkeypatch.setattr(sys, "argv", ["newsletter", *AT, "preview", *arguments, *out])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == code
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_a_screenshot_has_the_width_and_the_look_that_was_asked_for(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    sample = ("preview", "daily", "--edition", "scenario:one-story")
    made = site.command(*AT, *sample, "--screenshot", "a.png", "--width", "375", "--dark", "--out", "a.html")
    assert made.code == 0, made.err
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 375
        assert picture.convert("RGB").getpixel((2, 300)) == (23, 25, 28)
    assert b"data:image/jpeg;base64," in (tmp_path / "a.html").read_bytes()


def test_watching_writes_again_after_each_save_and_tells_what_cannot_be_made(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    (tmp_path / "templates" / "daily").mkdir(parents=True)
    card, out = tmp_path / "templates" / "daily" / "card.html", tmp_path / "a.html"
    process = site.start(*AT, "preview", "daily", "--out", "a.html", "--watch")
    try:
        wait_for(lambda: "Each save" in site.log or process.poll() is not None, "the first file")
        card.write_text("<tr><td>Changed</td></tr>")
        wait_for(lambda: "Changed" in out.read_text(), "the changed file")
        card.write_text("<tr><td>{{ nothing }}</td></tr>")
        wait_for(lambda: "card.html:1: 'nothing' is undefined" in site.log, "the fault")
        assert "Changed" in out.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in site.log


def test_the_hash_on_the_page_is_that_of_the_bytes_on_the_wire(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, readers=2, port=str(server.port))
        process = site.start(*AT, "preview", "daily", "--as", READER)
        try:
            wait_for(lambda: "Ctrl-C" in site.log or process.poll() is not None, "the address")
            address = re.search(r"(http://127\.0\.0\.1:\d+/)\?token=(\S+?)&(\S+)", site.log)
            assert address, site.log
            opened = build_opener(HTTPCookieProcessor()).open(address[0])
            shown = re.search(r'id="hash">([0-9a-f]{64})<', opened.read().decode())
        finally:
            process.terminate()
            process.wait(20)
        assert shown is not None
        assert site.command(*AT, "send", "daily", "--yes", "--no-collect").code == 0
        [wire] = [one.content for one in server.accepted if one.recipient == READER]
    assert sha256(wire).hexdigest() == shown[1]


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    site.command("store", "migrate")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.eml").write_text("the old one")
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", *AT, "preview", "daily", "--out", "out/a.eml"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode != 0
    assert [file.name for file in out.iterdir()] == ["a.eml"]
    assert (out / "a.eml").read_text() == "the old one"


def test_it_prints_where_to_look_and_ends_when_it_is_told(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    process = site.start(*AT, "preview", "daily")
    try:
        wait_for(lambda: "Ctrl-C" in site.log or process.poll() is not None, "the address")
        url = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", site.log)
        assert url, site.log
        with pytest.raises(OSError, match="403"):
            urlopen(url[0].split("?")[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in site.log


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    site: SiteFolder = a_site(tmp_path)
    first = site.start(*AT, "preview", "daily")
    try:
        wait_for(lambda: "Ctrl-C" in site.log or first.poll() is not None, "the address")
        found = re.search(r"127\.0\.0\.1:(\d+)", site.log)
        assert found, site.log
        second = site.command(*AT, "preview", "daily", "--port", found[1])
        assert second.code == 2
        assert "cannot be used" in second.err
    finally:
        first.terminate()
        first.wait(20)
