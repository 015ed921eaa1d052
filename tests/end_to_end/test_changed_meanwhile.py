"""What a reader changes between composing and sending, or while an edition is being sent (docs/preferences.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, select, update

from newsletter.config.reading import load
from newsletter.model import DeliveryState, OccurrenceState
from newsletter.schedule.explaining import why
from newsletter.store import Store, occurrences, tables
from newsletter.store.subscriptions import encode_sections
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, wait_for

READERS = 90  # on one connection: the last are claimed long after the first body
PLANS = "plans: {free: [free], member: [free, members]}\n"


def address(number: int) -> str:
    return f"reader{number:05d}@readers.example"


def of_subscription(number: int, **values: object) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        hers = select(tables.subscribers.c.id).where(tables.subscribers.c.address == address(number))
        connection.execute(
            update(tables.subscriptions)
            .where(tables.subscriptions.c.subscriber_id.in_(hers.scalar_subquery()))
            .values(**values)
        )

    return work


def become_a_member(connection: Connection, number: int) -> None:
    connection.execute(
        update(tables.subscribers).where(tables.subscribers.c.address == address(number)).values(plan="member")
    )


def come(site: SiteFolder, who: str) -> None:
    added = site.command("subscribers", "add", who, "-n", "daily")
    assert added.code == 0, added.err


def ledger(store: Store) -> dict[str, tuple[str, str, str, str]]:
    """By address: state, reason, rendered key, format."""
    rows = store.read(
        lambda connection: connection.execute(
            select(tables.subscribers.c.address, tables.deliveries).join(
                tables.deliveries, tables.deliveries.c.subscriber_id == tables.subscribers.c.id
            )
        ).all()
    )
    return {row.address: (row.state, row.reason, row.rendered_key, row.format) for row in rows}


def test_what_readers_change_in_the_middle_of_a_send_counts_from_where_the_rules_say(
    tmp_path: Path, store_url: str
) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port, connections=1)
        file = tmp_path / "schedules.yaml"
        file.write_text(PLANS + file.read_text())
        site.fill(readers=READERS)
        changed: list[datetime] = []

        def change(verb: str, _argument: str) -> str:
            """At the first recipient, every row has been made and only the first group is on its way."""
            if not changed and verb == "RCPT":
                changed.append(datetime.now(UTC))
                with site.open() as store:
                    later = datetime.now(UTC) + timedelta(days=1)
                    store.write(of_subscription(READERS, paused_until=later))
                    store.write(of_subscription(READERS - 1, format="text"))
                    store.write(of_subscription(READERS - 2, sections=encode_sections(["National"])))
                    store.write(become_a_member, READERS - 3)
                come(site, "late@readers.example")
            return "usual"

        server.answer = change
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        with site.open() as store:
            rows = ledger(store)
            name = next(row.name for row in store.read(occurrences.listing) if row.by_hand)
            said = why(load(file, {}), store, "late@readers.example", name, datetime.now(UTC))
        assert changed
        got = set(server.recipients)
        assert rows[address(READERS)][:2] == ("skipped", "paused")
        assert got == {address(number) for number in range(1, READERS)}, "the newcomer has the next one"
        assert "after the deliveries of" in said.sentence
        assert rows[address(READERS - 1)][3] == "html", "from the next edition on"
        assert rows[address(READERS - 2)][0] == "sent"
        assert rows[address(READERS - 3)][2] == "en/member", "a plan counts at once"
        assert rows[address(1)][2] == "en/free"


def test_who_subscribes_after_it_was_composed_gets_it(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        seven = datetime.now(UTC).replace(hour=1, minute=30, second=0, microsecond=0) + timedelta(days=1)
        site = SiteFolder(tmp_path, store_url, server.port, web_port=free_port())
        site.fill(readers=1, seen_at=seven - timedelta(hours=1))
        composing = site.start_at(seven - timedelta(minutes=31), 60, "run")
        state = OccurrenceState.APPROVED

        def composed() -> bool:
            with site.open() as store:
                return any(row.state is state for row in store.read(occurrences.listing, newsletter="daily"))

        wait_for(composed, "the edition", 60)
        composing.terminate()
        assert composing.wait(30) == 0, site.log
        come(site, "late@readers.example")
        with site.open() as store:
            store.write(of_subscription(1, format="text"))
        sending = site.start_at(seven - timedelta(seconds=3), 1, "run")
        wait_for(lambda: len(server.accepted) == 2, "both mails", 60)
        sending.terminate()
        assert sending.wait(30) == 0, site.log
        assert sorted(server.recipients) == ["late@readers.example", address(1)]
        hers = next(one.message for one in server.accepted if one.recipient == address(1))
        assert hers.get_content_type() == "text/plain", "chosen after it was composed, before its rows were made"
        with site.open() as store:
            assert {state for state, *_ in ledger(store).values()} == {DeliveryState.SENT}
