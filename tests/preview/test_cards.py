"""The picture of an edition on the sign-up page: the mail itself where it can be taken, a drawn card until then."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

import aiohttp
from PIL import Image

from newsletter.cli.running import _card_taker as card_taker
from newsletter.model import OccurrenceState
from newsletter.preview.cards import can_take_cards
from newsletter.store import Store
from tests.builders import NOW, add_occurrence
from tests.preview.bench import a_site, configuration_of
from tests.support.web_server import served


async def test_a_card_is_drawn_at_once_and_is_the_mail_itself_soon_after(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    configuration = configuration_of(site)
    assert can_take_cards()

    class Options:
        clock = staticmethod(lambda: NOW)

    with Store.open(site.store_url) as store:
        add_occurrence(store, sections=[{"name": "National", "articles": [1, 2]}], state=OccurrenceState.SENT)
        take = card_taker(Options, configuration, store)  # type: ignore[arg-type]
        async with (
            served(configuration, store, clock=Options.clock, take_picture=take) as base,
            aiohttp.ClientSession() as client,
        ):
            async with client.get(f"{base}/subscribe") as response:
                found = re.search(r'<img src="([^"]+)"', await response.text())
            assert found is not None

            async def kind() -> tuple[str, bytes]:
                async with client.get(base + found[1]) as response:
                    assert response.status == 200
                    return response.content_type, await response.read()

            assert (await kind())[0] == "image/svg+xml"
            async with asyncio.timeout(60):
                while (await kind())[0] != "image/png":
                    await asyncio.sleep(0.02)
            with Image.open(io.BytesIO((await kind())[1])) as picture:
                assert picture.size == (480, 600)
                assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 20, "something is on it"


async def test_a_picture_that_cannot_be_taken_is_asked_for_once(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    configuration = configuration_of(site)
    asked: list[str] = []

    async def fails(_newsletter: str, occurrence: str) -> bytes:
        asked.append(occurrence)
        raise OSError("no space left")

    with Store.open(site.store_url) as store:
        add_occurrence(store, sections=[{"name": "National", "articles": [1]}], state=OccurrenceState.SENT)
        async with (
            served(configuration, store, clock=lambda: NOW, take_picture=fails) as base,
            aiohttp.ClientSession() as client,
        ):
            for _ in range(3):
                async with client.get(f"{base}/subscribe/pictures/daily") as response:
                    assert (response.status, response.content_type) == (200, "image/svg+xml")
                    assert "Story number 1" in re.sub(r"<[^>]+>\s*", " ", await response.text())
    assert asked == ["2026-11-23/1"]
