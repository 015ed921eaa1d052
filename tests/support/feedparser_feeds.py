"""The feeds of feedparser's source distribution: 2,242 files that its own tests read, many of them broken on purpose.

They are not ours to keep here, so the distribution is had from the package index, as ``tests/locks/feedparser.lock``
names it, and unpacked beside the packages of this environment.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "tests" / "locks" / "feedparser.lock"

_HEADER = re.compile(rb"^Header:\s+content-type:\s*(.+)$", re.MULTILINE | re.IGNORECASE)


def unpacked() -> Path:
    """The folder of the unpacked distribution, fetched by pip if this environment has not got it yet."""
    folder = Path(sys.prefix) / "feedparser-source"
    stamp = folder / ".ready"
    if stamp.exists() and stamp.read_text() == LOCK.read_text():
        return folder
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
        command += ["--no-binary", ":all:", "--no-deps", "--require-hashes", "-r", str(LOCK), "-d", downloads]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
        (archive,) = Path(downloads).glob("*.tar.gz")
        with tarfile.open(archive) as source:
            source.extractall(folder, filter="data")
    stamp.write_text(LOCK.read_text())
    return folder


def feeds(folder: Path) -> list[Path]:
    """The feed files below ``folder``, in an order that is always the same."""
    return sorted(folder.rglob("tests/**/*.xml"))


def content_type(body: bytes) -> str:
    """The Content-Type that a file wants to be served with, which it says in a comment; '' if it does not say."""
    match = _HEADER.search(body)
    return match[1].decode("ascii", "replace").strip() if match else ""
