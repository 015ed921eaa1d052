"""Runs commands of the console script in processes forked from one that has imported everything already.

``python -m tests.support.command_server``: a line of JSON in, ``{"cwd", "argv", "stdin", "seconds"}``; one out,
``{"code", "out", "err"}``. Each command has a process, a folder and standard streams of its own.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import tempfile
from importlib import import_module
from typing import IO, Any

_IMPORTED_BEFORE = (
    "alembic.command",
    "alembic.config",
    "newsletter.cli.register",
    "newsletter.config.checking",
    "newsletter.members.exchange",
    "newsletter.schedule.by_hand",
    "newsletter.schedule.correcting",
    "newsletter.schedule.explaining",
    "newsletter.schedule.next_editions",
    "newsletter.schedule.rehearsing",
    "newsletter.schedule.running",
    "newsletter.schedule.watching",
    "newsletter.store.decisions",
    "rich.progress",
    "rich.table",
    "ruamel.yaml",
    "uvloop",
)


def serve() -> None:
    """Answer requests until the input ends."""
    for name in _IMPORTED_BEFORE:
        import_module(name)
    while line := _line():
        request = json.loads(line)
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(request["stdin"].encode())
            given.seek(0)
            child = os.fork()
            if child == 0:
                _command(request, given, out, err)
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            answer = {"code": code, "out": _text(out), "err": _text(err)}
        os.write(1, json.dumps(answer).encode() + b"\n")


def _line() -> bytes:
    # Unbuffered: a child must not inherit half of the next request.
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            return b""
        line += read
    return line


def _command(request: dict[str, Any], given: IO[bytes], out: IO[bytes], err: IO[bytes]) -> None:
    from newsletter.cli import main

    code = 70
    try:
        signal.alarm(request["seconds"])
        for target, file in enumerate((given, out, err)):
            os.dup2(file.fileno(), target)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
        os.chdir(request["cwd"])
        sys.argv = ["newsletter", *request["argv"]]
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    serve()
