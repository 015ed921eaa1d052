"""Runs the console script in a folder made by ``newsletter init``, and says what came out."""

from __future__ import annotations

from pathlib import Path

from newsletter.config import starting
from newsletter.store import Store
from tests.support.commands import Ran, run_anew, run_forked


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
        return run_anew(self.path, *arguments, stdin=stdin)

    def run(self, *arguments: str, stdin: str = "") -> Ran:
        """The same in a process forked from one that has imported everything: a tenth of the time."""
        return run_forked(self.path, *arguments, stdin=stdin)
