"""Pictures made small and safe."""

from __future__ import annotations

import io
import random
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from newsletter.collect.pictures import MAX_SIZE, SMALL_SIZE, names_of, shrink, write_once
from newsletter.errors import SourceError


def picture(width: int = 1600, height: int = 900, kind: str = "JPEG", mode: str = "RGB", **saving: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), 200 if mode in "LP" else (200, 60, 20, 0)[: len(mode)]).save(out, kind, **saving)
    return out.getvalue()


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


@pytest.mark.parametrize(
    ("width", "height", "kept"),
    [(4000, 2000, (1280, 640)), (640, 480, (640, 480)), (1000, 9000, (284, 2560)), (1280, 720, (1280, 720))],
)
def test_a_picture_is_at_most_twice_as_wide_as_shown(width: int, height: int, kept: tuple[int, int]) -> None:
    shrunk = shrink(picture(width, height))
    assert (shrunk.width, shrunk.height) == kept == opened(shrunk.jpeg).size


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB"), ("GIF", "P"), ("PNG", "1")],
)
def test_every_kind_becomes_a_progressive_jpeg(kind: str, mode: str) -> None:
    shrunk = shrink(picture(kind=kind, mode="L" if mode == "1" else mode))
    for jpeg in (opened(shrunk.jpeg), opened(shrunk.small)):
        assert (jpeg.format, jpeg.mode, jpeg.info["progressive"]) == ("JPEG", "RGB", 1)


def test_what_is_transparent_becomes_white() -> None:
    jpeg = opened(shrink(picture(kind="PNG", mode="RGBA")).jpeg)
    assert jpeg.getpixel((10, 10)) == (255, 255, 255)


def test_a_picture_on_its_side_is_put_upright_and_says_nothing_of_its_camera() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "Camera of Jane Doe"
    shrunk = shrink(picture(800, 400, exif=exif))
    assert (shrunk.width, shrunk.height) == (400, 800)
    assert opened(shrunk.small).size == (160, 320)
    for jpeg in (shrunk.jpeg, shrunk.small):
        assert dict(opened(jpeg).getexif()) == {}
        assert b"Jane Doe" not in jpeg


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [(4000, 2000, (320, 160)), (640, 480, (320, 240)), (900, 1200, (240, 320)), (200, 150, (200, 150))],
)
def test_the_small_copy_is_twice_as_large_as_beside_a_story(width: int, height: int, small: tuple[int, int]) -> None:
    assert opened(shrink(picture(width, height)).small).size == small


def noise(width: int, height: int) -> bytes:
    """What packs worst."""
    out = io.BytesIO()
    Image.frombytes("RGB", (width, height), random.Random(1).randbytes(3 * width * height)).save(out, "PNG")
    return out.getvalue()


def test_a_copy_is_never_heavy_whatever_it_shows() -> None:
    shrunk = shrink(noise(1000, 2000))
    assert 50_000 < len(shrunk.jpeg) <= MAX_SIZE
    assert len(shrunk.small) <= SMALL_SIZE
    assert opened(shrunk.jpeg).size == (shrunk.width, shrunk.height)
    assert shrunk.height == pytest.approx(2 * shrunk.width, abs=2)


def test_what_lies_under_a_name_never_changes() -> None:
    whole = shrink(picture())
    other = replace(whole, small=shrink(picture(200, 150)).small)
    assert len({*names_of(whole), *names_of(other)}) == 4
    name, small = names_of(whole)
    assert small == name.removesuffix(".jpg") + "-320.jpg"


def png_claiming(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    pixels = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a picture"),
        (b"<!doctype html><html>", "not a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "not a picture"),
        (picture()[:2000], "not a picture"),
        (picture(20, 20), "smaller than 64 pixels"),
        (png_claiming(30_000, 30_000), "pixels|not a picture"),
        (png_claiming(9_000, 9_000), "more than 50,000,000 pixels|not a picture"),
    ],
)
def test_what_cannot_be_a_picture_in_a_mail_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        shrink(body)


@settings(max_examples=40)
@given(st.binary(max_size=60), st.integers(0, 400), st.sampled_from(["JPEG", "PNG", "GIF", "WEBP"]))
def test_damaged_pictures_do_no_worse_than_be_refused(damage: bytes, where: int, kind: str) -> None:
    whole = picture(80, 80, kind)
    try:
        shrunk = shrink(whole[:where] + damage + whole[where + len(damage) :])
    except SourceError:
        return
    assert opened(shrunk.jpeg).format == opened(shrunk.small).format == "JPEG"


def test_a_file_is_written_whole_and_once(tmp_path: Path) -> None:
    file = tmp_path / "media" / "a.jpg"
    write_once(file, b"picture")
    written = file.stat()
    write_once(file, b"picture")
    assert file.read_bytes() == b"picture"
    assert file.stat().st_mtime_ns == written.st_mtime_ns
    assert [path.name for path in file.parent.iterdir()] == ["a.jpg"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_once(tmp_path / "a.jpg", b"picture")
    assert list(tmp_path.iterdir()) == []
