"""A reader lives a while among others, and is erased by her own link: whoever searches for her then finds nothing.

The relay quotes her address in its replies, she is imported and renamed, she and those around her change their choices.
Then every file of the store, the log and a backup are searched, byte by byte, in every encoding that a mail, a URL or a
log could have.
"""

from __future__ import annotations

import base64
import quopri
import re
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, text

from newsletter.members.links import Links
from newsletter.model import DeliveryState
from newsletter.store import Store, deliveries_of, subscribers, tables
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, listens, wait_for

NAME, FAMILY, DOMAIN = "Quendrisa", "Oyelaran-Vuković", "bücher-und-blüten.example"
ADDRESS = f"quendrisa.oyelaran+leser@{DOMAIN}"
STORED = f"quendrisa.oyelaran+leser@{DOMAIN.encode('idna').decode()}"
OTHERS = 400


def traces() -> dict[str, re.Pattern[bytes]]:
    """Her name and address in each encoding, as patterns of which none may be found."""
    found: dict[str, bytes] = {}
    for what, plain in (
        ("address", ADDRESS),
        ("stored address", STORED),
        ("local part", "quendrisa"),
        ("name", FAMILY),
    ):
        for form in (plain, plain.upper(), plain.lower()):
            data = form.encode()
            found[f"{what} {form}"] = data
            found[f"{what} {form} in quoted-printable"] = quopri.encodestring(data)
            found[f"{what} {form} as a header"] = quopri.encodestring(data, header=True)
            found[f"{what} {form} in percents"] = urllib.parse.quote(form, safe="").encode()
            found[f"{what} {form} in a form"] = urllib.parse.quote_plus(form).encode()
            found[f"{what} {form} in hexadecimal"] = data.hex().encode()
            found[f"{what} {form} in UTF-16"] = form.encode("utf-16-le")
            found[f"{what} {form} as JSON"] = form.encode("unicode_escape")
            for shift in range(3):  # base64 of it, wherever it begins in what was encoded
                shifted = base64.b64encode(b"\0" * shift + data)
                found[f"{what} {form} in base64, {shift}"] = shifted[(0, 2, 3)[shift] : -4]
    found["domain"] = DOMAIN.encode("idna")
    return {name: re.compile(re.escape(value)) for name, value in found.items()}


def searched(content: bytes, where: str) -> Iterator[str]:
    for name, pattern in TRACES.items():
        if pattern.search(content):
            yield f"{name} is in {where}"


TRACES = traces()


def test_after_an_erasure_nobody_finds_her(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:

        def quoting(verb: str, argument: str) -> str:
            return (
                f"550 5.1.1 {argument[3:]} is unknown here" if verb == "RCPT" and "quendrisa" in argument else "usual"
            )

        server.answer = quoting
        site = SiteFolder(tmp_path / "site", store_url, server.port, web_port=free_port())
        site.fill(readers=OTHERS // 2)
        _import(site, FAMILY, "daily")
        with site.open() as store:
            _live(store, site)
            link, number = _link(store, site)
        web = site.start("web")
        try:
            wait_for(lambda: listens(site.web_port), "the web pages")
            _post(f"{link}/pause")
            _post(f"{link}/resume")
            sent = site.command("send", "daily", "--yes", "--no-collect")
            assert "1 failed" in sent.out + sent.err, sent
            with site.open() as store:
                rows = store.read(deliveries_of.reader, number)
                assert [(row.state, STORED in row.reply) for row in rows] == [(DeliveryState.FAILED, True)]
                everything = b"".join(_files(site)) if store.is_sqlite else store.read(_rows).encode()
            assert len(list(searched(everything, "the store"))) > 3  # she is there, and the search would find her

            assert "You are erased" in _post(f"{link}/erase", b"sure=yes")

            with site.open() as store:
                assert list(searched(store.read(_rows).encode(), "the tables")) == []
                if store.is_sqlite:
                    assert list(searched(b"".join(_files(site)), "the database's files")) == []
        finally:
            web.send_signal(signal.SIGTERM)
            web.wait(20)
    assert list(searched(site.log.encode(), "the log")) == []
    if store_url.startswith("sqlite"):
        assert site.command("store", "backup", "copy.db").code == 0
        assert list(searched((site.path / "copy.db").read_bytes(), "a backup")) == []
    else:
        _search_postgresql(store_url)
    again = site.command("subscribers", "add", ADDRESS, "-n", "daily")
    assert again.code == 3
    assert "suppressed (all)" in again.err


def _import(site: SiteFolder, family: str, newsletters: str) -> None:
    file = site.path / "people.csv"
    file.write_text(f"address,first_name,last_name,newsletters\n{ADDRESS},{NAME},{family},{newsletters}\n")
    assert site.command("subscribers", "import", file.name).code == 0
    file.unlink()


def _live(store: Store, site: SiteFolder) -> None:
    """Rows before and after hers come and grow, so that pages split and her row moves; she is renamed and back."""
    from tests.builders import add_subscribers

    add_subscribers(store, OTHERS // 2, first=1000)
    for family in ("x", FAMILY * 4, FAMILY):
        _import(site, family, "daily")
        grow = tables.subscribers.update().where(tables.subscribers.c.id % 3 == len(family) % 3)
        store.write(lambda connection, grow=grow: connection.execute(grow.values(last_name="Rao" * 40)))  # type: ignore[misc]
    store.write(lambda connection: connection.execute(tables.subscribers.update().values(timezone="Asia/Kolkata")))
    if not store.is_sqlite:
        store.write(lambda connection: connection.execute(text("ANALYZE")))


def _link(store: Store, site: SiteFolder) -> tuple[str, int]:
    person = store.read(subscribers.by_address, STORED)
    assert person is not None
    return Links(f"http://127.0.0.1:{site.web_port}").preferences(person.id, person.secret), person.id


def _post(url: str, body: bytes = b"") -> str:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=20) as response:
        page: str = response.read().decode()
        return page


def _files(site: SiteFolder) -> Iterator[bytes]:
    for path in (site.path.parent).glob("newsletter.db*"):
        yield path.read_bytes()


def _rows(connection: Connection) -> str:
    """Every row of every table, and on PostgreSQL what the planner knows of their values."""
    listed = [f'SELECT * FROM "{table.name}"' for table in tables.metadata.sorted_tables]
    if connection.dialect.name == "postgresql":
        listed.append("SELECT * FROM pg_stats WHERE schemaname = 'public'")
    return "\n".join(str(tuple(row)) for one in listed for row in connection.execute(text(one)))


def _search_postgresql(url: str) -> None:
    """After the VACUUM FULL that docs/privacy.md names, her rows are in no file of this database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        connection.execute("CHECKPOINT")
        row = connection.execute(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    files = [path for path in Path(row[0]).iterdir() if path.is_file()]
    assert len(files) > 100
    for path in files:
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # a file of before, deleted by the checkpoint
            continue
        assert list(searched(content, path.name)) == []


@pytest.mark.parametrize("form", [ADDRESS, STORED, f"Quendrisa {FAMILY}"])
def test_the_search_finds_what_is_hidden_in_a_mail(form: str) -> None:
    hidden = base64.b64encode(f"To: {form}, and more words".encode())
    assert list(searched(hidden, "it"))
    assert list(searched(quopri.encodestring(f"Dear {form},".encode()), "it"))
