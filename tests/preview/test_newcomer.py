"""The newcomer's path of docs/writing-templates.md, walked through as it is written, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.preview.pages import mail, ready
from tests.support.waiting import wait_for

DOCUMENT = Path(__file__).parents[2] / "docs" / "writing-templates.md"


def test_the_path_works_as_written(page: Page, tmp_path: Path) -> None:
    begin, colour, size, block, *_ = _steps()
    [commands] = _blocks(begin)
    assert [line.split()[0] for line in commands] == ["newsletter", "cd", "newsletter"]
    _run(commands[0], tmp_path)
    folder = tmp_path / commands[1].split()[1]
    with _previewing(commands[2], folder) as url:
        ready(page, url)
        body = mail(page)
        expect(body.locator(".kicker").first).to_have_css("color", "rgb(122, 31, 31)")
        _change(colour, folder)
        expect(body.locator(".kicker").first).to_have_css("color", "rgb(11, 93, 75)")
        expect(body.locator(".lead .title").first).to_have_css("font-size", "30px")
        _change(size, folder)
        expect(body.locator(".lead .title").first).to_have_css("font-size", "40px")
        _change(block, folder)
        expect(body.locator(".greeting")).to_have_text("Good morning, reader.")
        expect(page.locator("#findings .error")).to_have_count(0)


def _steps() -> list[str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.partition("## From nothing to a look of your own\n")[2].partition("\n## ")[0]
    return re.split(r"\n\*\*\d\. ", section)[1:]


def _blocks(step: str) -> list[list[str]]:
    """The indented blocks of a step, without their indent."""
    found = re.findall(r"(?:^    .*\n)+", step + "\n", re.MULTILINE)
    return [[line[4:] for line in block.splitlines()] for block in found]


def _change(step: str, folder: Path) -> None:
    """Run a step's commands, then change the file it names as its block says."""
    *commands, change = _blocks(step)
    for command in commands:
        _run(command[0], folder)
    named = re.findall(r"In `([^`]+)`:", step)[-1]
    file = folder / named
    old = "\n".join(line[1:] for line in change if line.startswith("-"))
    new = "\n".join(line[1:] for line in change if line.startswith("+"))
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} does not stand once in {named}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def _arguments(command: str) -> list[str]:
    return [sys.executable, "-m", *command.removesuffix(" --open").split()]


def _run(command: str, folder: Path) -> None:
    done = subprocess.run(_arguments(command), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def _previewing(command: str, folder: Path, extra: Sequence[str] = ()) -> Iterator[str]:
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    log = folder / "preview.log"
    with log.open("wb") as written:
        process = subprocess.Popen([*_arguments(command), *extra], cwd=folder, env=environ, stdout=written)
    try:
        wait_for(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, "the address")
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", log.read_text())
        assert found, log.read_text()
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)
