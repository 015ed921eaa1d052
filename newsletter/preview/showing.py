"""How a message is shown: its HTML -> what stands in a frame or in a file; an error -> the lines around it. Pure but
for the reading of those lines and of pictures. The message itself is never touched: what is changed is for the eye.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from newsletter.errors import NewsletterError
from newsletter.preview.looks import Look
from newsletter.preview.numbering import numbered
from newsletter.preview.profiles import as_look
from newsletter.preview.scenarios import MEDIA_TYPES

_STYLE = re.compile(r"(<style\b[^>]*>)(.*?)(</style>)", re.DOTALL | re.IGNORECASE)
_MEDIA_ATTRIBUTE = re.compile(r"(\bmedia=)(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_PREFERS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_COLOR_SCHEME = re.compile(r"(?<![-\w])color-scheme\s*:\s*[^;}]*", re.IGNORECASE)
_META_SCHEME = re.compile(r'(<meta name="color-scheme" content=)"[^"]*"', re.IGNORECASE)
# The policy refuses all of these, but Chromium opens a connection before it asks the policy.
_CONNECTING = re.compile(
    r"<meta\b[^>]*?\bhttp-equiv\s*=\s*[\"']?\s*refresh[^>]*>|</?(?:link|iframe|frame|object|embed)\b[^>]*>",
    re.IGNORECASE,
)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b[^>]*?\bsrc=[\"']([^\"']*)[\"']", re.IGNORECASE)
_WHERE = re.compile(r"(?P<file>.+):(?P<line>[0-9]+)")
_LINES_AROUND = 4
_SCRIPT_LINK = re.compile(r"\b(href|src|action)=([\"']?)\s*(?:javascript|vbscript|data):(?!image/)", re.IGNORECASE)
_PICTURE_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]*"

MEDIA = "/media/"
IN_THE_MAIL = "/in-the-mail/"


class Scheme(StrEnum):
    """Which of its two appearances a mail is shown in."""

    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file; ``faulty`` is the one that an error names."""

    number: int
    text: str
    faulty: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The lines around an error."""

    file: str
    lines: tuple[Line, ...]


def for_frame(document: str, web_base: str, look: Look) -> str:
    """The HTML as a pane shows it: as the client of ``look`` has it, each element numbered, our pictures and links
    served by the preview."""
    prefix = re.escape(html.escape(web_base))
    local = re.compile(rf"\b(href|src|background)=([\"']){prefix}/([^\"']*)\2")

    def served(match: re.Match[str]) -> str:
        attribute, quote, path = match[1], match[2], match[3]
        inside = path.startswith(MEDIA[1:])
        return f"{attribute}={quote}{'/' if inside else IN_THE_MAIL}{path}{quote}"

    scheme = Scheme.DARK if look is Look.DARK else Scheme.LIGHT
    shown = in_scheme(local.sub(served, as_look(numbered(document), look)), scheme)
    shown = _SCRIPT_LINK.sub(r"data-\1=\2", _CONNECTING.sub("", shown))
    return _HEAD.sub(lambda head: f'{head[0]}<base target="_blank">', shown, count=1)


def in_scheme(document: str, scheme: Scheme) -> str:
    """The HTML as a client shows it that prefers ``scheme``, whatever the browser prefers.

    A query for it becomes one that always holds, for the other one that never does; also within a longer query.
    """

    def answer(match: re.Match[str]) -> str:
        return "(min-width: 0)" if match[1].lower() == scheme else "(max-width: 0)"

    def style(match: re.Match[str]) -> str:
        css = _COLOR_SCHEME.sub(f"color-scheme: {scheme}", _PREFERS.sub(answer, match[2]))
        return match[1] + css + match[3]

    shown = _STYLE.sub(style, document)
    shown = _MEDIA_ATTRIBUTE.sub(lambda match: match[1] + _PREFERS.sub(answer, match[2]), shown)
    return _META_SCHEME.sub(rf'\1"{scheme}"', shown)


def for_file(document: str, web_base: str, picture_file: Callable[[str], Path | None]) -> str:
    """The HTML as a file that needs no other: pictures of which we have a copy stand in it."""
    ours = re.compile(rf"\b(src|background)=([\"']){re.escape(html.escape(web_base))}{MEDIA}({_PICTURE_NAME})\2")

    def inside(match: re.Match[str]) -> str:
        path, kind = picture_file(match[3]), MEDIA_TYPES.get(match[3].rpartition(".")[2].lower())
        if path is None or kind is None:
            return match[0]
        return f'{match[1]}="data:{kind};base64,{base64.b64encode(path.read_bytes()).decode("ascii")}"'

    return ours.sub(inside, document)


def pictures_elsewhere(document: str, web_base: str) -> int:
    """How many pictures lie on somebody else's server, so that the frame, which has no network, leaves them out."""
    return sum(
        not html.unescape(source).startswith((web_base + "/", "data:", "cid:")) for source in _IMAGE.findall(document)
    )


def excerpt(
    error: NewsletterError | str, folders: Iterable[Path], files: Iterable[Path], *, around: int = _LINES_AROUND
) -> Excerpt | None:
    """The lines around the ``file:line`` that an error names, or that is given; None where it is none of ``files``, nor
    any below ``folders``: nothing else of this machine is shown."""
    found = _WHERE.fullmatch(error if isinstance(error, str) else error.where)
    if found is None:
        return None
    folders, files = tuple(folders), tuple(files)
    number = int(found["line"])
    for path in (Path(found["file"]), *(file for file in files if file.name == found["file"])):
        whole = path.resolve()
        if whole not in [file.resolve() for file in files] and not any(
            whole.is_relative_to(folder.resolve()) for folder in folders
        ):
            continue
        try:
            lines = whole.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            continue
        first = max(1, number - around)
        shown = enumerate(lines[first - 1 : number + around], first)
        return Excerpt(found["file"], tuple(Line(at, text, at == number) for at, text in shown))
    return None
