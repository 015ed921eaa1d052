"""The newsletters as the sign-up page offers them: title, description, how often, and a picture of the latest edition.

The picture is the mail itself where somebody can take pictures of mails (``EditionPictures``), else a card drawn of its
masthead and headlines.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote

import structlog
from babel.dates import format_date
from starlette.responses import Response

from newsletter.errors import NewsletterError
from newsletter.model import OccurrenceState, Stream
from newsletter.render.colour import PAPER, PAPER_DARK, readable
from newsletter.render.filters import width_of
from newsletter.render.frequency import frequency_of
from newsletter.render.words import Words, direction_of
from newsletter.store import articles, editions, occurrences
from newsletter.web.pages import Pages

TakePicture = Callable[[str, str], Awaitable[bytes]]
"""(newsletter, occurrence) -> the PNG of that edition as a card. Raises NewsletterError where it cannot be taken."""

PATH = "/subscribe/pictures/"
_GONE_OUT = (OccurrenceState.SENT, OccurrenceState.SENDING)
_LOOK_EVERY = timedelta(minutes=1)
_HEADLINES = 4
# The card is 240 x 300; these are columns of a fixed-width font that a line of it holds.
_LEAD_COLUMNS, _LEAD_LINES, _BRIEF_COLUMNS = 22, 4, 37
_NOT_IN_A_FILE = re.compile(r"[^A-Za-z0-9_-]")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Offer:
    """One newsletter on the page; ``ticked``: she has chosen it. ``picture`` is the address of its card."""

    name: str
    title: str
    description: str
    frequency: str
    language: str
    direction: str
    picture: str
    ticked: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card shows of the latest edition; ``occurrence`` is '' where none was sent yet."""

    occurrence: str = ""
    day: str = ""
    headlines: tuple[str, ...] = ()


class Offers:
    """Makes offers and their pictures. ``take_picture`` is None where nobody can take pictures of mails."""

    def __init__(self, pages: Pages, take_picture: TakePicture | None) -> None:
        self._pages, self._take_picture = pages, take_picture
        self._latest: dict[str, tuple[float, Shown]] = {}
        self._taking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_browser = asyncio.Lock()

    async def of(self, words: Words, names: Sequence[str], ticked: Sequence[str]) -> list[Offer]:
        """The offers of these newsletters, in order. Raises StoreError."""
        return [await self._offer(words, name, name in ticked) for name in names]

    async def picture(self, name: str) -> Response:
        """The card of a newsletter: PNG where a picture was taken, else SVG. Raises StoreError."""
        shown = await self._shown(name)
        file = self._file(name, shown)
        if file is not None and file.is_file():
            return Response(await asyncio.to_thread(file.read_bytes), media_type="image/png", headers=_kept(3600))
        if file is not None and self._take_picture is not None and name not in self._taking:
            self._taking.add(name)
            task = asyncio.create_task(self._take(name, shown, file))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return Response(self._drawn(name, shown), media_type="image/svg+xml", headers=_kept(60))

    async def _offer(self, words: Words, name: str, ticked: bool) -> Offer:
        newsletter = self._pages.schedules.newsletters[name]
        shown, own = await self._shown(name), self._pages.configuration.language(name)
        foreign = own.split("-")[0] != words.language.split("-")[0]
        version = quote(shown.occurrence, safe="")
        return Offer(
            name,
            newsletter.title,
            newsletter.description,
            frequency_of(newsletter, words),
            own if foreign else "",
            direction_of(own) if foreign else "",
            f"{self._pages.prefix}{PATH}{name}?{version}",
            ticked,
        )

    async def _shown(self, name: str) -> Shown:
        """What was sent last, looked at once a minute."""
        now = asyncio.get_running_loop().time()
        at, shown = self._latest.get(name, (0.0, Shown()))
        if name not in self._latest or now - at > _LOOK_EVERY.total_seconds():
            shown = await asyncio.to_thread(self._look, name)
            self._latest[name] = (now, shown)
        return shown

    def _look(self, name: str) -> Shown:
        store = self._pages.store
        each = partial(occurrences.listing, newsletter=name, stream=Stream.EACH, turns_only=True)
        for row in store.read(each, states=_GONE_OUT, limit=1):
            own = self._pages.configuration.own_cohort(name)
            if (edition := store.read(editions.nearest, row.id, own)) is not None:
                ids = edition.edition.article_ids
                known = store.read(articles.get_many, ids[: _HEADLINES * 2])
                headlines = [known[one].headline for one in ids if one in known and known[one].retracted_at is None]
                words = self._pages.words(None, name)
                day = format_date(row.occurrence.local_date, "long", locale=words.locale)
                return Shown(str(row.occurrence), day, tuple(headlines[:_HEADLINES]))
        return Shown()

    def _file(self, name: str, shown: Shown) -> Path | None:
        """Where the picture of this edition is kept; None where there is no edition."""
        if not shown.occurrence:
            return None
        edition = _NOT_IN_A_FILE.sub("-", shown.occurrence)
        return self._pages.configuration.media_folder / "cards" / f"{name}-{edition}.png"

    async def _take(self, name: str, shown: Shown, file: Path) -> None:
        """Take the picture and keep it in place of earlier ones; where that fails the drawn card stays."""
        assert self._take_picture is not None
        try:
            async with self._one_browser:
                body = await self._take_picture(name, shown.occurrence)
            await asyncio.to_thread(_keep, file, name, body)
        except (NewsletterError, OSError) as error:
            log.warning("no picture of an edition; a drawn card stands for it", newsletter=name, error=str(error))
        else:
            self._taking.discard(name)  # one that failed is not tried again in this process

    def _drawn(self, name: str, shown: Shown) -> str:
        pages = self._pages
        newsletter, theme = pages.schedules.newsletters[name], pages.schedules.site.theme
        words = pages.words(None, name)
        first, *others = shown.headlines or (newsletter.description or newsletter.title,)
        return pages.text(
            words,
            "card.svg",
            title=_lines(newsletter.title, _LEAD_COLUMNS, 2),
            day=shown.day or frequency_of(newsletter, words),
            lead=_lines(first, _LEAD_COLUMNS, _LEAD_LINES),
            briefs=[_lines(one, _BRIEF_COLUMNS, 1)[0] for one in others],
            accent=readable(theme.accent, PAPER),
            accent_dark=readable(theme.accent, PAPER_DARK),
        )


def _keep(file: Path, name: str, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    for old in file.parent.glob(f"{name}-[0-9]*.png"):
        old.unlink(missing_ok=True)
    made = file.with_suffix(".new")
    made.write_bytes(body)
    made.replace(file)


def _lines(text: str, columns: int, most: int) -> list[str]:
    """``text`` in at most so many lines of so many columns, with an ellipsis where something is missing."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if width_of(joined) <= columns or not lines[-1]:
            lines[-1] = joined
        elif len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = _cut(lines[-1], columns - 1) + "…"
            break
    return [_cut(line, columns) for line in lines]


def _cut(line: str, columns: int) -> str:
    while width_of(line) > columns:
        line = line[:-1]
    return line.rstrip(" ,;:–—-")


def _kept(seconds: int) -> dict[str, str]:
    return {"Cache-Control": f"public, max-age={seconds}"}
