"""html-validate on every design and every page: no error but what waivers.mjs names."""

from __future__ import annotations

import pytest

from tests.judges.gallery import Gallery
from tests.judges.messages import MAILS
from tests.judges.pages import PAGES


@pytest.mark.parametrize("name", [*MAILS, *PAGES])
def test_html_validate_finds_no_fault(shown: Gallery, name: str) -> None:
    faults = shown.verdicts[name].html
    assert not faults, f"html-validate on {name}, at line:column of its HTML:\n" + "\n".join(faults)


def test_every_waiver_is_needed(shown: Gallery) -> None:
    assert not shown.unused_waivers, "waivers.mjs waives what no mail needs:\n" + "\n".join(shown.unused_waivers)


def test_the_pages_are_the_ones_meant(shown: Gallery) -> None:
    statuses = {name: shown.pages[name].status for name in PAGES if shown.pages[name].status != 200}
    assert statuses == {
        "preferences-refused": 422,
        "subscribe-refused": 422,
        "sign-in-refused": 422,
        "confirmed-before": 410,
        "erase-unsure": 422,
        "not-found": 404,
        "not-allowed": 405,
        "edition-gone": 410,
    }
    for name, words in {
        "unsubscribe": "Nothing changes until you press the button",
        "unsubscribed": "You are unsubscribed from",
        "unsubscribed-before": "You do not receive",
        "subscribed-again": "again</h1>",
        "preferences": "Your newsletters",
        "preferences-refused": "Nothing is saved yet",
        "preferences-saved": "You will not get",
        "preferences-none": "unsubscribed from everything",
        "preferences-paused": "is paused until",
        "erase-unsure": "nothing was erased",
        "erased": "You are erased",
        "stopped": "No mail goes to this address",
        "preview": "The bytes a send would write",
        "preview-plain-reader": "Plain text alone",
        "preview-fault": "This cannot be shown",
    }.items():
        assert words in shown.pages[name].html, f"{name} does not say {words!r}"
