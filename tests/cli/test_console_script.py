"""The console script itself: quick to start, light to load, and one line for a wrong command line."""

from __future__ import annotations

import subprocess
import sys

from tests.support.commands import REPOSITORY
from tests.support.console import Folder

_HEAVY = ("aiohttp", "alembic", "fastapi", "feedparser", "premailer", "pydantic", "sqlalchemy", "trafilatura")


def test_help_names_every_command_and_loads_no_heavy_library() -> None:
    program = (
        "import sys; sys.argv = ['newsletter', '--help']\n"
        "from newsletter.cli import main\n"
        "try: main()\n"
        f"except SystemExit: sys.exit(', '.join(name for name in {_HEAVY!r} if name in sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (1, "\n"), ended
    for command in ("init", "check", "collect", "subscribers", "editions", "deliveries", "articles", "why", "status"):
        assert f" {command} " in ended.stdout


def test_a_whole_life_in_a_python_of_its_own_for_each_command(folder: Folder) -> None:
    (folder.path / "inbox/dam.txt").write_text("The dam opens its gates\n\nWater reached the villages.\n")
    for arguments in (
        ["check"],
        ["collect"],
        ["subscribers", "add", "asha@example.org", "-n", "daily"],
        ["editions", "list"],
        ["why", "asha@example.org", "daily@2099-12-01/1"],
    ):
        ended = folder.start(*arguments)
        assert (ended.code, ended.err) == (0, ""), arguments
    folder.start("status").refused(1, "no scheduler has ever run")


def test_a_wrong_command_line_is_one_line(folder: Folder) -> None:
    folder.run("colect").refused(2, "colect")
    folder.run("schedule", "--form", "2026-11-01").refused(2, "--form", "`newsletter schedule --help`")
    folder.run("--now", "yesterday", "schedule").refused(2, "--now", "'yesterday' is not a time")
    folder.run("articles", "show", "one").refused(2, "'ID'")
