"""subscribers: one by one and many at a time; who withdrew stays withdrawn, and nothing half-done is left."""

from __future__ import annotations

import csv
import stat

import pytest

from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.members.links import Links
from newsletter.model import ConsentChannel, SuppressionScope
from newsletter.store import audit, subscribers
from tests.builders import NOW
from tests.support.console import Folder


def test_a_reader_is_added_shown_and_listed_without_her_secret(folder: Folder) -> None:
    arguments = ["--first-name", "Asha", "--plan", "member", "--sections", "world,News", "--format", "text"]
    added = folder.run("subscribers", "add", "Asha@Example.org", "-n", "daily", *arguments, "--json")
    assert added.code == 0, added
    assert added.json["subscribed"] == ["daily"]
    shown = folder.run("subscribers", "show", "asha@example.org", "--json")
    assert shown.json["plan"] == "member"
    (subscription,) = shown.json["subscriptions"]
    assert subscription["sections"] == ["World", "News"]
    assert subscription["format"] == "text"
    (entry,) = shown.json["consents"]
    assert (entry["action"], entry["channel"], entry["newsletter"]) == ("subscribed", "cli", "daily")
    assert "secret" not in shown.out
    listed = folder.run("subscribers", "list", "-n", "daily", "--state", "active", "--json").json
    assert [(row["address"], row["newsletters"]) for row in listed] == [("asha@example.org", ["daily"])]
    assert "secret" not in folder.run("subscribers", "show", "asha@example.org").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["asha@example.org", "-n", "dayly"], "Did you mean 'daily'?"),
        (["asha@example.org", "-n", "daily", "--sections", "World,Nws"], "Did you mean 'News'?"),
        (["asha@example.org", "-n", "daily", "--plan", "membr"], "Did you mean 'member'?"),
        (["asha@example.org", "-n", "daily", "--format", "pdf"], "there is no format 'pdf'"),
        (["asha@example.org", "-n", "daily", "--timezone", "Mars"], "IANA"),
        (["asha@example.org\r\nBcc: all@example.org", "-n", "daily"], "one line"),
        (["asha.example.org", "-n", "daily"], "asha.example.org"),
        (["asha@example.org", "-n", "daily", "--first-name", "A\nB"], "one line"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(folder: Folder, arguments: list[str], words: str) -> None:
    folder.run("subscribers", "add", *arguments).refused(2, words)
    assert not (folder.path / "newsletter.db").exists()


def test_a_reader_without_a_newsletter_is_refused_in_one_line(folder: Folder) -> None:
    folder.run("subscribers", "add", "asha@example.org").refused(2, "newsletter")


def test_who_unsubscribed_is_not_brought_back(folder: Folder) -> None:
    assert folder.run("subscribers", "add", "asha@example.org", "-n", "daily").code == 0
    with folder.store() as store:
        person = store.read(subscribers.by_address, "asha@example.org")
        assert person is not None
        store.write(consent.unsubscribe, person.id, "daily", Evidence(ConsentChannel.PAGE, NOW))
    folder.run("subscribers", "add", "asha@example.org", "-n", "daily").refused(3, "has unsubscribed from daily")
    assert folder.run("subscribers", "list", "--state", "active", "--json").json == []


def test_removing_erases_and_no_import_brings_her_back(folder: Folder) -> None:
    assert folder.run("subscribers", "add", "asha@example.org", "-n", "daily").code == 0
    assert folder.run("subscribers", "remove", "asha@example.org", stdin="n\n").code == 130
    assert folder.run("subscribers", "show", "asha@example.org").code == 0
    removed = folder.run("subscribers", "remove", "asha@example.org", "--yes")
    assert removed.code == 0, removed
    folder.run("subscribers", "show", "asha@example.org").refused(2, "no subscriber asha@example.org")
    folder.run("subscribers", "add", "asha@example.org", "-n", "daily").refused(3, "is suppressed (all)")
    with folder.store() as store:
        (act,) = store.read(audit.listing)
    assert (act.action, act.subject) == ("erase", "subscriber/1")
    assert "asha" not in repr(act)


def test_an_import_reports_each_bad_line_and_takes_the_rest(folder: Folder) -> None:
    (folder.path / "readers.csv").write_text(
        "email,first_name,plan,shoe size\n"
        "asha@example.org,Asha,member,38\n"
        "not an address,,,\n"
        "ravi@example.org,Ravi,membr,41\n"
        "mina@example.org,Mina,,37\n"
    )
    done = folder.run("subscribers", "import", "readers.csv", "-n", "daily")
    assert done.code == 1, done
    lines = done.err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["readers.csv:3", "readers.csv:4"]
    assert "did you mean 'member'?" in lines[1]
    assert "shoe size" in done.out
    again = folder.run("subscribers", "import", "readers.csv", "-n", "daily", "--json")
    assert (again.json["created"], again.json["unchanged"], again.json["refused"]) == (0, 2, 2)
    assert [remark["line"] for remark in again.json["remarks"]] == [3, 4]
    listed = folder.run("subscribers", "list", "-n", "daily", "--json").json
    assert [row["address"] for row in listed] == ["asha@example.org", "mina@example.org"]


def test_a_file_that_is_no_list_of_readers_is_one_line(folder: Folder) -> None:
    (folder.path / "readers.csv").write_text("name,age\nAsha,38\n")
    folder.run("subscribers", "import", "readers.csv").refused(2, "readers.csv:1: ", "address")
    folder.run("subscribers", "import", "gone.csv").refused(2, "gone.csv: there is no such file")
    folder.run("subscribers", "import", "readers.csv", "-n", "dayly").refused(2, "Did you mean 'daily'?")


def test_an_export_is_whole_private_and_replaces_nothing(folder: Folder) -> None:
    for name in ("asha", "mina"):
        assert folder.run("subscribers", "add", f"{name}@example.org", "-n", "daily").code == 0
    done = folder.run("subscribers", "export", "out.csv")
    assert done.code == 0, done
    path = folder.path / "out.csv"
    with path.open(newline="") as file:
        assert [row["address"] for row in csv.DictReader(file)] == ["asha@example.org", "mina@example.org"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert folder.run("subscribers", "export").out.encode().replace(b"\r\n", b"\n") == before.replace(b"\r\n", b"\n")
    folder.run("subscribers", "export", "out.csv").refused(2, "out.csv: there is such a file")
    folder.run("subscribers", "export", "gone/out.csv").refused(2, "gone: there is no such folder")
    assert path.read_bytes() == before
    assert [one.name for one in folder.path.glob("*.part")] + [one.name for one in folder.path.glob(".*.part")] == []


def test_the_history_of_a_reader_says_who_when_what_and_how(folder: Folder) -> None:
    added = folder.run("subscribers", "add", "asha@example.org", "-n", "daily", "--wording", "stall-2026")
    assert added.code == 0, added
    with folder.store() as store:
        person = store.read(subscribers.by_address, "asha@example.org")
        assert person is not None
        how = Evidence(ConsentChannel.ONE_CLICK, NOW, client="192.0.2.0/24")
        store.write(consent.unsubscribe, person.id, "daily", how)
    first, second = folder.run("subscribers", "history", "Asha@example.org", "--json").json
    assert (first["action"], first["channel"], first["wording"]) == ("subscribed", "cli", "stall-2026")
    assert second == {
        "at": "2026-11-23T06:00:00Z",
        "action": "unsubscribed",
        "newsletter": "daily",
        "channel": "one_click",
        "wording": "",
        "client": "192.0.2.0/24",
        "detail": "",
    }
    table = folder.run("subscribers", "history", str(person.id)).out
    assert table.index("stall-2026") < table.index("one_click")
    folder.run("subscribers", "history", "nobody@example.org").refused(2, "there is no subscriber nobody@example.org")


def test_a_bounce_is_lifted_by_a_person_with_a_line_in_the_audit(folder: Folder) -> None:
    assert folder.run("subscribers", "add", "asha@example.org", "-n", "daily").code == 0
    folder.run("subscribers", "lift", "asha@example.org").refused(3, "no bounce stands against asha@example.org")
    with folder.store() as store:
        person = store.read(subscribers.by_address, "asha@example.org")
        assert person is not None
        how = Evidence(ConsentChannel.API, NOW)
        store.write(consent.suppress, person.id, SuppressionScope.ALL, "hard_bounce", how)
        store.write(consent.suppress, person.id, SuppressionScope.MARKETING, "complaint", how)
    assert "is mailed again" in folder.run("subscribers", "lift", "asha@example.org", "--because", "she rang").out
    shown = folder.run("subscribers", "show", "asha@example.org", "--json").json
    assert [(one["scope"], one["reason"]) for one in shown["suppressions"]] == [("marketing", "complaint")]
    with folder.store() as store:
        (act,) = store.read(audit.listing, subject=f"subscriber/{person.id}")
    assert (act.action, act.detail) == ("lift", "she rang")


def test_all_that_is_kept_about_a_reader_is_printed_or_written(folder: Folder) -> None:
    assert folder.run("subscribers", "add", "asha@example.org", "-n", "daily").code == 0
    printed = folder.run("subscribers", "data", "asha@example.org")
    assert printed.json["reader"]["address"] == "asha@example.org"
    assert [one["newsletter"] for one in printed.json["subscriptions"]] == ["daily"]
    file = folder.path / "asha.json"
    assert folder.run("subscribers", "data", "asha@example.org", "--out", str(file)).code == 0
    assert file.read_text() == printed.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_reader_who_wrote_or_rang_is_unsubscribed(folder: Folder) -> None:
    assert folder.run("subscribers", "add", "asha@example.org", "-n", "daily").code == 0
    with folder.store() as store:
        person = store.read(subscribers.by_address, "asha@example.org")
    assert person is not None
    links = Links("https://mail.news.example", "unsubscribe@news.example")
    mailed = links.unsubscribe_mailto(person.id, person.secret, "daily").removeprefix("mailto:")
    forged = mailed.replace(f"+{person.id}-", f"+{person.id + 1}-")
    for wrong in (forged, links.unsubscribe_mailto(person.id, b"x" * 32, "daily")):
        folder.run("subscribers", "unsubscribe", wrong).refused(2, "we did not make that address")
    folder.run("subscribers", "unsubscribe", "asha@example.org").refused(2, "which newsletter is meant?")
    folder.run("subscribers", "unsubscribe", mailed, "--all").refused(2, "says itself")
    done = folder.run("subscribers", "unsubscribe", mailed.upper(), "--json").json
    assert done == {"address": "asha@example.org", "unsubscribed": ["daily"]}
    assert "already" in folder.run("subscribers", "unsubscribe", "asha@example.org", "-n", "daily").out
    assert folder.run("subscribers", "unsubscribe", "asha@example.org", "--all").code == 0
    history = folder.run("subscribers", "history", "asha@example.org", "--json").json
    assert [(one["action"], one["channel"]) for one in history] == [
        ("subscribed", "cli"),
        ("unsubscribed", "mail"),
        ("suppressed", "cli"),
    ]
