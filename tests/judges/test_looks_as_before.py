"""Every design as a picture, against the one that somebody looked at and committed (``references/``)."""

from __future__ import annotations

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.judges.gallery import Gallery
from tests.judges.looks import COMPARED, REFERENCES, Look, difference, opened, picture
from tests.judges.messages import DESIGNS


@pytest.mark.parametrize("look", COMPARED, ids=str)
def test_a_design_looks_as_it_did(shown: Gallery, chromium: Browser, look: Look) -> None:
    page = opened(chromium, shown, look)
    with Image.open(REFERENCES / f"{look}.png") as reference:
        differs = difference(picture(page, flat=True), reference)
    page.close()
    assert not differs, f"{look}: {differs}. Look at it; where it is meant, run `make looks` and commit references/"


def test_there_is_a_reference_for_each_look_and_no_other() -> None:
    assert {path.stem for path in REFERENCES.glob("*.png")} == {str(look) for look in COMPARED}


@pytest.mark.parametrize(
    "change",
    [
        ("font-size:20px", "font-size:21px"),
        ("color:#7a1f1f", "color:#1f7a1f"),
        ("border-top:2px solid", "border-top:0 solid"),
    ],
    ids=["larger headlines", "another accent", "no rule over sections"],
)
def test_a_small_change_is_seen(shown: Gallery, chromium: Browser, change: tuple[str, str]) -> None:
    html = shown.mails["look-daily"].html.replace(*change)
    assert html != shown.mails["look-daily"].html
    page = shown.open_mail(chromium, "look-daily", width=375, html=html)
    page.set_viewport_size({"width": 375, "height": page.evaluate("Math.ceil(document.body.scrollHeight)")})
    with Image.open(REFERENCES / "daily-phone-light.png") as reference:
        assert difference(picture(page, flat=True), reference)
    page.close()


def test_pictures_are_taken_of_every_design() -> None:
    assert {look.design for look in COMPARED} == set(DESIGNS)
