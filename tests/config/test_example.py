"""The ``schedules.yaml`` at the top of the repository: the one that the demo runs."""

from __future__ import annotations

from pathlib import Path

from newsletter.config.checking import check
from newsletter.config.reading import load
from tests.config.files import KEYS

EXAMPLE = Path(__file__).parents[2] / "schedules.yaml"


def test_the_example_passes_check_without_the_demo() -> None:
    findings = check(load(EXAMPLE, {}, keys=KEYS))
    assert findings.faults == []


def test_the_demo_places_everything_by_variables(tmp_path: Path) -> None:
    demo = {
        "NEWSLETTER_DEMO_SITE": "http://127.0.0.1:41001",
        "NEWSLETTER_DEMO_SMTP_PORT": "41002",
        "NEWSLETTER_DEMO_WEB": "http://127.0.0.1:41003",
        "NEWSLETTER_DEMO_LISTEN": "127.0.0.1:41003",
        "NEWSLETTER_DEMO_FOLDER": str(tmp_path),
    }
    configuration = load(EXAMPLE, demo, keys=KEYS)
    schedules = configuration.schedules
    assert {str(source.feed) for source in schedules.sources.values()} == {
        "http://127.0.0.1:41001/rss.xml",
        "http://127.0.0.1:41001/world.atom",
    }
    assert configuration.relay("daily")[1].port == 41002
    assert schedules.web is not None
    assert (schedules.web.base, schedules.web.port) == ("http://127.0.0.1:41003", 41003)
    assert configuration.store_file == tmp_path / "newsletter.db"
    assert configuration.media_folder == tmp_path / "media"
    assert set(schedules.newsletters) == {"daily", "briefing", "weekend"}
