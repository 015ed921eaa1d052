"""Lead pictures: fetched, checked, made small, and kept under ``media/`` by the hash of what they became.

A picture that cannot be had is left out of the mail, never broken in it, so nothing here raises for a bad picture.
"""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from PIL import Image, ImageOps

from newsletter.collect.parsing import Parser
from newsletter.errors import FetchError, SourceError
from newsletter.model import IncomingArticle
from newsletter.net import Fetcher
from newsletter.store import Store, media
from newsletter.store.media import Medium

# Twice the 640 pixels at which the designs show a lead picture.
MAX_WIDTH = 1280
_MAX_HEIGHT = 2 * MAX_WIDTH
_MIN_SIDE = 64  # smaller ones are icons and counters
_MAX_PIXELS = 50_000_000
_MAX_BYTES = 20_000_000
_QUALITY = 82
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
_WITHIN = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A picture as we keep it: JPEG bytes and their pixels."""

    jpeg: bytes
    width: int
    height: int


@dataclass(slots=True)
class Copies:
    """What ``copy_pictures`` got, by URL, and one line for each picture that is left out."""

    media: dict[str, Medium] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def shrink(body: bytes) -> Shrunk:
    """A picture as a progressive JPEG at most MAX_WIDTH wide, upright, without metadata. Raises SourceError.

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
            out = io.BytesIO()
            upright.save(out, "JPEG", quality=_QUALITY, progressive=True, optimize=True)
    except SourceError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds
        raise SourceError(f"it is not a picture that can be read ({type(error).__name__})") from error
    return Shrunk(out.getvalue(), upright.width, upright.height)


async def copy_pictures(
    urls: Collection[str],
    *,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
    allow_private: bool,
    within: timedelta = timedelta(seconds=45),
) -> Copies:
    """Our copies of the pictures at ``urls``: those we have, and those that can be had before ``within`` is over."""
    copies = Copies(await store.read_async(media.by_urls, urls))

    async def copy(url: str) -> None:
        try:
            fetched = await fetcher.fetch(url, max_bytes=_MAX_BYTES, within=_WITHIN, allow_private=allow_private)
            shrunk = await parser.run(_WITHIN, shrink, fetched.body)
            name = f"{sha256(shrunk.jpeg).hexdigest()[:32]}.jpg"
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
        copies.media[url] = medium

    try:
        async with asyncio.timeout(within.total_seconds()), asyncio.TaskGroup() as group:
            for url in dict.fromkeys(urls):
                if url not in copies.media:
                    group.create_task(copy(url))
    except TimeoutError:
        copies.left_out.append(f"pictures took longer than {within.total_seconds():g} s")
    return copies


def with_copy(article: IncomingArticle, copies: Copies) -> IncomingArticle:
    """``article`` with our copy of its lead picture, if we have one."""
    copy = copies.media.get(article.images[0].url) if article.images else None
    if copy is None:
        return article
    lead = replace(article.images[0], media=copy.name, width=copy.width, height=copy.height)
    return replace(article, images=(lead, *article.images[1:]))


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
