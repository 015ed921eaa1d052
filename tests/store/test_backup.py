"""A backup is one snapshot, beside writers, and there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from newsletter.errors import StoreError, UsageError
from newsletter.store import Store, backup
from newsletter.store.backup import back_up
from newsletter.store.new_file import new_file
from newsletter.store.subscribers import count
from tests.builders import add_subscribers


def test_a_backup_ends_while_others_write_and_is_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "_PAGES_AT_ONCE", 1)
    with Store.open(f"sqlite:///{tmp_path}/newsletter.db") as store:
        add_subscribers(store, 500)
        before = store.read(count)
        steps: list[int] = []

        def write_between_the_pages(done: int, _total: int) -> None:
            if len(steps) < 20:
                add_subscribers(store, 1, first=1000 + len(steps))
            steps.append(done)

        size = back_up(tmp_path / "newsletter.db", tmp_path / "copy.db", write_between_the_pages)
        assert store.read(count) == before + 20
    assert steps == sorted(steps)  # the copy never had to start afresh
    assert size == (tmp_path / "copy.db").stat().st_size
    with Store.open(f"sqlite:///{tmp_path}/copy.db") as copy:
        assert copy.read(count) == before


def test_a_backup_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/newsletter.db") as store:
        add_subscribers(store, 5)

    def full(_done: int, _total: int) -> None:
        raise OSError(28, os.strerror(28))

    with pytest.raises(StoreError, match="No space left"):
        back_up(tmp_path / "newsletter.db", tmp_path / "copy.db", full)
    assert [path.name for path in tmp_path.iterdir()] == ["newsletter.db"]


def test_a_file_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"

    def write() -> None:
        with new_file(target) as part:
            part.write_text("new")
            target.write_text("somebody else's")

    with pytest.raises(UsageError, match="there is such a file"):
        write()
    assert target.read_text() == "somebody else's"
    assert list(tmp_path.iterdir()) == [target]
