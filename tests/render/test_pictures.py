"""Which picture a mail shows, from where, and in which size."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config.models import Images
from newsletter.model import Article, Picture
from newsletter.render.facts import picture_view
from newsletter.render.image_service import linked
from tests.render.mails import PICTURE, WEB, a_newsletter, mail, pieces, variant

BOTH = replace(PICTURE, media="abc.jpg", small="abc-320.jpg", width=1280, height=853)
ELSEWHERE = Picture("https://cms.example/2026/dam%20wall.jpg?v=2#top", alt="The dam")


def sources(*images: Picture, design: str = "daily", link: str = "", source: str = "front") -> list[tuple[str, str]]:
    """``(src, its other attributes)`` of each story's picture in a mail whose stories all have ``images``."""
    service = {source: Images(mode="link", pattern=link)} if link else None

    def pictured(article: Article) -> Article:
        return replace(article, images=images)

    rendered = pieces(change=pictured, images=service, newsletter=a_newsletter(design=design))
    received = mail(variant(rendered)).html
    return [(html.unescape(src), rest) for src, rest in re.findall(r'<img src="([^"]*)"([^>]*)>', received)]


def size(attributes: str) -> tuple[int, int]:
    found = [re.search(rf' {name}="(\d+)"', attributes) for name in ("width", "height")]
    return tuple(int(one[1]) if one else 0 for one in found)  # type: ignore[return-value]


def test_the_lead_has_the_large_copy_and_a_card_the_small_one() -> None:
    lead, *cards = sources(BOTH)
    assert (lead[0], size(lead[1])) == (f"{WEB}/media/abc.jpg", (592, 395))
    assert cards
    assert {(src, size(rest)) for src, rest in cards} == {(f"{WEB}/media/abc-320.jpg", (160, 107))}


def test_a_tall_picture_beside_a_story_is_small_too() -> None:
    _lead, *cards = sources(replace(BOTH, width=600, height=1200))
    assert {(src, size(rest)) for src, rest in cards} == {(f"{WEB}/media/abc-320.jpg", (80, 160))}


@pytest.mark.parametrize(("width", "height", "small"), [(160, 160, True), (161, 100, False), (100, 161, False)])
def test_the_small_copy_is_for_where_it_has_twice_the_pixels(width: int, height: int, small: bool) -> None:
    view = picture_view(BOTH, WEB)
    assert view is not None
    assert (view.at(width, height) == f"{WEB}/media/abc-320.jpg") is small


def test_a_copy_of_an_earlier_version_is_shown_large_everywhere() -> None:
    assert {src for src, _ in sources(replace(BOTH, small=""))} == {f"{WEB}/media/abc.jpg"}


def test_the_first_picture_that_was_had_is_shown() -> None:
    gone = replace(BOTH, url="https://elsewhere.example/gone.jpg", media="", small="", alt="gone")
    shown = sources(gone, BOTH, replace(BOTH, media="third.jpg"))
    assert shown[0][0] == f"{WEB}/media/abc.jpg"
    assert all('alt="gone"' not in rest for _, rest in shown)


def test_pictures_may_be_links_at_the_publishers_image_service() -> None:
    lead, *cards = sources(ELSEWHERE, link="https://img.example/fit?w={width}&src={url}")
    source = "https%3A%2F%2Fcms.example%2F2026%2Fdam%2520wall.jpg%3Fv%3D2"
    assert lead[0] == f"https://img.example/fit?w=1184&src={source}"
    assert {src for src, _ in cards} == {f"https://img.example/fit?w=320&src={source}"}


def test_a_link_has_a_height_only_where_the_feed_said_one() -> None:
    pattern = "https://img.example/{width}/{path}"
    assert [size(rest) for _, rest in sources(ELSEWHERE, link=pattern)][:2] == [(592, 0), (160, 0)]
    told = replace(ELSEWHERE, width=1600, height=900)
    assert [size(rest) for _, rest in sources(told, link=pattern)][:2] == [(592, 333), (160, 90)]


@pytest.mark.parametrize(
    "link", ["", "https://img.example/{url}?w={width}", "https://img.example{path}?w={width}", "{url}?w={width}"]
)
def test_a_caption_without_a_picture_shows_none(link: str) -> None:
    caption = Picture("", caption="The dam on Monday.", credit="AP")
    assert sources(caption, link=link) == []
    assert {src for src, _ in sources(caption, BOTH)} == {f"{WEB}/media/abc.jpg", f"{WEB}/media/abc-320.jpg"}


def test_only_the_source_that_says_so_links() -> None:
    assert sources(ELSEWHERE, link="{url}?w={width}", source="world") == []
    assert sources(BOTH, link="{url}?w={width}", source="world")[0][0] == f"{WEB}/media/abc.jpg"


def test_a_link_is_shown_also_where_there_is_an_old_copy() -> None:
    assert {src for src, _ in sources(BOTH, link="{url}?w={width}")} == {
        f"{PICTURE.url}?w=1184",
        f"{PICTURE.url}?w=320",
    }


def test_the_briefing_shows_its_lead() -> None:
    assert [src for src, _ in sources(BOTH, design="briefing")] == [f"{WEB}/media/abc.jpg"]


URL = "https://cms.example/a/b.jpg"


@pytest.mark.parametrize(
    ("pattern", "url", "found"),
    [
        ("{url}?width={width}", URL, f"{URL}?width=320"),
        ("{url}?width={width}", f"{URL}?v=2#x", f"{URL}?v=2&width=320"),
        ("{url}/w{width}", URL, f"{URL}/w320"),
        ("https://img.example/{width}{path}", URL, "https://img.example/320/a/b.jpg"),
        ("https://img.example/{width}/{path}", URL, "https://img.example/320/a/b.jpg"),
        ("https://img.example/{width}/{url}", URL, "https://img.example/320/https%3A%2F%2Fcms.example%2Fa%2Fb.jpg"),
        (
            "https://img.example/{path}?w={width}",
            "https://cms.example/ä {width}.jpg",
            "https://img.example/%C3%A4%20%7Bwidth%7D.jpg?w=320",
        ),
        ("{url}?width={width}", "cid:1", ""),
        ("{url}?width={width}", "javascript:alert(1)", ""),
        ("https://img.example/{width}/{path}", "data:image/png;base64,AA", ""),
        ("https://img.example/{width}/{path}", "http://[broken/a.jpg", ""),
    ],
)
def test_where_a_picture_is_at_an_image_service(pattern: str, url: str, found: str) -> None:
    assert linked(pattern, url, 320) == found


@given(st.text(max_size=80))
def test_no_address_of_a_picture_leads_away_from_the_service(url: str) -> None:
    found = linked("https://img.example/{width}?src={url}", f"https://cms.example/{url}", 320)
    assert re.fullmatch(r"https://img\.example/320\?src=[A-Za-z0-9_.~%-]*", found) or found == ""
