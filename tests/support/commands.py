"""Commands run to their end, and what they printed."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
LONGEST = 120  # seconds


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON; a failure shows everything else."""
        assert self.out.strip(), self
        return json.loads(self.out)

    def refused(self, code: int, *words: str) -> None:
        """Assert that it ended with ``code`` and one line on standard error that holds ``words``."""
        assert self.code == code, self
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        for word in words:
            assert word in lines[0], self


def run_forked(folder: Path, *arguments: str, stdin: str = "", seconds: int = LONGEST) -> Ran:
    """In a process forked from one that has imported everything: a tenth of the time. One that takes longer than
    ``seconds`` is killed: raises TimeoutExpired, as ``run_anew`` does."""
    try:
        server = _idle.pop()
    except IndexError:  # the first, or one command is run while another still runs
        server = _start()
    assert server.stdin is not None
    assert server.stdout is not None
    request = {"cwd": str(folder), "argv": arguments, "stdin": stdin, "seconds": seconds}
    server.stdin.write(json.dumps(request).encode() + b"\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    _idle.append(server)
    if answer["code"] == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(arguments, seconds, answer["out"], answer["err"])
    return Ran(**answer)


def run_anew(folder: Path, *arguments: str, stdin: str = "") -> Ran:
    """In a Python of its own, as a person starts it."""
    ended = subprocess.run(
        [sys.executable, "-m", "newsletter", *arguments],
        cwd=folder,
        env=_environment(),
        input=stdin.encode(),
        capture_output=True,
        timeout=LONGEST,
        check=False,
    )
    return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


_idle: list[subprocess.Popen[bytes]] = []
"""Processes that commands are forked from and that do nothing now; they end when their input does, with us."""


def _start() -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.command_server"],
        cwd=REPOSITORY,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(_end, server)
    return server


def _end(server: subprocess.Popen[bytes]) -> None:
    server.communicate()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "NEWSLETTER_CONFIG": ""}
