"""Closing a store while somebody still reads."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, text

from newsletter.store import Store


def test_closing_waits_for_whoever_still_reads_in_a_thread_of_its_own(store_url: str) -> None:
    reading, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def slow(connection: Connection) -> None:
        reading.set()
        go_on.wait(10)
        connection.execute(text("SELECT 1"))
        seen.append("read")

    store = Store.open(store_url)
    thread = threading.Thread(target=store.read, args=(slow,))
    thread.start()
    assert reading.wait(10)
    closing = threading.Thread(target=store.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive(), "closed under a reader"
    go_on.set()
    thread.join(10)
    closing.join(10)
    assert (seen, closing.is_alive()) == (["read"], False)
