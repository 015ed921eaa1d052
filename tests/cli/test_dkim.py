"""dkim: keygen writes a key that `send` then signs with, and says what DNS and schedules.yaml need."""

from __future__ import annotations

import email
import email.policy
import re
import stat

import dkim

from newsletter.config.site_key import SiteKeys
from newsletter.deliver.verp import delivery_of
from tests.support.console import Folder
from tests.support.smtp_server import SmtpServer


def test_a_key_is_written_for_its_owner_alone_and_never_replaced(folder: Folder) -> None:
    made = folder.run("dkim", "keygen", "News.Example", "--type", "ed25519", "--selector", "e1", "--json").json
    assert (made["domain"], made["selector"], made["algorithm"]) == ("news.example", "e1", "ed25519-sha256")
    path = folder.path / made["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    folder.run("dkim", "keygen", "news.example", "--selector", "e1").refused(2, "there is a key already", "--selector")
    assert path.read_bytes() == before
    assert "/dkim/" in (folder.path / ".gitignore").read_text()


def test_wrong_words_are_refused_in_one_line(folder: Folder) -> None:
    folder.run("dkim", "keygen", "news").refused(2, "news")
    folder.run("dkim", "keygen", "news.example", "--type", "dsa").refused(2, "dsa")
    folder.run("dkim", "keygen", "news.example", "--selector", "a b").refused(2, "a b")
    folder.run("dkim", "show").refused(3, "keygen")


def test_check_names_the_line_of_a_key_that_is_not_there_and_the_file_of_a_broken_one(folder: Folder) -> None:
    folder.edit("plans:\n", "dkim: {news.example: {keys: [{selector: r1, key: dkim/r1.pem}]}}\nplans:\n")
    checked = folder.run("check")
    assert checked.code == 2
    assert re.search(r"schedules\.yaml:\d+: there is no file dkim/r1\.pem.*keygen news\.example", checked.err), checked
    (folder.path / "dkim").mkdir()
    (folder.path / "dkim" / "r1.pem").write_text("nothing")
    checked = folder.run("check")
    assert "r1.pem: this is not a private key" in checked.err, checked
    assert "other users can read this file" in checked.err


def test_what_is_sent_carries_each_keys_signature_and_an_envelope_sender_of_its_own(folder: Folder) -> None:
    records: dict[str, str] = {}
    lines = []
    for kind in ("rsa", "ed25519"):
        made = folder.run("dkim", "keygen", "news.example", "--type", kind, "--json").json
        records[made["name"] + "."] = made["record"]
        lines.append(f"{{selector: {made['selector']}, key: {made['file']}}}")
    folder.edit("plans:\n", f"dkim: {{news.example: {{keys: [{', '.join(lines)}]}}}}\nplans:\n")
    shown = folder.run("dkim", "show", "news.example", "--json").json
    assert {one["name"] + ".": one["record"] for one in shown} == records
    (folder.path / "inbox" / "dam.md").write_text("---\nheadline: Dam opens\nsection: News\n---\nIt rained.\n")
    folder.run("subscribers", "add", "asha@readers.example", "-n", "daily")
    with SmtpServer() as server:
        folder.edit("port: 1,", f"port: {server.port}, envelope_sender: bounces@news.example, verp: true,")
        sent = folder.run("send", "daily", "--yes")
        assert sent.code == 0, sent
        (message,) = server.accepted
    assert delivery_of(message.sender, SiteKeys.load(folder.path / "site.key")) == 1
    parsed = email.message_from_bytes(message.content, policy=email.policy.SMTP)
    signatures = parsed.get_all("DKIM-Signature", [])
    assert len(signatures) == 2

    def dns(name: bytes, timeout: int = 5) -> bytes:
        return records[name.decode()].encode()

    for index in (0, 1):
        assert dkim.DKIM(message.content).verify(idx=index, dnsfunc=dns)
        assert "list-unsubscribe-post" in str(signatures[index]).lower()
