"""The benchmarks run; what they measure is for `make bench`."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks import preference_page, preferences, render
from benchmarks.delivery_site import Site, fill, queue, sample
from newsletter.store import Store


def test_the_rendering_benchmark_gives_its_figures() -> None:
    results = render.measure(messages=20, rounds=1, distinct=5, naive_messages=1)
    assert list(results) == [
        "naive_over_ours_10_keys",
        "naive_over_ours_all_distinct",
        "ours_over_concatenation",
        "first_variant_ms",
        "next_key_ms",
        "peak_rss_mb",
    ]
    assert results["peak_rss_mb"] > 50
    assert results["first_variant_ms"] > results["next_key_ms"] > 0


def test_the_delivery_benchmark_has_an_edition_of_its_size_to_send(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path}/n.db")
    site.configure(25)
    configuration = site.configuration()
    with Store.open(site.store_url) as store:
        fill(store, 20)
        assert queue(configuration, store) == 20, "no gate holds it"
        sizes = [len(message) for message in sample(configuration, store, 20)]
    assert 35_000 < statistics.mean(sizes) < 60_000


def test_the_preference_page_benchmark_gives_its_figures() -> None:
    results = preference_page.measure(30, requests=3)
    kinds = {name.rpartition("_ms")[0] for name, took in results.items() if name != "subscribers" and took > 0}
    assert kinds == {f"{kind}_{figure}" for kind in ("get", "save", "data") for figure in ("median", "p95")}


def test_the_preferences_benchmark_gives_its_figures_and_loses_nobody() -> None:
    results = preferences.measure(20, zones=2, hours=1)
    assert results["editions"] >= 2
    assert results["cohorts_over_single"] > 0
    assert results["compose_day_s"] > 0
    assert results["peak_rss_mb"] > 50
