"""Runs the console script in a folder made by ``newsletter init``, and says what came out."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from newsletter.config import starting
from newsletter.store import Store

REPOSITORY = Path(__file__).parents[2]


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


class Folder:
    """A publisher's folder: ``schedules.yaml`` with ``daily`` (sections News and World) in production."""

    def __init__(self, path: Path, *, initialised: bool = True) -> None:
        self.path = path
        if initialised:
            starting.initialise(path)
            self.edit("environment: staging", "environment: production")
            self.edit("timezone: UTC", "timezone: Asia/Kolkata")
            self.edit(
                "- {name: News, max: 10}", "- {name: News, match: {section: News}, max: 10}\n      - {name: World}"
            )
            self.edit("    sections:", "    gates: {web: false}\n    sections:")  # most tests serve no pages
            self.edit("# Where links and", 'web: {url: "http://127.0.0.1:8025"}\n# Where links and')
            self.edit("# The SMTP servers", "relays: {main: {host: 127.0.0.1, port: 1, tls: none}}\n# The SMTP servers")

    def edit(self, old: str, new: str, file: str = "schedules.yaml") -> None:
        """Replace a text that is in a file of the folder."""
        text = (self.path / file).read_text(encoding="utf-8")
        assert old in text, old
        (self.path / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    def store(self) -> Store:
        """Its store, opened here."""
        return Store.open(f"sqlite:///{self.path}/newsletter.db")

    def start(self, *arguments: str, stdin: str = "") -> Ran:
        """Run one command to its end, in a Python of its own."""
        ended = subprocess.run(
            [sys.executable, "-m", "newsletter", *arguments],
            cwd=self.path,
            env=_environment(),
            input=stdin.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def run(self, *arguments: str, stdin: str = "") -> Ran:
        """The same in a process forked from one that has imported everything: a tenth of the time."""
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        request = {"cwd": str(self.path), "argv": arguments, "stdin": stdin}
        with _one_at_a_time:
            server.stdin.write(json.dumps(request).encode() + b"\n")
            server.stdin.flush()
            return Ran(**json.loads(server.stdout.readline()))


_one_at_a_time = threading.Lock()


@cache
def _server() -> subprocess.Popen[bytes]:
    """The process that commands are forked from; it ends when its input does, with us."""
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
