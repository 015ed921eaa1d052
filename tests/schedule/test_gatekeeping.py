"""An occurrence that a gate speaks against is held, says why, and goes out when a person overrules it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from newsletter.collect.identity import to_remember
from newsletter.compose.edits import Change
from newsletter.config.reading import Configuration, load
from newsletter.errors import OccurrenceHeld
from newsletter.model import FailedGate, Gate, Occurrence, OccurrenceState, Picture, Pin, Reason, Stream, StreamName
from newsletter.render.templates import shipped_templates
from newsletter.schedule import by_hand
from newsletter.schedule.editing import edit
from newsletter.schedule.watching import problems, status_of
from newsletter.schedule.work import Work
from newsletter.store import Store, articles, audit, decisions, deliveries, gates, occurrences, tables
from newsletter.store.gates import failed_of
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import add_occurrence, add_subscribers, an_incoming_article
from tests.support.pages_server import PICTURE, PagesServer, pages_server
from tests.support.site_folder import SiteFolder

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
EARLY = SEVEN - timedelta(minutes=20)
# For what is the same whichever database it is.
sqlite_only = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
_S = OccurrenceState


@pytest.fixture
def pages() -> Iterator[PagesServer]:
    with pages_server() as serving:
        yield serving


def site(tmp_path: Path, store_url: str, asks: str = "web: false", web_port: int = 8025) -> Configuration:
    """A site in UTC whose daily is due at 07:00 and composed at 06:30, with one story to send."""
    made = SiteFolder(tmp_path, store_url, 25, zone="UTC", gates=f"{{{asks}}}", web_port=web_port)
    made.fill(readers=2, stories=1, seen_at=SEVEN - timedelta(hours=2))
    return load(made.path / "schedules.yaml", {})


def changed(configuration: Configuration, old: str, new: str) -> Configuration:
    file = configuration.folder / "schedules.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    return load(file, {})


def today(store: Store) -> OccurrenceRow:
    row = store.read(occurrences.find, "daily", Stream.EACH, Occurrence(date(2026, 11, 1), 1))
    assert row is not None
    return row


def advance(configuration: Configuration, store: Store, *times: datetime) -> OccurrenceRow:
    """Let a process that starts anew look at each of these times; the row as it then is."""
    for time in times:
        Work(configuration, store).advance(time)
    return today(store)


def failing(row: OccurrenceRow) -> list[Gate]:
    return [one.gate for one in failed_of(row)]


def queued(store: Store) -> int:
    return sum(store.read(deliveries.counts, today(store).id).values())


def before(store: Store, readers: Sequence[int], subject: str = "An older story") -> None:
    """Editions of the days before, sent to so many readers each; of their deliveries nothing is left."""
    for days, number in enumerate(readers, 1):
        day = SEVEN - timedelta(days=days)
        made, _ = add_occurrence(store, occurrence=Occurrence(day.date(), 1), state=_S.SENT, due_at=day)
        row = store.read(occurrences.get, made)
        assert row is not None
        store.write(gates.passed, row, number, {"en/free": subject, "en/member": subject})


def release(store: Store, *, overrule: bool = True) -> None:
    assert store.write(decisions.release, today(store), actor="anna", overrule=overrule, now=EARLY) is not None


def with_picture(store: Store, name: str = "aa.jpg") -> None:
    picture = Picture("https://news.example/dam.jpg", alt="The dam", media=name, width=1200, height=800)
    story = an_incoming_article(
        url="https://news.example/national/1",
        guid="story-1",
        headline="Story number 1 of the test",
        published_at=SEVEN - timedelta(hours=2),
        images=(picture,),
    )
    store.write(articles.remember, to_remember([story]), now=SEVEN - timedelta(hours=1))


# --- readers ---


def test_far_fewer_readers_than_usual_hold_it_and_a_person_who_releases_it_lets_it_go_out(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    configuration = site(tmp_path, store_url)
    before(store, [100, 90, 110])
    row = advance(configuration, store, EARLY)
    assert (row.state, row.reason, failing(row)) == (_S.HELD, Reason.GATE, [Gate.READERS])
    assert row.detail.startswith("readers: 2 readers, 98 % fewer than the usual 100 (median of the last 3 editions")
    assert advance(configuration, store, SEVEN).state is _S.HELD
    [problem] = [one for one in problems(status_of(configuration, store, EARLY)) if "daily@2026-11-01/1" in one]
    assert "98 % fewer" in problem
    assert "`newsletter editions show daily@2026-11-01/1` says what to do" in problem
    release(store)
    assert advance(configuration, store, EARLY).state is _S.APPROVED
    assert (advance(configuration, store, SEVEN).state, queued(store)) == (_S.SENDING, 2)
    [act] = store.read(audit.listing)
    assert (act.actor, act.action, act.detail) == ("anna", "release", "composed, despite readers")


def test_readers_that_were_lost_after_it_was_approved_hold_it_when_it_is_due(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    configuration = site(tmp_path, store_url, "web: false, readers_least: 1")
    before(store, [2, 2, 2])
    assert advance(configuration, store, EARLY).state is _S.APPROVED
    store.write(lambda connection: connection.execute(delete(tables.subscriptions)))
    row = advance(configuration, store, SEVEN)
    assert (row.state, row.resumes, failing(row), queued(store)) == (_S.HELD, _S.APPROVED, [Gate.READERS], 0)


def test_each_edition_that_goes_out_is_remembered_for_later_ones(tmp_path: Path, store_url: str, store: Store) -> None:
    configuration = site(tmp_path, store_url)
    advance(configuration, store, EARLY, SEVEN)
    later = store.write(occurrences.plan, "daily", Stream.EACH, Occurrence(date(2026, 11, 9), 1), SEVEN, SEVEN, SEVEN)
    found = store.read(gates.earlier, later, 5)
    assert (found.readers, str(found.name)) == ((2,), "daily@2026-11-01/1")
    assert found.subjects == dict.fromkeys(("en/free", "en/member"), "Story number 1 of the test")


# --- what the mail says ---


def test_the_subject_of_the_last_edition_holds_it_until_an_editor_gives_it_another(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    configuration = site(tmp_path, store_url)
    before(store, [2], subject="Story number 1 of the test")
    row = advance(configuration, store, EARLY)
    assert failing(row) == [Gate.SAME_SUBJECT]
    assert "'Story number 1 of the test'" in row.detail
    assert "daily@2026-10-31/1" in row.detail
    newer = an_incoming_article(
        url="https://news.example/2", guid="2", headline="Fire at the port", published_at=SEVEN - timedelta(hours=1)
    )
    [second] = store.write(articles.remember, to_remember([newer]), now=EARLY).new
    change = Change(pin=(Pin(second, "National", 1),))
    edit(Work(configuration, store), row, change, places={}, actor="anna", now=EARLY)
    release(store)
    assert advance(configuration, store, EARLY).state is _S.APPROVED
    assert gates.overruled_of(today(store)) == frozenset(), "what she edited was looked at again"


@sqlite_only
def test_a_subject_that_is_the_same_by_declaration_holds_nothing(tmp_path: Path, store_url: str, store: Store) -> None:
    plain = site(tmp_path, store_url)
    configuration = changed(
        plain, "    in_doubt:", '    subject: "{{ newsletter.title }}, each morning"\n    in_doubt:'
    )
    before(store, [2], subject="The Test, each morning")
    assert advance(configuration, store, EARLY).state is _S.APPROVED


@sqlite_only
def test_a_design_that_links_to_no_story_holds_it(tmp_path: Path, store_url: str, store: Store) -> None:
    configuration = site(tmp_path, store_url, "web: false, lint: false")
    shared = tmp_path / "templates" / "shared"
    shared.mkdir(parents=True)
    for name in ("lead.html", "card.html", "brief.html"):
        text = (shipped_templates() / "shared" / name).read_text(encoding="utf-8")
        assert "story.url" in text
        (shared / name).write_text(text.replace("story.url", "site.url"), encoding="utf-8")
    row = advance(configuration, store, EARLY)
    assert failing(row) == [Gate.LINKS]


@sqlite_only
def test_old_news_hold_it_by_the_age_they_will_have_when_it_goes_out(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    configuration = site(tmp_path, store_url, "web: false, stale_after: 2h")
    row = advance(configuration, store, EARLY)
    assert failing(row) == [Gate.STALE_AFTER], "it is 1 h 45 min old now, and 2 h 5 min when it is due"


# --- pages and pictures ---


@sqlite_only
def test_pages_that_do_not_answer_hold_it_and_so_do_pictures_that_are_missing(
    tmp_path: Path, store_url: str, store: Store, pages: PagesServer
) -> None:
    configuration = site(tmp_path, store_url, "web: true", int(pages.url.rpartition(":")[2]))
    with_picture(store)
    row = advance(configuration, store, EARLY)
    assert failing(row) == [Gate.LEAD_PICTURE]
    assert f"1 picture cannot be fetched: {pages.url}/media/aa.jpg: it answered 404 Not Found" in row.detail
    pages.answers["/media/aa.jpg"] = PICTURE
    release(store, overrule=False)
    assert advance(configuration, store, EARLY).state is _S.APPROVED
    pages.answers["/health"] = (502, "text/html", b"")
    row = advance(configuration, store, SEVEN)
    assert (failing(row), queued(store)) == ([Gate.WEB], 0)
    release(store)
    assert (advance(configuration, store, SEVEN).state, queued(store)) == (_S.SENDING, 2)


@sqlite_only
def test_the_gate_of_our_pages_is_on_unless_it_is_switched_off(
    tmp_path: Path, store_url: str, store: Store, pages: PagesServer
) -> None:
    port = int(pages.url.rpartition(":")[2])
    pages.answers.clear()
    off = site(tmp_path, store_url, "web: false", port)
    assert advance(off, store, EARLY).state is _S.APPROVED
    assert pages.asked == []
    on = changed(off, "    gates: {web: false}\n", "")
    assert failing(advance(on, store, SEVEN)) == [Gate.WEB]


@sqlite_only
def test_a_process_that_goes_on_running_asks_anew_at_each_look(
    tmp_path: Path, store_url: str, store: Store, pages: PagesServer
) -> None:
    configuration = site(tmp_path, store_url, "web: true", int(pages.url.rpartition(":")[2]))
    well, work = pages.answers.pop("/health"), Work(configuration, store)
    work.advance(EARLY)
    assert failing(today(store)) == [Gate.WEB]
    pages.answers["/health"] = well
    release(store, overrule=False)
    work.advance(EARLY)
    assert today(store).state is _S.APPROVED


# --- one after the other ---


def test_all_gates_that_fail_are_told_at_once_and_one_of_another_kind_holds_it_again(
    tmp_path: Path, store_url: str, store: Store, pages: PagesServer
) -> None:
    pages.answers.clear()
    configuration = site(tmp_path, store_url, "stale_after: 1h", int(pages.url.rpartition(":")[2]))
    before(store, [100, 100, 100])
    row = advance(configuration, store, EARLY)
    assert failing(row) == [Gate.READERS, Gate.STALE_AFTER, Gate.WEB]
    release(store)
    assert advance(configuration, store, EARLY).state is _S.APPROVED
    before_it = store.read(occurrences.find, "daily", Stream.EACH, Occurrence(date(2026, 10, 31), 1))
    assert before_it is not None
    store.write(gates.passed, before_it, 100, {"en/free": "Story number 1 of the test"})
    row = advance(configuration, store, SEVEN)
    assert failing(row) == [Gate.SAME_SUBJECT]
    assert queued(store) == 0


@sqlite_only
def test_a_template_that_was_mended_counts_once_it_is_released_to_be_looked_at_again(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    configuration = site(tmp_path, store_url)
    footer = tmp_path / "templates" / "shared" / "footer.html"
    footer.parent.mkdir(parents=True)
    text = (shipped_templates() / "shared" / "footer.html").read_text(encoding="utf-8")
    footer.write_text(text.replace("<p class=", '<img src="https://x.example/a.png" width="9"><p class=', 1))
    assert failing(advance(configuration, store, EARLY)) == [Gate.LINT]
    release(store, overrule=False)
    assert failing(advance(configuration, store, EARLY)) == [Gate.LINT]
    footer.unlink()
    release(store, overrule=False)
    assert advance(configuration, store, EARLY).state is _S.APPROVED


# --- by hand ---


def plan(configuration: Configuration, store: Store, *despite: Gate) -> by_hand.Plan:
    return by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, despite=despite, now=EARLY)


def test_a_send_by_hand_is_held_by_the_same_gates_and_says_how_to_send_all_the_same(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    configuration = site(tmp_path, store_url)
    before(store, [100, 100, 100])
    with pytest.raises(OccurrenceHeld, match=r"98 % fewer.*or send it with --despite readers"):
        by_hand.begin(Work(configuration, store), plan(configuration, store), [], EARLY)
    held = store.read(occurrences.listing, states=[_S.HELD])
    assert [failing(row) for row in held] == [[Gate.READERS]]
    with pytest.raises(OccurrenceHeld, match="--despite readers"):
        plan(configuration, store, Gate.WEB)
    wanted = plan(configuration, store, Gate.READERS)
    work = Work(configuration, store)
    row = by_hand.begin(work, wanted, [], EARLY, actor="anna", despite=[Gate.READERS])
    assert (row.state, queued(store)) == (_S.SENDING, 2)
    assert [(act.actor, act.action, act.detail) for act in store.read(audit.listing)] == [
        ("anna", "overrule", "readers")
    ]


@sqlite_only
def test_named_readers_get_nothing_of_what_a_gate_holds(tmp_path: Path, store_url: str, store: Store) -> None:
    configuration = site(tmp_path, store_url)
    before(store, [100, 100, 100])
    with pytest.raises(OccurrenceHeld, match="--despite readers"):
        by_hand.begin(Work(configuration, store), plan(configuration, store), ["reader00001@readers.example"], EARLY)
    assert queued(store) == 0


def test_what_would_hold_it_is_foreseen_and_nothing_is_written(tmp_path: Path, store_url: str, store: Store) -> None:
    configuration = site(tmp_path, store_url, "web: false, stale_after: 1h")
    before(store, [100, 100, 100])
    foreseen = by_hand.foresee(Work(configuration, store), plan(configuration, store), EARLY).failed
    assert [one.gate for one in foreseen] == [Gate.READERS, Gate.STALE_AFTER]
    assert isinstance(foreseen[0], FailedGate)
    assert today(store).state is _S.PLANNED
    add_subscribers(store, 98, first=3)
    assert [
        one.gate for one in by_hand.foresee(Work(configuration, store), plan(configuration, store), EARLY).failed
    ] == [Gate.STALE_AFTER]


@sqlite_only
def test_a_send_by_hand_of_what_needs_an_approval_still_counts_as_one_after_a_gate_held_it(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    plain = site(tmp_path, store_url)
    configuration = changed(plain, "    in_doubt:", "    approval: {mode: required}\n    in_doubt:")
    before(store, [100, 100, 100])
    assert failing(advance(configuration, store, EARLY)) == [Gate.READERS]
    wanted = plan(configuration, store, Gate.READERS)
    assert wanted.unapproved
    row = by_hand.begin(Work(configuration, store), wanted, [], EARLY, actor="anna", despite=[Gate.READERS])
    assert (row.state, queued(store)) == (_S.SENDING, 2)
    assert {act.action for act in store.read(audit.listing)} == {"overrule", "approve"}
