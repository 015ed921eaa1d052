"""``newsletter schedule --json``: each local date has each of its turns once and in order, in every sort of zone.

What is expected is worked out here, from the zone's own rules, not by the code under test.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tests.support.site_folder import SiteFolder

TIMES = ("00:00", "00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "07:00")
ODD = (
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Santiago",
    "Europe/Berlin",
    "America/New_York",
)
FIRST, LAST = date(2026, 7, 1), date(2027, 6, 30)


def zones(number: int) -> list[str]:
    every = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("posix", "right")))
    return [*ODD, *random.Random(20261123).sample([zone for zone in every if zone not in ODD], number - len(ODD))]


def write_site(folder: Path, chosen: list[str]) -> SiteFolder:
    """A newsletter a zone with all times, and for the odd zones one a time as well."""
    site = SiteFolder(folder, f"sqlite:///{folder}/n.db", 25)
    head = (folder / "schedules.yaml").read_text().partition("newsletters:")[0]
    lines = [head, "newsletters:\n"]

    def newsletter(name: str, zone: str, at: str) -> None:
        lines.append(
            f'  {name}: {{title: {name}, from: "{name}@news.example", schedule: {{at: {at}, timezone: {zone}}}}}\n'
        )

    for number, zone in enumerate(chosen):
        newsletter(f"all{number}", zone, "[" + ", ".join(f'"{at}"' for at in TIMES) + "]")
        if zone in ODD:
            for turn, at in enumerate(TIMES):
                newsletter(f"one{number}-{turn}", zone, f'"{at}"')
    (folder / "schedules.yaml").write_text("".join(lines))
    return site


def shown(site: SiteFolder) -> dict[str, list[dict[str, str]]]:
    ran = site.command("schedule", "--from", FIRST.isoformat(), "--to", LAST.isoformat(), "--json", timeout=600)
    assert ran.code == 0, ran.err
    found: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in ran.json:
        found[row["newsletter"]].append(row)
    return found


def check(rows: list[dict[str, str]], zone: str, times: tuple[str, ...]) -> None:
    place = ZoneInfo(zone)
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    expected = [f"{day}/{ordinal}" for day in days for ordinal in range(1, len(times) + 1)]
    assert [row["occurrence"] for row in rows] == expected, zone
    instants = [datetime.fromisoformat(row["utc"]) for row in rows]
    assert all(earlier <= later for earlier, later in pairwise(instants)), zone
    assert len(times) > 1 or len(set(instants)) == len(instants), zone
    for row, instant in zip(rows, instants, strict=True):
        day, _, ordinal = row["occurrence"].partition("/")
        wall = datetime.fromisoformat(f"{day}T{times[int(ordinal) - 1]}")
        there = instant.astimezone(place).replace(tzinfo=None)
        exists = wall.replace(tzinfo=place).astimezone(UTC).astimezone(place).replace(tzinfo=None) == wall
        if exists:
            assert there == wall, (zone, row)
            assert instant == wall.replace(tzinfo=place, fold=0).astimezone(UTC), "the first of two"
        else:
            # Forward by the gap, or to the schedule's next turn where that comes before.
            assert wall < there <= wall + timedelta(hours=3), (zone, row)


def test_sixty_zones_and_eight_times_for_a_year(tmp_path: Path) -> None:
    run(tmp_path, zones(60))


@pytest.mark.soak
def test_every_zone_and_eight_times_for_a_year(tmp_path: Path) -> None:
    every = sorted(zone for zone in available_timezones() if zone not in {"localtime", "Factory"})
    run(tmp_path, every)


def run(folder: Path, chosen: list[str]) -> None:
    found = shown(write_site(folder, chosen))
    for number, zone in enumerate(chosen):
        check(found[f"all{number}"], zone, TIMES)
        if zone in ODD:
            for turn, at in enumerate(TIMES):
                check(found[f"one{number}-{turn}"], zone, (at,))
