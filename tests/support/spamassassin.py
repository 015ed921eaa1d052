"""The SpamAssassin that judges mails: the installed one, else Debian's packages unpacked where no root is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_BIN = Path(sys.prefix) / "bin"
_FOLDER = Path(sys.prefix) / "spamassassin"
_PATH = os.pathsep.join((os.environ.get("PATH", ""), str(_BIN)))
# As Debian's own start: taint mode takes module folders from -I alone.
_START = """#!/bin/sh
exec perl -T -I{root}/usr/share/perl5 -I{compiled} {root}/usr/bin/spamassassin \\
  -C {root}/usr/share/spamassassin --siteconfigpath={root}/etc/spamassassin "$@"
"""


def find_spamassassin() -> str | None:
    """The executable; None where there is none."""
    return shutil.which("spamassassin", path=_PATH)


def unpack() -> None:
    """Fetch Debian's packages, what they need beyond perl itself included, and unpack them into this environment.

    Says nothing where that fails: then there is no executable either.
    """
    planned = _output("apt-get", "install", "--simulate", "--no-install-recommends", "spamassassin")
    packages = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    packages = [name for name in packages if not name.startswith(("perl", "libperl5"))]  # of perl's own version
    if "spamassassin" not in packages:
        return
    root = _FOLDER / "root"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as fetched:
        _output("apt-get", "-qq", "download", *packages, cwd=fetched)
        for package in sorted(Path(fetched).glob("*.deb")):
            _output("dpkg", "-x", str(package), str(root))
    compiled = next(root.glob("usr/lib/*/perl5/*"), None)
    if compiled is None:
        return
    start = _FOLDER / "start"
    start.write_text(_START.format(root=root, compiled=compiled), encoding="utf-8")
    start.chmod(0o755)
    if _output(str(start), "--version").startswith("SpamAssassin"):
        (_BIN / "spamassassin").unlink(missing_ok=True)
        (_BIN / "spamassassin").symlink_to(start)


def reports(messages: list[bytes]) -> list[str]:
    """What ``spamassassin -L -t`` reports on each message: its table of rules. One start for all of them."""
    program = find_spamassassin()
    assert program is not None, "SpamAssassin is needed: run `make test`, which gets it, or install spamassassin"
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number:03}.eml" for number in range(len(messages))]
        for path, message in zip(paths, messages, strict=True):
            path.write_bytes(message)
        said = _output(program, "-L", "-t", "-x", "--cf=report_safe 0", *map(str, paths), cwd=folder, home=folder)
    tables = [part.split("\n\n")[1] for part in said.split("Content analysis details:")[1:]]
    assert len(tables) == len(messages), f"SpamAssassin reported on {len(tables)} of {len(messages)} messages"
    return tables


def _output(*command: str, cwd: str | None = None, home: str | None = None) -> str:
    ended = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "HOME": home} if home else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
        check=False,
    )
    return ended.stdout.decode("utf-8", "replace")
