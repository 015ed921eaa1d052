"""Writes a secret into a file that is not there yet: whole or not at all, for its owner's eyes."""

from __future__ import annotations

import os
from pathlib import Path


def write_new_secret(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, mode 0600, and on to the disk. Raises FileExistsError (it is never replaced) and
    OSError; half a file is not left behind, for it would be taken for a secret that was lost."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise
