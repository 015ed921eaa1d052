"""The benchmark of a save still finds, in the shipped templates, what it changes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.preview import a_site, savers


def test_each_save_of_the_benchmark_changes_its_file(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    for save in savers(site.path):
        before = _contents(site.path)
        save(7)
        assert len(_contents(site.path) ^ before) == 2  # one file, its words before and after


def _contents(folder: Path) -> frozenset[tuple[Path, bytes]]:
    files = (*folder.glob("templates/**/*"), folder / "schedules.yaml")
    return frozenset((path, path.read_bytes()) for path in files if path.is_file())
