"""The benchmarks run; what they measure is for `make bench`."""

from __future__ import annotations

from benchmarks import render


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
