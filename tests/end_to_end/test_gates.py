"""Gates as people meet them: at the command line, and in a `run` beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.model import Occurrence, OccurrenceState
from newsletter.store import Store, gates, occurrences
from tests.builders import add_occurrence
from tests.end_to_end.test_run import states_of, stopping
from tests.support.console import Folder
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, wait_for


def a_history(store: Store, readers: int, until: date) -> None:
    """Three editions of the days before, each sent to so many readers."""
    for days in (1, 2, 3):
        day = until - timedelta(days=days)
        at = datetime(day.year, day.month, day.day, 7, tzinfo=UTC)
        made, _ = add_occurrence(store, occurrence=Occurrence(day, 1), state=OccurrenceState.SENT, due_at=at)
        row = store.read(occurrences.get, made)
        assert row is not None
        store.write(gates.passed, row, readers, {})


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # what SQL there is, other tests run on both
def test_a_run_asks_its_own_pages_holds_what_a_gate_speaks_against_and_sends_what_a_person_released(
    tmp_path: Path, store_url: str
) -> None:
    with SmtpServer() as server:
        site = SiteFolder(
            tmp_path,
            store_url,
            server.port,
            zone="UTC",
            compose_lead="1m",
            gates="{readers_least: 1}",
            web_port=free_port(),
        )
        site.fill(readers=2, stories=1, seen_at=datetime(2026, 11, 1, 5, 0, tzinfo=UTC))
        with site.open() as store:
            a_history(store, 10, date(2026, 11, 1))
        # It is to be composed, and its pages asked, as soon as it runs; twenty times as fast, it is due soon after.
        with stopping(site.start_at(datetime(2026, 11, 1, 6, 59, 10, tzinfo=UTC), 20, "run")):
            wait_for(lambda: states_of(site).get("held") == "gate", "the gate")
            shown = site.command("editions", "show", "daily@2026-11-01/1")
            assert "readers: 2 readers, 80 % fewer than the usual 10" in shown.out
            assert "web" not in shown.out.split("held by")[1], "its own pages answered"
            assert server.accepted == []
            assert site.command("editions", "release", "daily@2026-11-01/1").code == 0
            wait_for(lambda: len(server.accepted) == 2, "both readers' mail")
        assert set(server.recipients) == {"reader00001@readers.example", "reader00002@readers.example"}


def test_at_the_command_line_each_gate_is_named_and_overruled_by_its_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with SmtpServer() as server:
        folder.edit("port: 1,", f"port: {server.port},")
        folder.edit("gates: {web: false}", "gates: {stale_after: 2h}")
        folder.edit("http://127.0.0.1:8025", f"http://127.0.0.1:{free_port()}")
        published = datetime.now(UTC) - timedelta(hours=5)
        front = f"title: The dam opens\npublished_at: {published:%Y-%m-%dT%H:%M:%SZ}"
        (folder.path / "dam.md").write_text(f"---\n{front}\n---\n\nWater reached the villages by noon.\n")
        assert folder.run("articles", "add", "dam.md", "--section", "News").code == 0
        assert folder.run("subscribers", "add", "ann@readers.example", "--newsletter", "daily").code == 0
        foreseen = folder.run("send", "daily", "--dry-run")
        assert "It would be held by stale_after: the newest story will be 5 h old" in foreseen.out
        assert "`--despite web` sends it all the same" in foreseen.out
        told = folder.run("send", "daily", "--dry-run", "--json", "--despite", "web").json
        assert [one["gate"] for one in told["gates"]] == ["stale_after"]
        assert [(one["headline"], one["gives_way"]) for one in told["articles"]] == [("The dam opens", False)]
        folder.run("send", "daily", "--yes", "--despite", "wbe").refused(2, "there is no gate 'wbe'", "web")
        folder.run("send", "daily", "--test", "x@y.example", "--despite", "web").refused(2, "--test goes alone")

        folder.run("send", "daily", "--yes", "--despite", "web").refused(4, "stale_after: ", "--despite stale_after")
        [held] = folder.run("editions", "list", "--state", "held", "--json").json
        name = held["edition"]
        found = folder.run("editions", "show", name, "--json").json["gates"]
        assert ([one["gate"] for one in found["failed"]], found["overruled"]) == (["stale_after"], ["web"])
        status = folder.run("status")
        assert status.code == 1
        assert f"`newsletter editions show {name}` says what to do" in status.out + status.err
        again = folder.run("editions", "release", name, "--recheck").out
        assert "goes out despite web" in again
        folder.run("send", "daily", "--yes").refused(4, "stale_after: ")
        assert server.accepted == []
        released = folder.run("editions", "release", name)
        assert "It goes out despite stale_after, web." in released.out
        assert folder.run("send", "daily", "--yes").code == 0
        assert len(server.accepted) == 1
        acts = folder.run("editions", "show", name, "--json").json
        assert [(act["action"], act["detail"]) for act in reversed(acts["audit"])] == [
            ("overrule", "web"),
            ("release", "composed"),
            ("release", "composed, despite stale_after"),
        ]
        assert acts["gates"] == {"failed": [], "overruled": ["stale_after", "web"]}
