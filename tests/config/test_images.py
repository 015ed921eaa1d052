"""``images`` of a source: copies, or a pattern of the publisher's image service."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.files import fault_in, loaded, replaced

SOURCE = '{feed: "https://news.example/rss"}'


def with_images(images: str) -> str:
    return replaced(SOURCE, f'{{feed: "https://news.example/rss", images: {images}}}')


@pytest.mark.parametrize(
    "pattern",
    ["{url}?w={width}", "https://img.example/{width}/{path}", "https://img.example/fit?w={width}&src={url}"],
)
def test_a_pattern_of_an_image_service_is_taken(tmp_path: Path, pattern: str) -> None:
    images = loaded(tmp_path, with_images(f'{{mode: link, pattern: "{pattern}"}}')).schedules.sources["front"].images
    assert (images.mode, images.pattern) == ("link", pattern)


def test_pictures_are_copied_unless_said_otherwise(tmp_path: Path) -> None:
    assert loaded(tmp_path).schedules.sources["front"].images.mode == "copy"


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ("{mode: link}", "pattern goes with mode: link"),
        ('{mode: copy, pattern: "{url}?{width}"}', "pattern goes with mode: link"),
        ('{mode: link, pattern: "https://img.example/{url}"}', "pattern needs {width}"),
        ('{mode: link, pattern: "https://img.example/{width}"}', "pattern needs {width}, and {url} or {path}"),
        ('{mode: link, pattern: "{path}?{width}"}', "pattern begins with https://, or with {url}"),
        ('{mode: link, pattern: "javascript:{width}{url}"}', "pattern begins with https://, or with {url}"),
        ('{mode: link, pattern: "https://img.example/{width}x{height}/{path}"}', "pattern has {height}"),
    ],
)
def test_a_pattern_that_leads_nowhere_is_refused(tmp_path: Path, images: str, words: str) -> None:
    assert words in str(fault_in(tmp_path, with_images(images)))
