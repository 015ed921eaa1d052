"""CSV in and out: what is taken, what is refused and why, and that nobody comes back by a file."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from newsletter.config.reading import Configuration
from newsletter.errors import UsageError
from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.members.exchange import (
    COLUMNS,
    LONGEST_LINE,
    ImportSummary,
    Remark,
    export_subscribers,
    import_subscribers,
)
from newsletter.model import ConsentAction, ConsentChannel, MailFormat, Stream, SubscriptionState, SuppressionScope
from newsletter.store import Store, consents, subscribers, subscriptions, tables
from tests.builders import NOW
from tests.support.web_server import a_site
from tests.web.test_own_hours import a_site_with_hours
from tests.web.test_own_stream import a_site_with_streams

HOW = Evidence(ConsentChannel.IMPORT, NOW)


@pytest.fixture
def site(tmp_path: Path) -> Configuration:
    return a_site(tmp_path)


def take_in(
    store: Store, site: Configuration, text: str, *, newsletters: Sequence[str] = ()
) -> tuple[ImportSummary, list[Remark]]:
    """Import ``text``, as a file opened the way the CLI opens it."""
    remarks: list[Remark] = []
    file = io.TextIOWrapper(
        io.BytesIO(text.encode("utf-8", "surrogateescape")), encoding="utf-8-sig", errors="surrogateescape"
    )
    summary = import_subscribers(
        store,
        file,
        schedules=site.schedules,
        site_keys=site.site_keys,
        evidence=HOW,
        newsletters=newsletters,
        remark=remarks.append,
    )
    return summary, remarks


def give_out(store: Store, newsletter: str | None = None) -> list[dict[str, str]]:
    file = io.StringIO(newline="")
    export_subscribers(store, file, newsletter=newsletter)
    return list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))


def subscribed(store: Store, address: str) -> dict[str, SubscriptionState]:
    person = store.read(subscribers.by_address, address)
    assert person is not None
    return {one.newsletter: one.state for one in store.read(subscriptions.of, person.id)}


def test_a_full_row_becomes_a_confirmed_subscriber_with_her_preferences(store: Store, site: Configuration) -> None:
    summary, remarks = take_in(
        store,
        site,
        "\ufeffE-Mail,First Name,LAST_NAME,language,Timezone,plan,newsletters,sections,format,shoe size\r\n"
        'Meera.Pillai@Example.org,மீரா,"Pillai, Dr",ta,Asia/Kolkata,member,daily; weekly,'
        "daily=world|Sport & Games,weekly=text,39\r\n",
    )
    assert remarks == []
    assert (summary.rows, summary.created, summary.subscriptions, summary.refused) == (1, 1, 2, 0)
    assert summary.ignored_columns == ("shoe size",)
    person = store.read(subscribers.by_address, "meera.pillai@example.org")
    assert person is not None
    assert (person.first_name, person.last_name, person.language, person.timezone, person.plan) == (
        "மீரா",
        "Pillai, Dr",
        "ta",
        "Asia/Kolkata",
        "member",
    )
    assert len(person.secret) == 32
    daily, weekly = store.read(subscriptions.of, person.id)
    assert (daily.state, daily.sections, daily.format) == (
        SubscriptionState.ACTIVE,
        ("World", "Sport & Games"),
        MailFormat.HTML,
    )
    assert (weekly.sections, weekly.format) == ((), MailFormat.TEXT)
    assert [entry.action for entry in store.read(consents.history, person.id)] == [ConsentAction.IMPORTED] * 2


BAD_ROWS = {
    "nobody": "not an e-mail address",
    '"ann@example.org\\r\\nBcc: x@example.org",Ann': "not an e-mail address",
    ",Ann": "has no address",
    "bob@example.org,Bob\0": "control characters",
    "bob@example.org,Bob\x0bEve": "control characters",
    'bob@example.org,"Bob': "a quote is not closed",
    "bob@example.org,Bob,German": "a language is written like",
    "bob@example.org,Bob,de,Berlin": "not an IANA time zone",
    "bob@example.org,Bob,de,Europe/Berlin,gold": "no plan 'gold'",
    "bob@example.org,Bob,de,Europe/Berlin,free,dayly": "did you mean 'daily'",
    "bob@example.org,Bob,de,Europe/Berlin,free,daily,daily=Wrld": "did you mean 'World'",
    "bob@example.org,Bob,de,Europe/Berlin,free,daily,weekly=Reads": "not among the row's newsletters",
    "bob@example.org,Bob,de,Europe/Berlin,free,daily,,pdf": "format is html or text",
    "bob@example.org,Bob,de,Europe/Berlin,free,daily,,html,more": "9 fields, the header 8",
    "bob\udcff@example.org,Bob": "not UTF-8",
    "b" * (LONGEST_LINE * 3): "longer than",
}


def test_each_bad_row_is_reported_with_its_line_and_costs_nothing_else(store: Store, site: Configuration) -> None:
    header = "address,first_name,language,timezone,plan,newsletters,sections,format"
    lines = [header]
    for number, row in enumerate(BAD_ROWS):
        lines += [row, f"reader{number}@example.org", ""]
    summary, remarks = take_in(store, site, "\n".join(lines), newsletters=["daily"])
    assert (summary.rows, summary.created, summary.refused) == (len(BAD_ROWS) * 2, len(BAD_ROWS), len(BAD_ROWS))
    assert [remark.line for remark in remarks] == [2 + 3 * number for number in range(len(BAD_ROWS))]
    for remark, reason in zip(remarks, BAD_ROWS.values(), strict=True):
        assert reason in remark.reason
        assert remark.refused
        assert (remark.address + remark.reason).isprintable()
    assert store.read(subscriptions.audience_count, "daily", NOW) == len(BAD_ROWS)


@pytest.mark.parametrize("text", ["", "name,plan\nAnn,free\n", "address,email\na@example.org,b@example.org\n", "a;b"])
def test_a_file_without_one_column_of_addresses_is_refused_as_a_whole(
    store: Store, site: Configuration, text: str
) -> None:
    with pytest.raises(UsageError):
        take_in(store, site, text)
    assert store.read(subscribers.count) == 0


def test_an_unknown_default_newsletter_is_refused_as_a_whole(store: Store, site: Configuration) -> None:
    with pytest.raises(UsageError, match="did you mean 'daily'"):
        take_in(store, site, "address\nann@example.org\n", newsletters=["dayly"])
    assert store.read(subscribers.count) == 0


def test_importing_the_same_file_again_changes_nothing(store: Store, site: Configuration) -> None:
    text = "address,first_name,newsletters\nann@example.org,Ann,daily\nANN@example.org,Ann,daily\n"
    first, _ = take_in(store, site, text)
    before = store.read(lambda connection: connection.execute(select(tables.subscribers)).all())
    again, remarks = take_in(store, site, text)
    assert (first.created, first.unchanged, again.created, again.unchanged) == (1, 1, 0, 2)
    assert remarks == []
    assert store.read(lambda connection: connection.execute(select(tables.subscribers)).all()) == before
    assert store.read(lambda c: c.execute(select(func.count()).select_from(tables.consents)).scalar()) == 1


def test_an_import_corrects_what_it_knows_and_leaves_her_own_preferences(store: Store, site: Configuration) -> None:
    take_in(store, site, "address,first_name,plan,newsletters,format\nann@example.org,Anne,free,daily,text\n")
    summary, _ = take_in(
        store, site, "address,first_name,last_name,plan,newsletters,format\nann@example.org,,Lee,member,daily,html\n"
    )
    person = store.read(subscribers.by_address, "ann@example.org")
    assert person is not None
    assert (person.first_name, person.last_name, person.plan) == ("Anne", "Lee", "member")
    (daily,) = store.read(subscriptions.of, person.id)
    assert daily.format is MailFormat.TEXT
    assert (summary.corrected, summary.created) == (1, 0)
    revoked = store.read(lambda connection: connection.execute(select(tables.revocations)).all())
    assert [(row.subscriber_id, row.newsletter, row.reason) for row in revoked] == [(person.id, "", "plan_changed")]


def test_tags_and_attributes_come_in_change_and_go_out_again(store: Store, site: Configuration) -> None:
    known = site.schedules.model_copy(update={"tags": ["founder", "press"], "attributes": ["city", "employer"]})
    site = replace(site, schedules=known)
    header = "address,newsletters,tags,attribute.city,Attribute.Employer\n"
    _, remarks = take_in(
        store,
        site,
        header
        + "ann@example.org,daily,Press;founder,Pune,=Acme\n"
        + "bob@example.org,daily,fonder,,\n"
        + "cal@example.org,daily,,,\n",
    )
    assert [(one.line, one.reason) for one in remarks] == [(3, "there is no tag 'fonder'; did you mean 'founder'?")]

    def hers() -> tuple[tuple[str, ...], dict[str, str]]:
        person = store.read(subscribers.by_address, "ann@example.org")
        assert person is not None
        return person.tags, dict(person.attributes)

    assert hers() == (("founder", "press"), {"city": "Pune", "employer": "=Acme"})
    file = io.StringIO(newline="")
    export_subscribers(store, file, attributes=site.schedules.attributes)
    rows = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    shown = [(row["address"], row["tags"], row["attribute.city"], row["attribute.employer"]) for row in rows]
    assert shown == [("ann@example.org", "founder;press", "Pune", "'=Acme"), ("cal@example.org", "", "", "")]
    summary, _ = take_in(store, site, file.getvalue())
    assert (summary.unchanged, summary.corrected) == (2, 0), "what went out is what came in"
    assert store.read(lambda c: c.execute(select(func.count()).select_from(tables.revocations)).scalar()) == 0
    take_in(store, site, header + "ann@example.org,daily,press,-,\n")
    assert hers() == (("press",), {"employer": "=Acme"})
    take_in(store, site, "address,tags\nann@example.org,-\n")
    assert hers() == ((), {"employer": "=Acme"})
    revoked = store.read(lambda c: c.execute(select(tables.revocations.c.reason)).scalars().all())
    assert revoked == ["profile_changed", "profile_changed"], "what was claimed for her is looked at again"
    with pytest.raises(UsageError, match=r"no attribute 'town'"):
        take_in(store, site, "address,attribute.town\nann@example.org,Pune\n")


def test_nobody_who_left_comes_back_by_a_file(store: Store, site: Configuration) -> None:
    text = "address,newsletters\nann@example.org,daily;weekly\nbob@example.org,daily\ncarl@example.org,daily\n"
    take_in(store, site, text)
    people = store.read(subscribers.by_addresses, ["ann@example.org", "bob@example.org", "carl@example.org"])
    ann, bob, carl = (people[f"{name}@example.org"].id for name in ("ann", "bob", "carl"))
    store.write(consent.unsubscribe, ann, "daily", HOW)
    store.write(consent.unsubscribe_all, bob, HOW)
    store.write(consent.erase, carl, b"n" * 32, HOW)

    summary, remarks = take_in(store, site, text)

    assert (summary.kept_unsubscribed, summary.kept_suppressed, summary.subscriptions, summary.created) == (1, 2, 0, 0)
    assert [(remark.line, remark.reason) for remark in remarks] == [
        (2, "had unsubscribed from daily and stays so"),
        (3, "the address is suppressed (marketing) and stays so"),
        (4, "the address is suppressed (all) and stays so"),
    ]
    assert subscribed(store, "ann@example.org")["daily"] is SubscriptionState.UNSUBSCRIBED
    assert subscribed(store, "bob@example.org") == {"daily": SubscriptionState.UNSUBSCRIBED}
    assert store.read(subscribers.by_address, "carl@example.org") is None


def test_five_thousand_rows_with_bad_ones_among_them(store: Store, site: Configuration) -> None:
    rows = [
        f"reader{number}@example.org,Reader {number},daily" if number % 50 else f"reader{number}@,Reader,daily"
        for number in range(1, 5001)
    ]
    heard: list[int] = []
    remarks: list[Remark] = []
    summary = import_subscribers(
        store,
        io.StringIO("address,first_name,newsletters\n" + "\n".join(rows)),
        schedules=site.schedules,
        site_keys=site.site_keys,
        evidence=HOW,
        remark=remarks.append,
        progress=heard.append,
    )
    assert (summary.rows, summary.created, summary.subscriptions, summary.refused) == (5000, 4900, 4900, 100)
    assert [remark.line for remark in remarks] == [number + 1 for number in range(50, 5001, 50)]
    assert store.read(subscriptions.audience_count, "daily", NOW) == 4900
    assert heard == sorted(heard)
    assert heard[-1] == 5000


def test_what_goes_out_comes_in_again_the_same(store: Store, site: Configuration, tmp_path: Path) -> None:
    take_in(
        store,
        site,
        "address,first_name,last_name,language,timezone,plan,newsletters,sections,format\n"
        'ann@example.org,"Ann ""A"", Jr",Lee;Wu,en,Asia/Kolkata,member,daily;weekly,daily=World|National,daily=text\n'
        "'+bob=x@example.org,=1+1,-2,,,,daily,daily=Sport %26 Games,\n"
        "carl@example.org,'t,@x,,,,,,\n",
    )
    exported = give_out(store)
    with Store.open(f"sqlite:///{tmp_path}/other.db") as other:
        text = io.StringIO(newline="")
        export_subscribers(store, text)
        _, remarks = take_in(other, site, text.getvalue())
        assert remarks == []
        assert give_out(other) == exported
        bob = other.read(subscribers.by_address, "+bob=x@example.org")
        assert bob is not None
        assert (bob.first_name, bob.last_name) == ("=1+1", "-2")


def test_no_exported_cell_is_a_formula(store: Store, site: Configuration) -> None:
    names = ['=HYPERLINK(""http://x"")', "+1", "-1", "@SUM(1)", "＝1", "'=1", "''=1"]
    rows = "\n".join(f'=r{number}@example.org,"{name}"' for number, name in enumerate(names))
    take_in(store, site, f"address,first_name\n{rows}\n")
    file = io.StringIO(newline="")
    assert export_subscribers(store, file) == len(names)
    cells = [cell for row in csv.reader(io.StringIO(file.getvalue(), newline="")) for cell in row]
    assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r＝")] == []
    assert len([cell for cell in cells if cell.startswith("'")]) == 2 * len(names)


def test_an_export_names_no_newsletter_of_somebody_suppressed(store: Store, site: Configuration) -> None:
    take_in(store, site, "address,newsletters\nann@example.org,daily\nbob@example.org,daily;weekly\n")
    ann = store.read(subscribers.by_address, "ann@example.org")
    assert ann is not None
    store.write(consent.suppress, ann.id, SuppressionScope.ALL, "hard_bounce", HOW)
    assert [row["newsletters"] for row in give_out(store)] == ["", "daily;weekly"]
    assert [row["address"] for row in give_out(store, "weekly")] == ["bob@example.org"]


def test_an_export_begins_with_the_documented_columns(store: Store) -> None:
    file = io.StringIO(newline="")
    assert export_subscribers(store, file) == 0
    assert file.getvalue() == ",".join(COLUMNS) + "\r\n"


class Endless(io.StringIO):
    """A file of ``rows`` rows that exist only while they are read."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._rows = iter(range(rows))
        self._begun = False

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        if not self._begun:
            self._begun = True
            return "address\n"
        number = next(self._rows, None)
        return "" if number is None else f"nobody{number}@,\n"


def test_an_import_holds_no_more_of_a_long_file_than_of_a_short_one(tmp_path: Path, site: Configuration) -> None:
    def peak(rows: int) -> int:
        tracemalloc.start()
        import_subscribers(store, Endless(rows), schedules=site.schedules, site_keys=site.site_keys, evidence=HOW)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    with Store.open(f"sqlite:///{tmp_path}/memory.db") as store:
        peak(100)
        assert peak(2_000) < peak(500) + 100_000


def test_who_is_paused_is_not_in_the_audience_until_the_pause_is_over(store: Store, site: Configuration) -> None:
    take_in(store, site, "address,newsletters\nann@example.org,daily\nbob@example.org,daily\n")
    ann = store.read(subscribers.by_address, "ann@example.org")
    assert ann is not None
    pause = consent.PreferenceChange("daily", pause=consent.Pause(NOW + timedelta(days=1)))
    store.write(consent.change_preferences, ann.id, [pause], HOW)
    assert store.read(subscriptions.audience_count, "daily", NOW) == 1
    assert store.read(subscriptions.audience_count, "daily", NOW + timedelta(days=1)) == 2


def test_a_stream_that_the_newsletter_has_is_taken_and_comes_back_out(store: Store, tmp_path: Path) -> None:
    site = a_site_with_streams(tmp_path)
    file = "address,newsletters,stream\nann@example.org,daily;weekly,daily=Weekly\nbob@example.org,daily,each\n"
    take_in(store, site, file)
    ann, bob = (store.read(subscribers.by_address, f"{name}@example.org") for name in ("ann", "bob"))
    assert ann is not None
    assert bob is not None
    assert {one.newsletter: one.stream for one in store.read(subscriptions.of, ann.id)} == {
        "daily": Stream.WEEKLY,
        "weekly": Stream.EACH,
    }
    assert [one.stream for one in store.read(subscriptions.of, bob.id)] == [Stream.EACH]
    assert [one["stream"] for one in give_out(store)] == ["daily=weekly", ""]
    _, remarks = take_in(store, site, "address,newsletters,stream\ncem@example.org,daily,daily\n")
    assert "daily has no stream 'daily'" in remarks[0].reason
    _, remarks = take_in(store, site, "address,newsletters,stream,hour\ncem@example.org,daily,weekly,18:00\n")
    assert "daily does not come at '18:00'" in remarks[0].reason, "the weekly has one hour for all"


def test_an_hour_that_the_newsletter_offers_is_taken_and_comes_back_out(store: Store, tmp_path: Path) -> None:
    site = a_site_with_hours(tmp_path)
    file = "address,timezone,newsletters,hour\nann@example.org,Asia/Kolkata,daily,18:00\n"
    summary, remarks = take_in(store, site, file + "bob@example.org,,daily;weekly,daily=07:00\n")
    assert (summary.created, remarks) == (2, [])
    ann, bob = (store.read(subscribers.by_address, f"{name}@example.org") for name in ("ann", "bob"))
    assert ann is not None
    assert bob is not None
    assert [one.hour for one in store.read(subscriptions.of, ann.id)] == ["18:00"]
    assert [one.hour for one in store.read(subscriptions.of, bob.id)] == ["", ""], "its own is no choice"
    _, remarks = take_in(store, site, "address,newsletters,hour\ncem@example.org,daily,03:15\n")
    assert "does not come at" in remarks[0].reason
    _, remarks = take_in(store, site, "address,newsletters,hour\ncem@example.org,weekly,18:00\n")
    assert "one time for all" in remarks[0].reason
