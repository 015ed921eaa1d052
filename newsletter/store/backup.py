"""A copy of an SQLite database while others use it -> one file, whole or not there at all.

SQLite's online backup copies one snapshot, page by page, beside readers and writers; a temporary file beside the target
gets its name only once all of it is on disk. The store is not opened for this: a backup comes before a migration.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from newsletter.errors import StoreError, StoreFull, UsageError

_PAGES_AT_ONCE = 2_000
_FULL = ("disk is full", "disk I/O error")


def back_up(database: Path, target: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> int:
    """Copy ``database`` to ``target`` (mode 0600) and return its bytes; ``progress`` gets pages done and pages in all.

    Raises UsageError where the target exists or its folder does not, StoreError where it cannot be read or written.
    """
    if not database.is_file():
        raise StoreError("there is no database yet", where=str(database), remedy="Run `newsletter store migrate`")
    if os.path.lexists(target):
        raise UsageError("there is such a file, and it is left as it is", where=str(target), remedy="Name another file")
    if not target.parent.is_dir():
        raise UsageError("there is no such folder", where=str(target.parent), remedy="Make it, or name another file")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(database, part, progress)
        size = part.stat().st_size
        _give_name(part, target)
    except sqlite3.Error as error:
        raise _store_error(error, target) from error
    except FileExistsError:
        raise UsageError(
            "there is such a file, and it is left as it is", where=str(target), remedy="Name another file"
        ) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        leaf = StoreFull if full else StoreError
        raise leaf(f"the backup cannot be written: {error.strerror}", where=str(target)) from error
    finally:
        for leftover in (part, *(part.with_name(part.name + suffix) for suffix in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)
    return size


def _copy(database: Path, part: Path, progress: Callable[[int, int], None]) -> None:
    with (
        closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(part)) as copy,
    ):
        # With a read transaction open the copy is of one snapshot; otherwise each foreign write would start it afresh.
        source.isolation_level = None
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(
            copy, pages=_PAGES_AT_ONCE, progress=lambda _status, left, total: progress(total - left, total), sleep=0.0
        )
        source.execute("ROLLBACK")
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _give_name(part: Path, target: Path) -> None:
    """Name the finished copy without ever replacing a file."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        part.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _store_error(error: sqlite3.Error, target: Path) -> StoreError:
    text = str(error)
    if any(words in text for words in _FULL):
        return StoreFull(f"the disk is full or cannot be written ({text})", where=str(target), remedy="Free space")
    return StoreError(f"the backup failed: {text}", where=str(target))
