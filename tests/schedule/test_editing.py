"""Edits on their way to the mail: rendered anew, kept by every cohort's own composition, safe beside a scheduler."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from newsletter.cohort import Cohort
from newsletter.compose.composing import compose
from newsletter.compose.edits import Change
from newsletter.config.reading import Configuration, load
from newsletter.errors import EditedMeanwhile, NothingToDo, StoreError, UsageError
from newsletter.model import Edits, OccurrenceState, Pin, Reason
from newsletter.schedule.editing import Edited, edit
from newsletter.schedule.work import Work
from newsletter.store import (
    Store,
    deliveries,
    edition_changes,
    editions,
    occurrences,
    pieces,
    tables,
)
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow
from tests.support.site_folder import SiteFolder

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
_S = OccurrenceState


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> SiteFolder:
    """A site in UTC whose daily is due at 07:00 and composed at 06:30; it takes three of six stories."""
    made = SiteFolder(tmp_path, store_url, 25, zone="UTC", most=3)
    made.fill(readers=2, stories=6, seen_at=SEVEN - timedelta(hours=2))
    return made


@pytest.fixture
def configuration(site: SiteFolder) -> Configuration:
    return load(site.path / "schedules.yaml", {})


def at(minutes: float) -> datetime:
    """So many minutes before it is due."""
    return SEVEN - timedelta(minutes=minutes)


def today(store: Store) -> OccurrenceRow:
    return {str(row.occurrence): row for row in store.read(occurrences.listing)}["2026-11-01/1"]


def cohorts(store: Store) -> dict[str, EditionRow]:
    return {one.cohort: one for one in store.read(editions.for_occurrence, today(store).id)}


def stories(store: Store, cohort: str = "") -> tuple[int, ...]:
    return cohorts(store)[cohort].edition.article_ids


def change(work: Work, change: Change, now: datetime = at(15)) -> Edited:
    return edit(work, today(work.store), change, places={}, actor="anna@desk", now=now)


def rendered(store: Store, edition: EditionRow) -> bytes:
    [key, *_] = store.read(pieces.keys, edition.id, edition.revision)
    return b"".join(store.read(pieces.load, edition.id, edition.revision, key).values())


def composed(configuration: Configuration, store: Store, now: datetime = at(29)) -> Work:
    work = Work(configuration, store)
    work.advance(now)
    return work


def test_an_edit_is_rendered_at_once_and_goes_out(configuration: Configuration, store: Store) -> None:
    work = composed(configuration, store)
    first, second, third = stories(store)
    other = next(number for number in range(1, 7) if number not in (first, second, third))
    edited = change(work, Change(drop=(first,), pin=(Pin(other, "National", 2),)))
    assert (edited.findings, edited.error) == ((), None)
    assert edited.words == f"dropped {first}; pinned {other} (National, 2)"
    assert stories(store) == (second, other, third)
    body = rendered(store, cohorts(store)[""])
    assert f"Story number {other} of the test".encode() in body
    assert f"Story number {first} of the test".encode() not in body
    Work(configuration, store).advance(SEVEN)
    assert (today(store).state, stories(store)) == (_S.SENDING, (second, other, third))
    with pytest.raises(StoreError, match="being sent"):
        change(work, Change(drop=(second,)))


def _make_it_a_cohorts(connection: Connection) -> None:
    """The edition that everybody has becomes the first of several."""
    for table in (tables.editions, tables.article_uses, tables.selections):
        connection.execute(update(table).values(cohort="Asia/Dubai@07:00"))


def test_every_cohort_composed_later_keeps_the_edits(configuration: Configuration, store: Store) -> None:
    work = composed(configuration, store)
    first, second, third = stories(store)
    change(work, Change(drop=(first,), pin=(Pin(third, "National", 1),), texts={"subject": "Ours"}))
    newsletter = configuration.newsletter("daily")
    store.write(_make_it_a_cohorts)
    for zone in ("Asia/Kolkata", "Europe/Berlin"):
        compose(store, today(store), "daily", newsletter, cohort=Cohort(zone, "07:00"), now=at(10))
    assert [stories(store, cohort) for cohort in cohorts(store)] == [(third, second)] * 3
    assert {one.edition.edits.subject for one in cohorts(store).values()} == {"Ours"}
    why = {(row.cohort, row.article_id): row for row in store.read(editions.why, today(store).id)}
    assert why["Asia/Kolkata@07:00", first].reason is Reason.BLOCKED
    assert why["Asia/Kolkata@07:00", third].detail == "pinned by anna@desk"
    change(work, Change(clear=True))
    assert [stories(store, cohort) for cohort in cohorts(store)] == [(first, second, third)] * 3


def test_what_is_edited_before_it_is_composed_is_in_what_is_composed(
    configuration: Configuration, store: Store
) -> None:
    work = composed(configuration, store, at(60))
    assert today(store).state is _S.PLANNED
    change(work, Change(pin=(Pin(6),), drop=(1,)), at(50))
    assert today(store).edits.pinned == (Pin(6, "National", 1),), "its own section"
    Work(configuration, store).advance(at(29))
    assert today(store).state is _S.APPROVED
    assert stories(store)[0] == 6
    assert 1 not in stories(store)


def test_a_process_killed_before_it_rendered_the_edit_leaves_that_to_the_next(
    configuration: Configuration, store: Store
) -> None:
    work = composed(configuration, store)

    def killed(edition: EditionRow) -> EditionRow:
        raise KeyboardInterrupt

    work.render = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        change(work, Change(drop=stories(store)[:1]))
    edition = cohorts(store)[""]
    assert (edition.revision, store.read(pieces.keys, edition.id, 2)) == (2, [])
    Work(configuration, store).advance(SEVEN)
    assert today(store).state is _S.SENDING
    assert store.read(pieces.keys, edition.id, 2)


def test_a_process_killed_between_taking_a_story_out_and_rendering_leaves_that_to_the_next(
    configuration: Configuration, store: Store
) -> None:
    composed(configuration, store)
    edition = cohorts(store)[""]
    store.write(edition_changes.revise, edition.id, {stories(store)[0]: Reason.RETRACTED}, at(0))
    Work(configuration, store).advance(SEVEN)
    assert today(store).state is _S.SENDING
    assert store.read(pieces.keys, edition.id, 2)


@pytest.mark.parametrize("_attempt", range(4))
def test_an_edit_beside_a_scheduler_that_begins_to_send_is_in_or_refused(
    site: SiteFolder, configuration: Configuration, store: Store, _attempt: int
) -> None:
    work = composed(configuration, store)
    first, *others = stories(store)

    def edits() -> bool:
        try:
            change(work, Change(drop=(first,)), SEVEN)
        except StoreError:
            return False
        return True

    with Store.open(site.store_url) as other, ThreadPoolExecutor(2) as threads:
        editing = threads.submit(edits)
        threads.submit(Work(configuration, other).advance, SEVEN).result()
        edited = editing.result()
        Work(configuration, other).advance(SEVEN)
        Work(configuration, other).advance(SEVEN)
    assert today(store).state is _S.SENDING
    assert stories(store) == (tuple(others) if edited else (first, *others))
    edition = cohorts(store)[""]
    assert store.read(pieces.keys, edition.id, edition.revision), "what is sent is rendered"
    assert sum(store.read(deliveries.counts, today(store).id).values()) == 2


@pytest.mark.parametrize("_attempt", range(4))
def test_an_edit_beside_composing_is_in_every_edition(
    site: SiteFolder, configuration: Configuration, store: Store, _attempt: int
) -> None:
    work = composed(configuration, store, at(60))
    seen = today(store)
    with Store.open(site.store_url) as other, ThreadPoolExecutor(2) as threads:
        composing = threads.submit(Work(configuration, other).advance, at(29))
        threads.submit(edit, work, seen, Change(drop=(6, 5)), places={}, actor="anna@desk", now=at(29)).result()
        composing.result()
        Work(configuration, other).advance(at(28))
    edition = cohorts(store)[""]
    assert not {5, 6} & set(edition.edition.article_ids)
    used = store.read(lambda c: set(c.execute(select(tables.article_uses.c.article_id)).scalars()))
    assert used == set(edition.edition.article_ids)
    assert today(store).state is _S.APPROVED
    assert store.read(pieces.keys, edition.id, edition.revision)


def test_what_was_approved_of_an_older_revision_is_not_approved(configuration: Configuration, store: Store) -> None:
    work = composed(configuration, store)
    change(work, Change(drop=stories(store)[:1]))
    seen = today(store)
    change(work, Change(drop=stories(store)[:1]))
    assert work.prepare(seen, at(10)).state is _S.COMPOSED
    assert work.prepare(today(store), at(10)).state is _S.APPROVED


def test_edits_that_cannot_be_read_hold_their_one_occurrence(configuration: Configuration, store: Store) -> None:
    composed(configuration, store, at(60))
    rows = tables.occurrences
    broken = update(rows).where(rows.c.id == today(store).id).values(layer={"colour": "red"})
    store.write(lambda connection: connection.execute(broken))
    Work(configuration, store).advance(SEVEN)
    assert today(store).state is _S.HELD
    assert "its edits cannot be read (unknown: colour)" in today(store).detail
    Work(configuration, store).advance(SEVEN + timedelta(days=1))
    assert {str(row.occurrence): row.state for row in store.read(occurrences.listing)}["2026-11-02/1"] is _S.SENDING
    change(Work(configuration, store), Change(clear=True))
    assert today(store).edits == Edits()


def test_what_changes_nothing_or_leaves_nothing_is_refused(configuration: Configuration, store: Store) -> None:
    work = composed(configuration, store)
    change(work, Change(texts={"subject": "Mine"}))
    with pytest.raises(NothingToDo):
        change(work, Change(texts={"subject": "Mine"}))
    with pytest.raises(NothingToDo):
        change(work, Change())
    with pytest.raises(UsageError, match="no story would be left"):
        change(work, Change(drop=stories(store)))
    seen = today(store)
    change(work, Change(texts={"subject": "Yours"}))
    with pytest.raises(EditedMeanwhile):
        edit(work, seen, Change(texts={"subject": "Theirs"}), places={}, actor="ben@desk", now=at(5))
    assert today(store).edits == Edits(subject="Yours")
