"""Functions for worker processes to do, well or badly."""

from __future__ import annotations

import os
import signal
import sys
import time

from newsletter.errors import SourceError


def double(number: int) -> int:
    return 2 * number


def process_id() -> int:
    return os.getpid()


def never_return() -> None:
    while True:
        time.sleep(1)


def spin() -> None:
    while True:
        pass


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(3)


def refuse() -> None:
    raise SourceError("it is not what it should be", where="front", remedy="Look at it")


def stumble() -> None:
    raise RecursionError("too deep\nand more")


def hoard() -> int:
    return len(bytearray(8 << 30))


def chatter() -> str:
    print("words on standard output")
    sys.stdout.flush()
    return "done"


def large() -> bytes:
    return bytes(20_000_000)
