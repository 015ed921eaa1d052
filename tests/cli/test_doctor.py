"""doctor: a domain that is set up right passes every check; each fault is named with its fix."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.console import Folder
from tests.support.dns_server import DnsServer
from tests.support.smtp_server import SmtpServer


@pytest.fixture
def relay(folder: Folder) -> Iterator[SmtpServer]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder.path / "ca.pem"))
    with SmtpServer(tls=context) as server:
        folder.edit("port: 1, tls: none", f"port: {server.port}, tls: starttls, ca_file: ca.pem")
        yield server


def test_a_domain_is_examined_with_its_keys_relay_and_link(folder: Folder, relay: SmtpServer) -> None:
    made = folder.run("dkim", "keygen", "news.example", "--json").json
    key = f"{{selector: {made['selector']}, key: {made['file']}}}"
    folder.edit("plans:\n", f"dkim: {{news.example: {{keys: [{key}]}}}}\nplans:\n")
    folder.edit('web: {url: "http://127.0.0.1:8025"}', 'web: {url: "https://mail.news.example"}')
    record = made["record"]
    zone = {
        ("news.example", "MX"): ["10 in.news.example."],
        ("news.example", "TXT"): ['"v=spf1 ip4:198.51.100.0/24 -all"'],
        ("_dmarc.news.example", "TXT"): ['"v=DMARC1; p=reject; rua=mailto:d@news.example"'],
        (made["name"], "TXT"): [f'"{record[:200]}" "{record[200:]}"'],
    }
    with DnsServer(zone) as server:
        ran = folder.run("doctor", "news.example", "--nameserver", server.address, "--json")
        health = {one["check"]: one["health"] for one in ran.json["checks"]}
        assert (ran.code, ran.json["ok"]) == (0, True)
        assert health == {
            "MX of news.example": "pass",
            "DMARC of news.example": "pass",
            "alignment of news.example": "pass",
            f"DKIM {made['name']}": "pass",
            "SPF of news.example": "warning",  # the relay of this test has no public address
            "names of relay main": "warning",
            "TLS of relay main": "pass",
            "one-click unsubscribe": "pass",
        }
        assert "pass" in folder.run("doctor", "News.Example", "--nameserver", server.address).out


def test_faults_are_named_with_their_fix(folder: Folder, relay: SmtpServer, tmp_path: Path) -> None:
    with DnsServer({("other.example", "A"): ["198.51.100.1"]}) as server:
        ran = folder.run("doctor", "news.example", "--nameserver", server.address, "--json")
    assert ran.code == 1
    failing = {one["check"]: one["fix"] for one in ran.json["checks"] if one["health"] == "fail"}
    assert failing.keys() == {
        "MX of news.example",
        "DMARC of news.example",
        "SPF of news.example",
        "one-click unsubscribe",
    }
    assert all(failing.values())


def test_a_relay_whose_certificate_is_anothers_is_named(folder: Folder) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with SmtpServer(tls=context) as smtp, DnsServer({}) as server:
        folder.edit("port: 1, tls: none", f"port: {smtp.port}, tls: starttls")
        ran = folder.run("doctor", "news.example", "--nameserver", server.address, "--json")
    (tls,) = [one for one in ran.json["checks"] if one["check"] == "TLS of relay main"]
    assert tls["health"] == "fail"
    assert "certificate" in tls["says"]


def test_wrong_words_are_refused_in_one_line(folder: Folder) -> None:
    folder.run("doctor", "news").refused(2, "news")
    folder.run("doctor", "news.example", "--nameserver", "dns").refused(2, "name server")
