"""How fast deliveries leave the ledger, every result durably recorded, against what else can fill a mail server.

``python -m benchmarks.delivery [--json] [--keep DIR] [--messages N] [--rounds N] [--readers N] [--only PART …]``

Parts: ``rates`` (ours from either store, smtp-source, a bare event loop, aiosmtplib, a naive sender; against smtp-sink
and a discard server; rounds alternate, medians are compared), ``distance`` (with 40 ms of round trip, against the same
without PIPELINING), ``audience`` (fan-out to a million readers beside another writer, and the first message of a real
``newsletter send``). Nothing is kept from one run to the next.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import delivery_audience, delivery_distance
from benchmarks.delivery_contenders import Round, aiosmtplib_loop, bare_loop, jinja_loop, ours
from benchmarks.delivery_servers import DiscardServer, SmtpSink, apart, smtp_source
from benchmarks.delivery_site import Site, fill, queue, sample
from newsletter.deliver.copies import parts_of
from newsletter.deliver.dkim import SigningKey, new_key
from newsletter.store import Store
from tests.support.postgresql import PostgreSQL

CONNECTIONS = 10
PARTS = ("rates", "distance", "audience")
# The slow ones send fewer; their rates do not depend on how many.
_FEWER = 10
Rounds = dict[str, list[Round]]


def main() -> None:
    """Parse the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", action="store_true", help="print the figures as JSON; the rounds go to stderr")
    arguments.add_argument("--keep", type=Path, help="leave the store and 500 received messages in this folder")
    arguments.add_argument("--messages", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--readers", type=int, default=1_000_000, help="for fan-out and the first message")
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    chosen = arguments.parse_args()
    results: dict[str, Any] = {}
    if "rates" in chosen.only:
        results |= rates(chosen.messages, chosen.rounds, chosen.keep)
    if "distance" in chosen.only:
        results |= delivery_distance.measure(CONNECTIONS, say)
    if "audience" in chosen.only:
        results |= delivery_audience.measure(chosen.readers, say)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        for key, value in results.items():
            print(f"{key:32} {value}")


def say(text: str) -> None:
    """One line of raw results, as it comes."""
    print(text, file=sys.stderr, flush=True)


def rates(messages: int, rounds: int, keep: Path | None) -> dict[str, Any]:
    """All contenders in turn, ``rounds`` times."""
    found: defaultdict[str, list[Round]] = defaultdict(list)
    postgresql = PostgreSQL(durable=True)
    try:
        with tempfile.TemporaryDirectory() as folder, SmtpSink() as sink, DiscardServer() as discard:
            prepared = Site(Path(folder) / "prepared", f"sqlite:///{folder}/prepared/n.db")
            size, html = _prepare(prepared, messages)
            template = _prepare_postgresql(postgresql, Path(folder) / "postgresql", messages)
            say(f"{messages} messages of {size} bytes")
            for number in range(rounds):
                for name, server in (("sink", sink), ("discard", discard)):
                    turn = Path(folder) / f"{name}-{number}"
                    site = prepared.copied_to(turn)
                    site.configure(server.port, connections=CONNECTIONS)
                    of_postgresql = Site(turn / "pg", _copy(postgresql, template, f"{name}_{number}"))
                    of_postgresql.configure(server.port, connections=CONNECTIONS)
                    source = smtp_source(server.port, messages, size, CONNECTIONS)
                    _note(found, f"smtp_source/{name}", Round(source, 0.0, 0.0), server)
                    _note(found, f"sqlite/{name}", apart(ours, site.folder, site.store_url, messages), server)
                    _note(
                        found,
                        f"postgresql/{name}",
                        apart(ours, of_postgresql.folder, of_postgresql.store_url, messages),
                        server,
                    )
                    if name == "discard":
                        for kind in ("ed25519", "rsa"):
                            signing = prepared.copied_to(turn / kind)
                            signing.configure(server.port, connections=CONNECTIONS)
                            signing.sign_with(kind)
                            signed = apart(ours, signing.folder, signing.store_url, messages)
                            _note(found, f"sqlite_{kind}/{name}", signed, server)
                    for fast in (False, True):
                        bare = apart(bare_loop, server.port, messages, size, CONNECTIONS, fast)
                        _note(found, f"bare_{'uvloop' if fast else 'asyncio'}/{name}", bare, server)
                fewer = max(messages // _FEWER, 1)
                _note(
                    found, "aiosmtplib/discard", apart(aiosmtplib_loop, discard.port, fewer, size, CONNECTIONS), discard
                )
                _note(found, "jinja/discard", apart(jinja_loop, discard.port, fewer // 4, html, CONNECTIONS), discard)
            if keep is not None:
                _keep(prepared, keep)
    finally:
        postgresql.stop()
    return _compared(found) | {"messages": messages, "message_bytes": size} | _one_core(found)


def _prepare(site: Site, messages: int) -> tuple[int, str]:
    """Fill and queue; the mean size of a message, and the HTML of one."""
    site.configure(25)
    configuration = site.configuration()
    with Store.open(configuration.store_url) as store:
        fill(store, messages)
        assert queue(configuration, store) == messages
        some = list(sample(configuration, store, 200))
    return round(statistics.mean(map(len, some))), parts_of(some[0])[0]


def _prepare_postgresql(server: PostgreSQL, folder: Path, messages: int) -> str:
    """A filled and queued database to copy; its name. Its statistics are those of an empty one, as at a first send."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE prepared")
    site = Site(folder, f"{server.url.rpartition('/')[0]}/prepared")
    site.configure(25)
    configuration = site.configuration()
    with Store.open(configuration.store_url) as store:
        fill(store, messages)
        assert queue(configuration, store) == messages
    return "prepared"


def _copy(server: PostgreSQL, template: str, name: str) -> str:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        connection.execute("CHECKPOINT")
    return f"{server.url.rpartition('/')[0]}/{name}"


def _note(found: Rounds, name: str, measured: Round, server: SmtpSink | DiscardServer) -> None:
    found[name].append(measured)
    received, size = server.counts()
    came = f"the server saw {received} messages, {size} bytes" if received else f"the server saw {size} bytes"
    figures = f"{measured.rate:9.0f}/s  {measured.cpu_us:7.1f} us CPU  {measured.rss_mb:6.1f} MB"
    say(f"{name:24} {figures}   {came}")


def _compared(found: Rounds) -> dict[str, Any]:
    def rate(name: str) -> float:
        return statistics.median(one.rate for one in found[name])

    def cpu(name: str) -> float:
        return statistics.median(one.cpu_us for one in found[name])

    return {
        "sqlite_over_smtp_source": round(rate("sqlite/sink") / rate("smtp_source/sink"), 2),
        "postgresql_over_smtp_source": round(rate("postgresql/sink") / rate("smtp_source/sink"), 2),
        "sqlite_over_smtp_source_discard": round(rate("sqlite/discard") / rate("smtp_source/discard"), 2),
        "smtp_source_discard_over_sink": round(rate("smtp_source/discard") / rate("smtp_source/sink"), 2),
        "cpu_over_bare_loop": round(cpu("sqlite/sink") / cpu("bare_asyncio/sink"), 2),
        "cpu_over_bare_uvloop": round(cpu("sqlite/sink") / cpu("bare_uvloop/sink"), 2),
        "ed25519_over_unsigned": round(rate("sqlite_ed25519/discard") / rate("sqlite/discard"), 2),
        "rsa_over_unsigned": round(rate("sqlite_rsa/discard") / rate("sqlite/discard"), 2),
        "sqlite_over_aiosmtplib": round(rate("sqlite/discard") / rate("aiosmtplib/discard"), 2),
        "sqlite_over_jinja": round(rate("sqlite/discard") / rate("jinja/discard"), 2),
        "peak_rss_mb": round(max(one.rss_mb for name in ("sqlite/sink", "sqlite/discard") for one in found[name])),
        "medians": {name: {"per_second": round(rate(name)), "cpu_us": round(cpu(name), 1)} for name in sorted(found)},
    }


def _one_core(found: Rounds) -> dict[str, Any]:
    """Our rate with RSA-2048 over the signatures that one core makes a second."""
    key = SigningKey("news.example", "bench", new_key("rsa"))
    data, began, number = b"x" * 800, time.process_time(), 0
    while time.process_time() - began < 2.0:
        key.sign(data)
        number += 1
    one_core = number / (time.process_time() - began)
    rate = statistics.median(one.rate for one in found["sqlite_rsa/discard"])
    return {"rsa_over_one_core": round(rate / one_core, 2), "rsa_signatures_per_second": round(one_core)}


def _keep(prepared: Site, folder: Path) -> None:
    """Leave a store with its first 500 deliveries sent, and what was received."""
    from tests.support.smtp_server import SmtpServer

    with SmtpServer() as server:
        site = prepared.copied_to(folder / "site")
        site.configure(server.port, connections=CONNECTIONS)
        with Store.open(site.store_url) as store:
            store.write(lambda connection: connection.exec_driver_sql("DELETE FROM deliveries WHERE id > 500").rowcount)
        ours(site.folder, site.store_url, 500)
        for number, accepted in enumerate(server.accepted, 1):
            (folder / f"{number:03d}.eml").write_bytes(accepted.content)


if __name__ == "__main__":
    main()
