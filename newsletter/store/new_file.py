"""A new file that is there whole or not at all: written under another name beside it, then given its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.errors import UsageError


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """The path of an empty file, mode 0600, that becomes ``target`` when the block ends well and is gone otherwise.

    Raises UsageError where ``target`` exists (it is never replaced) or its folder does not, and OSError.
    """
    if os.path.lexists(target):
        raise _is_there(target)
    if not target.parent.is_dir():
        raise UsageError("there is no such folder", where=str(target.parent), remedy="Make it, or name another file")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        _to_disk(part)
        try:
            os.link(part, target)
        except FileExistsError:
            raise _is_there(target) from None
        except OSError:  # a file system without hard links
            part.rename(target)
        _to_disk(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _is_there(target: Path) -> UsageError:
    return UsageError("there is such a file, and it is left as it is", where=str(target), remedy="Name another file")


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
