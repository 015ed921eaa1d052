"""Pictures of stories: fetched, checked, made small twice, and kept under ``media/`` by the hash of what they became.

``HASH.jpg`` is for where a design shows a picture large, ``HASH-320.jpg`` for where it stands beside a story.

A picture that cannot be had is left out of the mail, never broken in it, so nothing here raises for a bad picture.
"""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from PIL import Image, ImageOps

from newsletter.collect.parsing import Parser
from newsletter.errors import FetchError, SourceError
from newsletter.model import IncomingArticle, Picture
from newsletter.net import Fetcher
from newsletter.store import Store, media
from newsletter.store.media import Medium

# Twice the 640 pixels of the sheet on which the designs show a lead picture, and the most that one may weigh.
MAX_WIDTH = 1280
MAX_SIZE = 300_000
# Twice the 160 pixels, across and down, in which they show one beside a story.
SMALL = 320
SMALL_SIZE = 40_000
# How many of a story's pictures are tried until one can be had.
TRIES = 3
_MAX_HEIGHT = 2 * MAX_WIDTH
_MIN_SIDE = 64  # smaller ones are icons and counters
_MAX_PIXELS = 50_000_000
_MAX_BYTES = 20_000_000
# Shown at half its pixels, a picture needs no more than the first; below the last it begins to look broken.
_QUALITIES = (78, 68, 58, 48)
_ACCEPT = "image/jpeg, image/png, image/webp, image/*;q=0.5"
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
_WITHIN = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A picture as we keep it: JPEG bytes large and small, and the pixels of the large one."""

    jpeg: bytes
    small: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Copy:
    """Our copy of a picture: its files under ``media/`` (``small`` is '' where there is none), and its pixels."""

    name: str
    small: str
    width: int
    height: int


@dataclass(slots=True)
class Copies:
    """What ``copy_pictures`` got, by URL, and one line for each picture that could not be had."""

    media: dict[str, Copy] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def shrink(body: bytes) -> Shrunk:
    """A picture as progressive JPEGs at most MAX_WIDTH wide and within SMALL x SMALL, upright, without metadata.

    They weigh at most MAX_SIZE and SMALL_SIZE bytes: the quality gives way first, then the pixels. Raises SourceError.
    Runs in a worker process: decoders of pictures are attacked more than any other code here.
    """
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise SourceError(f"it has more than {_MAX_PIXELS:,} pixels")
            if min(picture.size) < _MIN_SIDE:
                raise SourceError(f"it is smaller than {_MIN_SIDE} pixels")
            picture.draft("RGB", (MAX_WIDTH, MAX_WIDTH))  # JPEG decodes straight to a smaller size, never below this
            upright = ImageOps.exif_transpose(picture)
            if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                layer = upright.convert("RGBA")
                upright = Image.new("RGB", layer.size, "white")
                upright.paste(layer, mask=layer.getchannel("A"))
            upright = upright.convert("RGB")
            upright.thumbnail((MAX_WIDTH, _MAX_HEIGHT), Image.Resampling.LANCZOS)
            small = upright.copy()
            small.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
            large_jpeg, (width, height) = _encoded(upright, MAX_SIZE)
            small_jpeg, _ = _encoded(small, SMALL_SIZE)
    except SourceError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds
        raise SourceError(f"it is not a picture that can be read ({type(error).__name__})") from error
    return Shrunk(large_jpeg, small_jpeg, width, height)


def _encoded(picture: Image.Image, most: int) -> tuple[bytes, tuple[int, int]]:
    """``picture`` as at most ``most`` bytes of JPEG, and the size it then has."""
    while True:
        for quality in _QUALITIES:
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=quality, progressive=True, optimize=True)
            if out.tell() <= most:
                return out.getvalue(), picture.size
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)


def names_of(shrunk: Shrunk) -> tuple[str, str]:
    """The names under ``media/`` of the large and the small one: what lies under a name never changes."""
    stem = sha256(shrunk.jpeg + shrunk.small).hexdigest()[:32]
    return f"{stem}.jpg", small_name(f"{stem}.jpg")


def small_name(name: str) -> str:
    """``HASH-320.jpg`` for ``HASH.jpg``."""
    return f"{name.removesuffix('.jpg')}-{SMALL}.jpg"


def candidates(images: Sequence[Picture]) -> tuple[str, ...]:
    """The URLs of those of an article's pictures that may lead it, best first: at most TRIES."""
    urls = dict.fromkeys(image.url for image in images)
    return tuple(url for url in urls if url.startswith(("http://", "https://")))[:TRIES]


async def copy_pictures(
    wanted: Iterable[Sequence[str]],
    *,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
    allow_private: bool,
    within: timedelta = timedelta(seconds=45),
) -> Copies:
    """For each story's ``candidates`` a copy of the first that can be had before ``within`` is over."""
    chosen = [tuple(urls) for urls in wanted]
    known = await store.read_async(media.by_urls, {url for urls in chosen for url in urls})
    copies = Copies(await asyncio.to_thread(_on_disk, known, media_folder))
    fetching: dict[str, asyncio.Task[None]] = {}

    async def copy(url: str) -> None:
        try:
            shrunk = await _fetched(url, fetcher, parser, allow_private=allow_private)
            name, small = names_of(shrunk)
            await asyncio.to_thread(write_once, media_folder / small, shrunk.small)
            await asyncio.to_thread(write_once, media_folder / name, shrunk.jpeg)
        except FetchError as error:
            copies.left_out.append(str(error))
            return
        except SourceError as error:
            copies.left_out.append(f"{url}: {error.what}")
            return
        except OSError as error:
            copies.left_out.append(f"{media_folder}: pictures cannot be written ({error.strerror})")
            return
        medium = Medium(name, url, "image/jpeg", shrunk.width, shrunk.height, len(shrunk.jpeg), now)
        await store.write_async(media.add, medium)
        copies.media[url] = Copy(name, small, shrunk.width, shrunk.height)

    async def first_of(urls: Sequence[str], group: asyncio.TaskGroup) -> None:
        for url in urls:
            if url not in copies.media:
                if url not in fetching:
                    fetching[url] = group.create_task(copy(url))
                await fetching[url]
            if url in copies.media:
                return

    try:
        async with asyncio.timeout(within.total_seconds()), asyncio.TaskGroup() as group:
            for urls in dict.fromkeys(chosen):
                group.create_task(first_of(urls, group))
    except TimeoutError:
        copies.left_out.append(f"pictures took longer than {within.total_seconds():g} s")
    return copies


async def _fetched(url: str, fetcher: Fetcher, parser: Parser, *, allow_private: bool) -> Shrunk:
    """The picture at ``url``, small enough. Raises FetchError and SourceError."""
    with fetcher.budget.share() as share:
        fetched = await fetcher.fetch(
            url, accept=_ACCEPT, max_bytes=_MAX_BYTES, within=_WITHIN, allow_private=allow_private, share=share
        )
        return await parser.run(_WITHIN, shrink, fetched.body)


def with_copies(article: IncomingArticle, copies: Copies) -> IncomingArticle:
    """``article`` with those copies of its pictures that we have; the first that has one leads it."""
    return replace(article, images=copied(article.images, copies))


def copied(images: Sequence[Picture], copies: Copies) -> tuple[Picture, ...]:
    """``images`` with those copies of them that we have."""
    return tuple(_with_copy(image, copies) for image in images)


def _with_copy(image: Picture, copies: Copies) -> Picture:
    copy = copies.media.get(image.url)
    if copy is None:
        return image
    return replace(image, media=copy.name, small=copy.small, width=copy.width, height=copy.height)


def _on_disk(known: Mapping[str, Medium], media_folder: Path) -> dict[str, Copy]:
    """Of the copies that the store knows, those that are really there: a mail must not show what was deleted."""
    return {
        url: Copy(
            one.name,
            small if (media_folder / (small := small_name(one.name))).is_file() else "",
            one.width,
            one.height,
        )
        for url, one in known.items()
        if (media_folder / one.name).is_file()
    }


def write_once(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut. Raises OSError."""
    if path.exists() and path.stat().st_size == len(data):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
