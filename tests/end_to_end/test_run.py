"""``newsletter run`` as a process: over a fold and a stop, beside another, and until it is told to stop."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, wait_for


@contextmanager
def stopping(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """End these processes with SIGTERM, and see them drain."""
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def occurrences_by_reader(server: SmtpServer) -> dict[str, list[str]]:
    """Each reader's occurrences in the order in which they arrived, from the Feedback-ID."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for accepted in server.accepted:
        found[accepted.recipient].append(str(accepted.message["Feedback-ID"]).partition(":")[0])
    return found


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_across_a_fold_and_a_three_hour_stop_each_turn_goes_out_once(tmp_path: Path, store_url: str) -> None:
    # Berlin, 25 October 2026: at 03:00 summer time (01:00 UTC) the clock goes back to 02:00, so 02:30 comes twice.
    with SmtpServer() as server:
        site = SiteFolder(
            tmp_path,
            store_url,
            server.port,
            zone="Europe/Berlin",
            schedule='{at: ["01:30", "02:30", "03:30"]}',
            catch_up="6h",
            compose_lead="5m",
            most=1,
            web_port=free_port(),
        )
        begins = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
        site.fill(readers=3, stories=20, seen_at=begins - timedelta(hours=1))

        def has_arrived(occurrence: str) -> bool:
            return sum(occurrence in seen for seen in occurrences_by_reader(server).values()) == 3

        with stopping(site.start_at(begins, 600, "run")):
            wait_for(lambda: has_arrived("2026-10-25-1"), "the turn before the fold")
        before = len(server.accepted)
        # 02:30 (00:30 UTC, and again at 01:30 UTC) and 03:30 (02:30 UTC) pass while nothing runs.
        with stopping(site.start_at(datetime(2026, 10, 25, 3, 5, tzinfo=UTC), 3600, "run")):
            wait_for(lambda: has_arrived("2026-10-26-3"), "the next night", 90)
        assert before == 3
        expected = {f"2026-10-{day}-{turn}" for day in (25, 26) for turn in (1, 2, 3)}
        for seen in occurrences_by_reader(server).values():
            assert set(seen) >= expected
            assert max(Counter(seen).values()) == 1
            assert seen[0] == "2026-10-25-1"


def test_a_stop_longer_than_catch_up_skips_the_turn_and_says_so(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = SiteFolder(
            tmp_path, store_url, server.port, zone="UTC", schedule='{at: "07:00"}', catch_up="1h", web_port=free_port()
        )
        site.fill(readers=1, stories=1, seen_at=datetime(2026, 11, 1, 5, 0, tzinfo=UTC))
        with stopping(site.start_at(datetime(2026, 11, 1, 6, 0, tzinfo=UTC), 1, "run")):
            wait_for(lambda: "composed" in states_of(site) or "planned" in states_of(site), "the plan")
        with stopping(site.start_at(datetime(2026, 11, 1, 9, 0, tzinfo=UTC), 1, "run")):
            wait_for(lambda: states_of(site).get("skipped"), "the skip")
        assert server.accepted == []
        assert states_of(site)["skipped"] == "missed"


def states_of(site: SiteFolder) -> dict[str, str]:
    """State -> reason of the occurrences in the store."""
    from newsletter.store import occurrences

    with site.open() as store:
        return {row.state.value: row.reason.value for row in store.read(occurrences.listing)}


def test_two_schedulers_on_one_store_send_each_turn_once(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = SiteFolder(
            tmp_path,
            store_url,
            server.port,
            zone="UTC",
            schedule="{every: 1h}",
            catch_up="6h",
            compose_lead="5m",
            most=1,
            web_port=free_port(),
        )
        begins = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
        site.fill(readers=20, stories=40, seen_at=begins - timedelta(hours=1))
        first = site.start_at(begins, 1200, "run")
        # The second has its own web address: two hosts behind one name.
        other = (tmp_path / "schedules.yaml").read_text()
        web = "web:"
        line = next(text for text in other.splitlines() if text.startswith(web))
        port = free_port()
        new = f'web: {{url: "http://127.0.0.1:{port}", listen: "127.0.0.1:{port}"}}'
        (tmp_path / "second.yaml").write_text(other.replace(line, new))
        second = site.start_at(begins, 1200, "-c", "second.yaml", "run")
        with stopping(first, second):
            wait_for(
                lambda: len({o for seen in occurrences_by_reader(server).values() for o in seen}) >= 5,
                "five turns",
                120,
            )
        finished = occurrences_by_reader(server)
        assert all(max(Counter(seen).values()) == 1 for seen in finished.values())
        whole = [o for o, number in Counter(o for seen in finished.values() for o in seen).items() if number == 20]
        assert len(whole) >= 4, "each turn but the one that was stopped reached everyone"
        articles = Counter((accepted.recipient, str(accepted.message["Subject"])) for accepted in server.accepted)
        assert max(articles.values()) == 1, "a story came twice"
