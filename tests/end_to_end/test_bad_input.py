"""Bad input from outside, through the command line: one clear line, a non-zero exit, and nothing half-written."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from newsletter.store import deliveries, occurrences, sources
from tests.net.publisher import Handler, answering, never_ending, publishing
from tests.support.console import Folder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A site with one story and one reader, ready to send."""
    made = Folder(tmp_path)
    (tmp_path / "dam.txt").write_text("Dam opens its gates\n\nEngineers lowered it.\n\nThe water came by noon.\n")
    assert made.run("articles", "add", "dam.txt", "--section", "News").code == 0
    assert made.run("subscribers", "add", "asha@readers.example", "--newsletter", "daily").code == 0
    return made


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def relay(folder: Folder, port: int, extra: str = "tls: none") -> None:
    folder.edit("{host: 127.0.0.1, port: 1, tls: none}", f"{{host: 127.0.0.1, port: {port}, {extra}}}")


def nothing_was_begun(folder: Folder) -> None:
    with folder.store() as store:
        assert {row.state.value for row in store.read(occurrences.listing)} <= {"planned"}
        assert store.read(deliveries.listing) == []


def test_a_relay_that_refuses_the_connection(folder: Folder) -> None:
    relay(folder, free_port())
    folder.run("send", "daily", "--yes").refused(8, "relay main", "cannot connect", "newsletter check --smtp")
    nothing_was_begun(folder)


def test_a_relay_that_refuses_the_password_which_is_not_shown(folder: Folder) -> None:
    with SmtpServer(credentials=("news", "right")) as server:
        relay(folder, server.port, 'tls: none, username: news, password: "${RELAY_PASSWORD}"')
        (folder.path / ".env").write_text("RELAY_PASSWORD=hunter22\n")
        ran = folder.run("send", "daily", "--yes")
    ran.refused(8, "refused our user name and password", "Check username and password")
    assert "hunter22" not in ran.err
    nothing_was_begun(folder)


def test_a_relay_with_a_certificate_of_another_name(folder: Folder) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(context)
    authority.cert_pem.write_to_path(folder.path / "ca.pem")
    with SmtpServer(tls=context) as server:
        relay(folder, server.port, "tls: starttls, ca_file: ca.pem")
        folder.run("send", "daily", "--yes").refused(8, "certificate is not valid for 127.0.0.1")
        assert server.accepted == []
    nothing_was_begun(folder)


def test_a_template_with_a_syntax_error(folder: Folder, server: SmtpServer) -> None:
    relay(folder, server.port)
    override(folder, "lead.html", "<tr><td>\n\n{% if %}</td></tr>")
    folder.run("send", "daily", "--yes").refused(7, "lead.html:3")
    assert server.accepted == []
    nothing_was_begun(folder)


def test_a_template_that_branches_on_a_slot(folder: Folder, server: SmtpServer) -> None:
    relay(folder, server.port)
    branch = "{% if key.plan == 'x' %}{% if slot.first_name() %}a{% endif %}{% endif %}"
    override(folder, "card.html", f"<tr>\n{branch}</tr>")
    folder.run("send", "daily", "--yes").refused(7, "card.html:2", "slot")
    assert server.accepted == []
    nothing_was_begun(folder)


def override(folder: Folder, name: str, text: str) -> None:
    path = folder.path / "templates" / "shared" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("newsletters:", "newsletters: [", ("schedules.yaml:",)),
        ("postal_address:", "postal_adress:", ("postal_adress", "postal_address")),
        ('at: "07:00"', 'cron: "61 7 * * *"', ("cron",)),
        ('at: "07:00"', 'cron: "0 7 * * 1"', ("mon",)),
        ("Asia/Kolkata", "Asia/Kolkatta", ("Asia/Kolkatta",)),
    ],
)
def test_a_file_with_a_fault(folder: Folder, old: str, new: str, words: tuple[str, ...]) -> None:
    folder.edit(old, new)
    folder.run("send", "daily", "--yes").refused(2, "schedules.yaml:", *words)


def test_a_missing_file(tmp_path: Path) -> None:
    Folder(tmp_path, initialised=False).run("send", "daily").refused(2, "schedules.yaml", "newsletter init")
    assert list(tmp_path.iterdir()) == []


def test_an_address_with_a_line_break(folder: Folder) -> None:
    ran = folder.run("subscribers", "add", "a@b.example\r\nBcc: c@d.example", "--newsletter", "daily")
    ran.refused(2, "a@b.example")
    assert "b.example" not in folder.run("subscribers", "list", "--json").out


def fifty_megabytes() -> Handler:
    return answering(200, b"<rss>" + b"x" * 50_000_000, Content_Type="application/rss+xml")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (lambda: answering(200, b"<!DOCTYPE html><title>Hello</title><p>No feed", Content_Type="text/html"), "feed"),
        (fifty_megabytes, "bytes"),
        (lambda: never_ending(), "2 s"),
        (lambda: answering(500), "500"),
    ],
    ids=["html", "50 MB", "never ends", "500"],
)
async def test_a_feed_that_is_none(folder: Folder, page: Callable[[], Any], words: str) -> None:
    async with publishing() as publisher:
        publisher.pages["/feed"] = page()
        source = f"  bad: {{feed: {publisher.url()}, allow_private: true, fetch_timeout: 2s}}\n"
        folder.edit("  inbox: {folder", f"{source}  inbox: {{folder")
        ran = await asyncio.to_thread(folder.run, "collect", "bad")
    assert ran.code == 6, ran
    assert len([line for line in ran.err.splitlines() if line]) == 1, ran
    assert "/feed: " in ran.err
    assert words in ran.err + ran.out
    with folder.store() as store:
        [row] = [row for row in store.read(sources.list_sources) if row.name == "bad"]
        assert row.failures == 1
        assert row.first_collected_at is None
