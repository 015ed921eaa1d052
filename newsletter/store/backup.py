"""A copy of an SQLite database while others use it -> one file, whole or not there at all.

SQLite's online backup copies one snapshot, page by page, beside readers and writers. The store is not opened for this:
a backup comes before a migration.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from newsletter.errors import StoreError, StoreFull
from newsletter.store.new_file import new_file

_PAGES_AT_ONCE = 2_000
_FULL = ("disk is full", "disk I/O error")


def back_up(database: Path, target: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> int:
    """Copy ``database`` to ``target`` (mode 0600) and return its bytes; ``progress`` gets pages done and pages in all.

    Raises UsageError where the target exists or its folder does not, StoreError where it cannot be read or written.
    """
    if not database.is_file():
        raise StoreError("there is no database yet", where=str(database), remedy="Run `newsletter store migrate`")
    try:
        with new_file(target) as part:
            _copy(database, part, progress)
            return part.stat().st_size
    except sqlite3.Error as error:
        raise _store_error(error, target) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        leaf = StoreFull if full else StoreError
        raise leaf(f"the backup cannot be written: {error.strerror}", where=str(target)) from error


def _copy(database: Path, part: Path, progress: Callable[[int, int], None]) -> None:
    try:
        with (
            # Not mode=ro: that leaves -shm and -wal files behind which the next user of the store may not write.
            closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            # With a read transaction open the copy is of one snapshot; otherwise each foreign write starts it afresh.
            source.isolation_level = None
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copy, pages=_PAGES_AT_ONCE, progress=lambda _, left, total: progress(total - left, total))
            source.execute("ROLLBACK")
    finally:
        for suffix in ("-wal", "-shm", "-journal"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)


def _store_error(error: sqlite3.Error, target: Path) -> StoreError:
    text = str(error)
    if any(words in text for words in _FULL):
        return StoreFull(f"the disk is full or cannot be written ({text})", where=str(target), remedy="Free space")
    return StoreError(f"the backup failed: {text}", where=str(target))
