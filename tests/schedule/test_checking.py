"""Lint before a send: an error holds the occurrence and names its template, unless the newsletter's gate is off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.config.reading import load
from newsletter.model import OccurrenceState, Reason
from newsletter.render.templates import shipped_templates
from newsletter.schedule.work import Work
from newsletter.store import Store, occurrences
from newsletter.store.occurrences import OccurrenceRow
from tests.support.site_folder import SiteFolder

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> SiteFolder:
    """A site in UTC whose daily is due at 07:00."""
    return SiteFolder(tmp_path, store_url, 25, zone="UTC")


def override(site: SiteFolder, old: str, new: str) -> int:
    """The shipped footer with a fault, in the site's own templates; the line of the fault."""
    text = (shipped_templates() / "shared" / "footer.html").read_text(encoding="utf-8")
    assert old in text
    path = site.path / "templates" / "shared" / "footer.html"
    path.parent.mkdir(parents=True)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def prepared(site: SiteFolder, store: Store) -> OccurrenceRow:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    Work(load(site.path / "schedules.yaml", {}), store).advance(SEVEN - timedelta(minutes=10))
    return store.read(occurrences.listing)[-1]


def test_an_error_holds_the_occurrence_and_names_its_template(site: SiteFolder, store: Store) -> None:
    line = override(site, "<p class=", '<img src="https://x.example/a.png" width="9"><p class=')
    row = prepared(site, store)
    assert (row.state, row.reason) == (OccurrenceState.HELD, Reason.GATE)
    footer = site.path / "templates" / "shared" / "footer.html"
    assert row.detail.startswith(f"lint: {footer}:{line}: a picture has no alt text")


def test_a_warning_holds_nothing(site: SiteFolder, store: Store) -> None:
    override(site, ' role="presentation"', "")
    assert prepared(site, store).state is OccurrenceState.APPROVED


def test_a_newsletter_without_this_gate_goes_out_with_errors(site: SiteFolder, store: Store) -> None:
    override(site, "<p class=", '<img src="https://x.example/a.png" width="9"><p class=')
    file = site.path / "schedules.yaml"
    file.write_text(file.read_text().replace("{web: false}", "{web: false, lint: false}"))
    assert prepared(site, store).state is OccurrenceState.APPROVED
