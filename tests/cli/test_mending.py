"""editions stop, resume, cancel, retry: what they say, and that wrong moments are refused in one line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from newsletter.model import DeliveryState, OccurrenceState, Reason
from newsletter.store import tables
from newsletter.store.fan_out import fan_out_page
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.support.console import Folder

EDITION = "daily@2026-11-23/1"


@pytest.fixture
def going_out(folder: Folder) -> Folder:
    """A folder whose daily goes out to three readers, with nobody sending at the moment."""
    with folder.store() as store:
        add_subscribers(store, 3)
        _, edition_id = add_occurrence(store)
        while store.write(fan_out_page, edition_id, languages=("en",), expires_at=NOW + timedelta(hours=8), now=NOW):
            pass
    return folder


def test_an_edition_is_stopped_goes_on_and_is_cancelled(going_out: Folder) -> None:
    stopped = going_out.run("editions", "stop", EDITION, "--because", "wrong picture", "--json").json
    assert (stopped["state"], stopped["deliveries"]["queued"], stopped["deliveries"]["sent"]) == ("stopped", 3, 0)
    going_out.run("editions", "stop", EDITION).refused(2, "is stopped", "editions resume")
    assert "wrong picture" in going_out.run("editions", "show", EDITION).out
    assert "3 to go" in going_out.run("editions", "resume", EDITION).out
    going_out.run("editions", "resume", EDITION).refused(2, "is sending")
    going_out.run("editions", "cancel", EDITION).refused(2, "is sending", "editions stop")
    going_out.run("editions", "stop", EDITION)
    assert "0 have it, 3 have it not" in going_out.run("editions", "cancel", EDITION).out
    rows = going_out.run("deliveries", "list", EDITION, "--json").json
    assert {(row["state"], row["reason"]) for row in rows} == {("skipped", "cancelled")}
    acts = [act["action"] for act in going_out.run("editions", "show", EDITION, "--json").json["audit"]]
    assert acts == ["cancel", "stop", "resume", "stop"]


def test_what_has_not_begun_is_held_not_stopped(folder: Folder) -> None:
    with folder.store() as store:
        add_occurrence(store, state=OccurrenceState.APPROVED)
    folder.run("editions", "stop", EDITION).refused(2, "is approved", "editions hold")
    folder.run("editions", "stop", "daily@2026-11-24/1").refused(2, "daily@2026-11-24/1")


def test_the_failed_are_queued_again(going_out: Folder) -> None:
    going_out.run("editions", "retry", EDITION).refused(3, "no failed deliveries")
    with going_out.store() as store:
        failed = {"state": DeliveryState.FAILED.value, "reason": Reason.REFUSED_CONTENT.value, "attempt": 1}
        store.write(lambda c: c.execute(update(tables.deliveries).values(**failed)))
    going_out.run("editions", "retry", EDITION, "--reason", "expird").refused(2, "expired")
    going_out.run("editions", "retry", EDITION, "--reason", "expired").refused(3, "no failed deliveries")
    assert "3 deliveries" in going_out.run("editions", "retry", EDITION).out
    rows = going_out.run("deliveries", "list", EDITION, "--json").json
    assert {(row["state"], row["attempt"]) for row in rows} == {("queued", 0)}
