"""The console script with only time replaced: ``python -m tests.support.run_at START SPEED ARGUMENTS…``.

The clock stands at START (ISO 8601) when the program first asks for the time and runs SPEED times as fast as the real
one; while there is a file ``clock-stepped-back`` in its folder it shows an hour less. Where there is a file
``final-dot-seconds``, a relay with a ``timeout`` may think for so long about a final dot, not ten minutes. Nothing else
differs from ``newsletter ARGUMENTS…``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from newsletter.cli import main, options
from newsletter.deliver import timeouts

FINAL_DOT = "final-dot-seconds"


def replaced(start: datetime, speed: float) -> Callable[[str], Callable[[], datetime]]:
    """A stand-in for ``options.clock_at``."""
    begun: list[float] = []

    def now() -> datetime:
        if not begun:
            begun.append(time.monotonic())
        step = timedelta(hours=1) if Path("clock-stepped-back").exists() else timedelta()
        return start + timedelta(seconds=(time.monotonic() - begun[0]) * speed) - step

    return lambda _text: now


if __name__ == "__main__":
    vars(options)["clock_at"] = replaced(datetime.fromisoformat(sys.argv[1]), float(sys.argv[2]))
    if Path(FINAL_DOT).exists():
        vars(timeouts)["FINAL_DOT_SECONDS"] = float(Path(FINAL_DOT).read_text())
    sys.argv = ["newsletter", *sys.argv[3:]]
    main()
