"""An edition over its size budget: briefs give way before it goes out, are explained, and are free for the next one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select
from structlog.testing import capture_logs

from newsletter.compose.edits import Change
from newsletter.compose.explaining import explain
from newsletter.config.reading import load
from newsletter.model import OccurrenceState, Reason, RenderedKey, StreamName
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.making import make_preview
from newsletter.render.fitting import largest_html
from newsletter.schedule import by_hand
from newsletter.schedule.editing import edit
from newsletter.schedule.work import Work
from newsletter.store import Store, editions, occurrences, pieces
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.tables import article_uses
from tests.support.site_folder import SiteFolder

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
BUDGET = 22_000
_S = OccurrenceState


@pytest.fixture
def work(tmp_path: Path, store: Store, store_url: str) -> Work:
    """A daily of forty stories, which are too many for its budget; composed and rendered, not yet due."""
    site = SiteFolder(tmp_path, store_url, 25, zone="UTC", most=40)
    file = site.path / "schedules.yaml"
    text = file.read_text().replace("max: 5}]", f"max: 40}}]\n    size_budget: {BUDGET}")
    file.write_text(text)
    site.fill(readers=1, stories=40, seen_at=SEVEN - timedelta(hours=2))
    return Work(load(file, {}), store)


def of(store: Store, day: str) -> tuple[OccurrenceRow, EditionRow]:
    row = next(row for row in store.read(occurrences.listing) if str(row.occurrence) == f"2026-11-{day}/1")
    [edition] = store.read(editions.for_occurrence, row.id)
    return row, edition


def held(store: Store, edition: EditionRow) -> set[int]:
    uses = select(article_uses.c.article_id).where(article_uses.c.edition_id == edition.id)
    return set(store.read(lambda connection: connection.execute(uses).scalars().all()))


def test_what_gave_way_is_explained_logged_previewed_and_in_the_next_edition(work: Work, store: Store) -> None:
    before = make_preview(
        work.configuration, store, StreamName("daily"), reader=KeyFacts(), now=SEVEN - timedelta(minutes=20)
    )
    structlog.reset_defaults()  # a command of another test may have asked for warnings only
    with capture_logs() as logged:
        work.advance(SEVEN - timedelta(minutes=20))
    row, edition = of(store, "01")
    assert row.state is _S.APPROVED, row.detail
    reasons = {one.article_id: one for one in store.read(editions.why, row.id)}
    trimmed = {article for article, one in reasons.items() if one.reason is Reason.TRIMMED}
    assert trimmed
    assert trimmed.isdisjoint(edition.article_ids)
    assert len(trimmed) + len(edition.article_ids) == 40
    assert held(store, edition) == edition.article_ids
    assert all("size_budget is 22,000" in reasons[article].detail for article in trimmed)
    words = {one.article_id: one.words for one in explain(list(reasons.values()), ("National",))}
    assert all("size_budget" in words[article] for article in trimmed)
    assert [set(one["articles"]) for one in logged if one["event"] == "trimmed"] == [trimmed]
    for key in ("free", "member"):
        made = store.read(pieces.load, edition.id, edition.revision, RenderedKey("en", key))
        assert largest_html(made) <= BUDGET

    after = make_preview(
        work.configuration, store, StreamName("daily"), reader=KeyFacts(), now=SEVEN - timedelta(minutes=20)
    )
    assert before.message == after.message
    assert f"{len(trimmed)} stories give way: " in before.notices[0]
    assert "size_budget is 22,000" in before.notices[0]
    for shown in (before, after):
        assert sum("size_budget" in one.words for one in shown.stories) == len(trimmed)
        assert sum(one.shown for one in shown.stories) == len(edition.article_ids)

    work.advance(SEVEN)
    work.advance(SEVEN + timedelta(days=1))
    next_row, next_edition = of(store, "02")
    assert next_edition.article_ids == trimmed
    assert not any(one.reason is Reason.TRIMMED for one in store.read(editions.why, next_row.id))


def test_a_dry_run_foresees_what_gives_way_and_what_is_linted_is_what_would_be_sent(work: Work, store: Store) -> None:
    now = SEVEN - timedelta(minutes=40)
    plan = by_hand.plan_send(work.configuration, store, StreamName("daily"), extra=False, now=now)
    foreseen = by_hand.foresee(work, plan, now)
    work.advance(SEVEN - timedelta(minutes=20))
    row, _ = of(store, "01")
    trimmed = {one.article_id for one in store.read(editions.why, row.id) if one.reason is Reason.TRIMMED}
    assert set(foreseen.trimmed) == trimmed
    assert foreseen.trimmed_why.endswith("size_budget is 22,000")
    assert not any("size" in one.what for one in foreseen.failed)


def test_rendering_again_changes_nothing(work: Work, store: Store) -> None:
    work.advance(SEVEN - timedelta(minutes=20))
    _, edition = of(store, "01")
    assert work.render(edition) == edition
    assert of(store, "01")[1] == edition


def test_an_edit_that_makes_room_brings_back_what_gave_way(work: Work, store: Store) -> None:
    work.advance(SEVEN - timedelta(minutes=20))
    row, edition = of(store, "01")
    away = sorted(edition.article_ids)[:5]
    edit(work, row, Change(drop=tuple(away)), places={}, actor="Asha", now=SEVEN - timedelta(minutes=10))
    row, changed = of(store, "01")
    back = changed.article_ids - edition.article_ids
    assert back
    assert held(store, changed) == changed.article_ids
    reasons = {one.article_id: one.reason for one in store.read(editions.why, row.id)}
    assert {reasons[article] for article in changed.article_ids} == {Reason.CHOSEN}
    assert {reasons[article] for article in away} == {Reason.BLOCKED}
    assert Reason.TRIMMED in reasons.values()


def test_a_held_edition_is_trimmed_too_and_one_being_sent_is_left_alone(work: Work, store: Store) -> None:
    work.advance(SEVEN - timedelta(minutes=20))
    row, edition = of(store, "01")
    store.write(occurrences.hold, row.id, reason=Reason.BY_HAND, detail="wait", now=SEVEN)
    row, _ = of(store, "01")
    away = sorted(edition.article_ids)[:1]
    edited = edit(work, row, Change(drop=tuple(away)), places={}, actor="Asha", now=SEVEN)
    assert edited.error is None
    row, changed = of(store, "01")
    assert row.state is _S.HELD
    assert 0 < len(changed.article_ids) < 39
    assert held(store, changed) == changed.article_ids
