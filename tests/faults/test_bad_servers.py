"""Mail servers that break off, hang, refuse and lie, in the middle of an edition: real processes, real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.faults.verdicts import Fault
from tests.support.run_at import FINAL_DOT
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted, SmtpServer

CONNECTIONS = 4
_WAITED = timedelta(minutes=3)  # longer than a first deferral


def every(number: int, times: int) -> Callable[[], bool]:
    """True at each ``number``th call, so often."""
    calls, left = [0], [times]

    def due() -> bool:
        calls[0] += 1
        if calls[0] % number or not left[0]:
            return False
        left[0] -= 1
        return True

    return due


@dataclass(frozen=True, slots=True)
class BadServer:
    """A server that does something bad, for a while: ``spoil`` makes it so."""

    case: str
    spoil: Callable[[SmtpServer], None]
    server: dict[str, Any] = field(default_factory=dict)
    site: dict[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    final_dot: str = ""  # seconds to wait for its answer to a final dot, where ten minutes are too long for a test

    def __str__(self) -> str:
        return self.case.replace(" ", "-")


def cuts_bodies(server: SmtpServer) -> None:
    server.cuts_body = every(17, 6)


def takes_and_drops(server: SmtpServer) -> None:
    due = every(13, 5)

    def take(accepted: Accepted) -> str | None:
        if not due():
            return "usual"
        server.accepted.append(accepted)
        return None

    server.on_body = take


def drops_untaken(server: SmtpServer) -> None:
    due = every(13, 5)
    server.on_body = lambda _accepted: None if due() else "usual"


def answering(verb: str, said: str | bytes | None, number: int, times: int) -> Callable[[SmtpServer], None]:
    """Says this instead of the usual answer to a verb now and then."""

    def spoil(server: SmtpServer) -> None:
        due = every(number, times)
        server.answer = lambda heard, _argument: said if heard == verb and due() else "usual"

    return spoil


def hanging(verb: str, number: int, times: int) -> Callable[[SmtpServer], None]:
    """Now and then reads this verb and does nothing any more."""

    def spoil(server: SmtpServer) -> None:
        due = every(number, times)

        async def answer(heard: str, _argument: str) -> str:
            if heard == verb and due():
                await asyncio.Event().wait()
            return "usual"

        server.answer = answer

    return spoil


def hanging_at_the_dot(server: SmtpServer) -> None:
    """Now and then takes a message whole and says nothing to its final dot."""
    due = every(13, 2)

    async def hang(_accepted: Accepted) -> str:
        if due():
            await asyncio.Event().wait()
        return "usual"

    server.on_body = hang


def hanging_at_rset(server: SmtpServer) -> None:
    """Refuses some readers, and now and then does nothing when the next transaction begins."""
    hanging("RSET", 2, 2)(server)
    hang = server.answer

    def answer(verb: str, argument: str) -> Any:
        if verb == "RCPT" and any(one in argument for one in REFUSED):
            return "550 5.1.1 no such user"
        return hang(verb, argument)

    server.answer = answer


def half_a_reply(server: SmtpServer) -> None:
    due = every(19, 4)
    server.on_body = lambda _accepted: b"250 2.0" if due() else "usual"


def full_from_45_to_68(server: SmtpServer) -> None:
    heard = [0]

    def answer(verb: str, _argument: str) -> str:
        if verb != "RCPT":
            return "usual"
        heard[0] += 1
        return "452 4.3.1 insufficient system storage" if 45 <= heard[0] <= 68 else "usual"

    server.answer = answer


def refuses_one_of_two(server: SmtpServer) -> None:
    server.answer = lambda verb, argument: (
        "550 5.1.1 no such user" if verb == "RCPT" and any(one in argument for one in REFUSED) else "usual"
    )


def nothing(_server: SmtpServer) -> None:
    """It is bad by how it was made."""


REFUSED = tuple(f"reader{number:05d}@readers.example" for number in range(3, 60, 9))
HANGS = {"site": {"timeout": "1s"}}
STARTTLS = {"tls": "starttls", "relay": "ca_file: ca.pem"}
SIGNS_IN = 'username: news, password: "${RELAY_PASSWORD}"'
CREDENTIALS = ("news", "secret")
SERVERS = [
    BadServer("drops in the middle of a body", cuts_bodies),
    BadServer("drops after the final dot, message taken", takes_and_drops),
    BadServer("drops after the final dot, message not taken", drops_untaken),
    BadServer("421 on connect", answering("CONNECT", "421 4.3.2 too many connections", 2, 3)),
    BadServer("421 at MAIL", answering("MAIL", "421 4.7.0 slow down", 23, 3)),
    *(
        BadServer(f"hangs at {verb}", hanging(verb, number, 2), **HANGS)  # type: ignore[arg-type]
        for verb, number in (("CONNECT", 2), ("EHLO", 2), ("MAIL", 30), ("RCPT", 30), ("DATA", 30))
    ),
    BadServer("hangs at STARTTLS", hanging("STARTTLS", 2, 2), site=HANGS["site"] | STARTTLS),
    BadServer(
        "hangs at AUTH",
        hanging("AUTH", 2, 2),
        server={"credentials": CREDENTIALS},
        site=HANGS["site"] | {"relay": SIGNS_IN},
    ),
    BadServer("hangs at RSET", hanging_at_rset, refused=REFUSED, **HANGS),  # type: ignore[arg-type]
    BadServer("hangs at QUIT", hanging("QUIT", 2, 2), site=HANGS["site"] | {"relay": "messages_per_connection: 10"}),
    BadServer("hangs at the final dot", hanging_at_the_dot, final_dot="2", **HANGS),  # type: ignore[arg-type]
    *(
        BadServer(f"leaves out the reply to {verb}", answering(verb, "", 30, 2), **HANGS)  # type: ignore[arg-type]
        for verb in ("MAIL", "RCPT", "DATA")
    ),
    BadServer("half a reply to the final dot", half_a_reply),
    BadServer("half a reply to MAIL", answering("MAIL", b"25", 21, 3)),
    BadServer("replies byte by byte", nothing, server={"bytewise": True}),
    BadServer("refuses one of a pipelined pair", refuses_one_of_two, refused=REFUSED),
    BadServer("452 from message 45 to 68", full_from_45_to_68),
    BadServer("no PIPELINING, drops after the final dot", takes_and_drops, server={"extensions": ("8BITMIME",)}),
]
IN_MAKE_TEST = {
    ("drops in the middle of a body", "sqlite"),
    ("drops after the final dot, message taken", "postgresql"),
    ("leaves out the reply to RCPT", "sqlite"),
    ("half a reply to the final dot", "sqlite"),
    ("hangs at the final dot", "postgresql"),
    ("452 from message 45 to 68", "postgresql"),
}


def run(bad: BadServer, path: Path, store_url: str, readers: int) -> str:
    """Send through it until the process ends by itself, then once more when what was deferred is due."""
    tls = context(authority_in(path).issue_cert("127.0.0.1")) if "tls" in bad.site else None
    with SmtpServer(tls=tls, **bad.server) as server:
        bad.spoil(server)
        site = SiteFolder(path, store_url, server.port, connections=CONNECTIONS, **bad.site)
        knows_its_password(path)
        if bad.final_dot:
            (path / FINAL_DOT).write_text(bad.final_dot)
        site.fill(readers=readers)
        fault = Fault(bad.case, store_url.partition(":")[0], readers, CONNECTIONS, bad.refused)
        to_the_end(site)
        return fault.row(site, server)


def to_the_end(site: SiteFolder) -> None:
    """``send`` ends by itself; the same command later, when what was deferred is due, does the rest."""
    for late in range(4):
        if late and not waiting(site):
            return
        process = site.start_at(datetime.now(UTC) + late * _WAITED, 1.0, "send", "daily", "--yes", "--no-collect")
        ended = process.wait(120)
        assert ended in (0, 3, 8, 9), site.log  # 3: there was nothing left to send
    if not waiting(site):
        return
    raise AssertionError(f"{waiting(site)} still wait\n{site.log[-3000:]}")


def waiting(site: SiteFolder) -> int:
    listed = site.command("deliveries", "list", "--json", "--limit", "100000").json
    return sum(one["state"] in ("queued", "sending") for one in listed)


@pytest.mark.parametrize(
    ("bad", "store_url"),
    [(bad, store) for bad in SERVERS for store in ("sqlite", "postgresql") if (bad.case, store) in IN_MAKE_TEST],
    indirect=["store_url"],
    ids=str,
)
def test_a_bad_server_costs_nobody_her_mail(
    bad: BadServer, tmp_path: Path, store_url: str, table: Callable[[str], None]
) -> None:
    table(run(bad, tmp_path, store_url, readers=120))


@pytest.mark.soak
@pytest.mark.parametrize("bad", SERVERS, ids=str)
def test_every_bad_server_at_full_size(
    bad: BadServer, tmp_path: Path, store_url: str, table: Callable[[str], None]
) -> None:
    table(run(bad, tmp_path, store_url, readers=2000))


# --- TLS ---


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def knows_its_password(path: Path) -> None:
    (path / ".env").write_text(f"RELAY_PASSWORD={CREDENTIALS[1]}\n")


def authority_in(path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(path / "ca.pem")
    return authority


@pytest.mark.fault
@pytest.mark.parametrize(
    ("wrong", "store_url"),
    [
        ("certificate expired", "sqlite"),
        ("certificate of another name", "postgresql"),
        ("data after STARTTLS in clear", "sqlite"),
    ],
    indirect=["store_url"],
)
def test_a_server_that_cannot_be_trusted_gets_nothing_until_it_can(
    wrong: str, tmp_path: Path, store_url: str, table: Callable[[str], None]
) -> None:
    authority = authority_in(tmp_path)
    good = context(authority.issue_cert("127.0.0.1"))
    bad = {
        "certificate expired": context(
            authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))
        ),
        "certificate of another name": context(authority.issue_cert("mx.elsewhere.example")),
    }.get(wrong, good)
    readers = 12
    settings = {"tls": "starttls", "relay": f"ca_file: ca.pem, {SIGNS_IN}"}
    knows_its_password(tmp_path)
    with SmtpServer(tls=bad) as server:
        if bad is good:  # it offers no AUTH; who is in the middle does
            injected = "220 2.0.0 go ahead\r\n250-mx.test\r\n250 AUTH PLAIN\r\n250 2.1.0 ok"
            server.answer = lambda verb, _argument: injected if verb == "STARTTLS" else "usual"
        site = SiteFolder(tmp_path, store_url, server.port, connections=2, **settings)
        site.fill(readers=readers)
        fault = Fault(wrong, store_url.partition(":")[0], readers, 2)
        refused = site.command("send", "daily", "--yes", "--no-collect")
        assert refused.code != 0
        assert server.accepted == []
        assert "AUTH" not in server.verbs, "what was said in clear, or to a stranger, is never believed"
        if bad is not good:
            assert len([line for line in refused.err.splitlines() if "certificate" in line.lower()]) == 1
            assert "Traceback" not in refused.err
    with SmtpServer(tls=good, credentials=CREDENTIALS) as server:
        SiteFolder(tmp_path, store_url, server.port, connections=2, **settings)
        to_the_end(site)
        table(fault.row(site, server))


@pytest.mark.fault
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_a_server_offers_only_before_tls_is_not_used_after_it(
    tmp_path: Path, store_url: str, table: Callable[[str], None]
) -> None:
    authority = authority_in(tmp_path)
    certificate = context(authority.issue_cert("127.0.0.1"))
    with SmtpServer(tls=certificate, extensions_after_tls=("8BITMIME",)) as server:
        site = SiteFolder(tmp_path, store_url, server.port, connections=1, tls="starttls", relay="ca_file: ca.pem")
        site.fill(readers=12)
        fault = Fault("capabilities change after STARTTLS", store_url.partition(":")[0], 12, 1)
        to_the_end(site)
        assert server.verbs.count("STARTTLS") == server.connections
        assert server.early == [], "it pipelined, which was offered only before TLS"
        table(fault.row(site, server))
