"""init, check, schema: an empty folder becomes one that can be trusted, and every fault has its line."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.support.console import Folder
from tests.support.smtp_server import SmtpServer


def port_without_listener() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_empty_folder_becomes_one_that_check_accepts(tmp_path: Path) -> None:
    folder = Folder(tmp_path, initialised=False)
    begun = folder.run("init", "paper", "--json")
    assert begun.code == 0, begun
    assert {"paper/schedules.yaml", "paper/site.key", "paper/.env.example"} <= set(begun.json["written"])
    checked = folder.run("--config", "paper/schedules.yaml", "check")
    assert checked.code == 0, checked
    assert "1 newsletter" in checked.out
    assert not (tmp_path / "paper/newsletter.db").exists()


def test_init_leaves_everything_that_is_there_alone(folder: Folder) -> None:
    key = (folder.path / "site.key").read_bytes()
    (folder.path / "schedules.yaml").write_text("# mine\n")
    again = folder.run("init")
    assert again.code == 0
    assert "kept  schedules.yaml" in again.out
    assert (folder.path / "schedules.yaml").read_text() == "# mine\n"
    assert (folder.path / "site.key").read_bytes() == key


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    Folder(tmp_path, initialised=False).run("check").refused(2, "schedules.yaml", "no such file", "newsletter init")
    assert list(tmp_path.iterdir()) == []


def test_a_syntax_error_is_one_line_with_its_place(folder: Folder) -> None:
    folder.edit("timezone: Asia/Kolkata", "timezone: [Asia/Kolkata")
    folder.run("check").refused(2, "schedules.yaml:")


def test_each_fault_has_its_own_line(folder: Folder) -> None:
    folder.edit("timezone: Asia/Kolkata", "timezone: Asia/Kolkatta")
    folder.edit("catch_up:", "catchup:")
    folder.edit('schedule: {at: "07:00"}', 'schedule: {cron: "0 7 * * 1"}')
    found = folder.run("check")
    assert found.code == 2
    lines = found.err.splitlines()
    assert len(lines) == 3, found
    assert all(line.startswith("schedules.yaml:") for line in lines)
    assert any("catch_up" in line for line in lines)
    as_json = folder.run("check", "--json")
    assert as_json.code == 2
    assert as_json.err == ""
    assert [fault["where"] for fault in as_json.json["faults"]] == [":".join(line.split(":")[:2]) for line in lines]


def test_a_template_that_branches_on_a_slot_is_one_line_with_file_and_line(folder: Folder) -> None:
    (folder.path / "templates/daily").mkdir()
    (folder.path / "templates/daily/card.html").write_text("<p>\n{% if slot.first_name %}you{% endif %}</p>\n")
    folder.run("check").refused(2, "templates/daily/card.html:2: ")


def test_a_wrong_subject_is_one_line_with_its_place_in_schedules_yaml(folder: Folder) -> None:
    folder.edit('subject: "{{ lead.headline }}"', 'subject: "{{ lead.headline "')
    line = next(
        number
        for number, text in enumerate((folder.path / "schedules.yaml").read_text().splitlines(), 1)
        if "subject:" in text
    )
    folder.run("check").refused(2, f"schedules.yaml:{line}: subject: ")


def test_a_file_that_is_no_database_is_a_fault_of_store(folder: Folder) -> None:
    (folder.path / "newsletter.db").write_bytes(b"not a database at all" * 100)
    folder.run("check").refused(2, "schedules.yaml:", "not a database")
    folder.run("editions", "list").refused(5, "not a database")


def test_a_lost_site_key_is_a_fault(folder: Folder) -> None:
    (folder.path / "site.key").unlink()
    folder.run("check").refused(2, "site.key", "restore")


def test_smtp_says_that_a_relay_does_not_answer(folder: Folder) -> None:
    port = port_without_listener()
    folder.edit("port: 1,", f"port: {port},")
    assert folder.run("check").code == 0
    folder.run("check", "--smtp").refused(8, "schedules.yaml:", f"relay main (127.0.0.1:{port})", "cannot connect")


def test_smtp_logs_in_and_sends_nothing(folder: Folder) -> None:
    with SmtpServer() as server:
        folder.edit("port: 1,", f"port: {server.port},")
        found = folder.run("check", "--smtp")
    assert found.code == 0, found
    assert "1 relay (tried)" in found.out
    assert server.connections == 1
    assert "MAIL" not in server.verbs


def test_the_schema_is_the_one_that_init_writes(folder: Folder) -> None:
    printed = folder.run("schema")
    assert printed.code == 0
    assert json.loads(printed.out) == json.loads((folder.path / "schedules.schema.json").read_text())
