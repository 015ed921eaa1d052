"""How long a save takes until its picture stands in the browser, and what an open preview costs.

``python -m benchmarks.preview [--json] [--saves N]``. ``newsletter preview`` runs as a process of its own over an
edition of 12 stories; a system Chromium has its page open. Each save changes one file a little, in turn a story's
template, a shared partial, the inlined styles and ``schedules.yaml``; the clock runs from the write to the frame that
shows it, painted. Between two saves passes as much as a quick hand needs, in which the lint runs as it always does.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from newsletter.render.templates import shipped_templates
from tests.support.browser import browser
from tests.support.site_folder import SiteFolder
from tests.support.waiting import wait_for

STORIES = 12
PAUSE_MILLISECONDS = 600
# The next picture of another message than the one shown, and when it was painted.
_PREPARE = """() => {
  const before = document.getElementById("hash").textContent;
  window.next = new Promise((done) => document.addEventListener("preview:painted", (event) => {
    if (event.detail !== before) done([event.detail, performance.timeOrigin + performance.now()]);
  }));
  return before;
}"""


def main() -> None:
    """Parse the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--saves", type=int, default=50)
    chosen = arguments.parse_args()
    results = measure(chosen.saves)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        for key, value in results.items():
            print(f"{key:28} {value}")


def measure(saves: int) -> dict[str, Any]:
    """Start once, save so often; milliseconds and megabytes."""
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        site = a_site(Path(folder))
        changes = savers(site.path)
        page = chromium.new_page(viewport={"width": 1280, "height": 860})
        began = time.time()
        with _started(site) as (process, url):
            page.goto(url)
            page.wait_for_selector("html[data-ready]", state="attached")
            first = 1000 * (time.time() - began)
            idle = _megabytes(process, "VmRSS")
            taken = [_save(page, changes[number % len(changes)], number) for number in range(saves)]
            peak = _megabytes(process, "VmHWM")
        page.close()
    ordered = sorted(taken)
    return {
        "stories": STORIES,
        "saves": saves,
        "reload_p50_ms": round(statistics.median(ordered)),
        "reload_p95_ms": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]),
        "reload_max_ms": round(ordered[-1]),
        "start_to_first_picture_ms": round(first),
        "idle_rss_mb": idle,
        "peak_rss_mb": peak,
    }


def a_site(folder: Path) -> SiteFolder:
    site = SiteFolder(folder, f"sqlite:///{folder}/newsletter.db", 2525, most=STORIES)
    file = folder / "schedules.yaml"
    file.write_text(file.read_text().replace("max: 5}]", f"max: {STORIES}}}]"))
    site.fill(readers=3, stories=STORIES, seen_at=datetime.now(UTC) - timedelta(minutes=10))
    for name in ("shared/card.html", "shared/masthead.html", "shared/inlined.css"):
        own = folder / "templates" / name
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes((shipped_templates() / name).read_bytes())
    return site


def savers(folder: Path) -> tuple[Callable[[int], None], ...]:
    """Each makes one small change, another one for each number."""
    shared = folder / "templates" / "shared"

    def changing(file: Path, old: str, new: Callable[[int], str]) -> Callable[[int], None]:
        text = file.read_text()
        assert old in text, f"{old} is not in {file.name}"

        def save(number: int) -> None:
            file.write_text(text.replace(old, new(number), 1))

        return save

    return (
        changing(shared / "card.html", "{{ about(story) }}", lambda number: f"{{{{ about(story) }}}} · {number}"),
        changing(shared / "masthead.html", "</h1>", lambda number: f" {number}</h1>"),
        changing(shared / "inlined.css", "line-height: 36px", lambda number: f"line-height: {36 + number}px"),
        changing(folder / "schedules.yaml", "title: The Test", lambda number: f"title: The Test of save {number}"),
    )


@contextmanager
def _started(site: SiteFolder) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    process = site.start("preview", "daily")
    try:
        wait_for(lambda: "Ctrl-C" in site.log or process.poll() is not None, "the address")
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", site.log)
        if found is None:
            sys.exit(f"the preview did not start:\n{site.log}")
        yield process, found[0]
    finally:
        process.terminate()
        process.wait(20)


def _save(page: Page, save: Callable[[int], None], number: int) -> float:
    """Milliseconds from the write to the painted frame that shows it."""
    page.wait_for_timeout(PAUSE_MILLISECONDS)
    before = page.evaluate(_PREPARE)
    began = 1000 * time.time()
    save(number)
    sha256, at = page.evaluate("window.next")
    assert sha256 != before, f"save {number} changed nothing"
    frame = page.locator("#panes .one").first.get_attribute("data-frame") or ""
    assert sha256 in frame, f"save {number}: the frame shows {frame}, not {sha256}"
    return float(at) - began


def _megabytes(process: subprocess.Popen[bytes], name: str) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return round(int(status.partition(f"{name}:")[2].split()[0]) / 1000)


if __name__ == "__main__":
    main()
