"""How a message is shown: its HTML -> what stands in the frame or in a file; an error -> the lines around it. Pure but
for the reading of those lines. The message itself is never touched: what is changed here is for the eye only.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from newsletter.errors import NewsletterError
from newsletter.render.lint import Finding

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
_MOST_SHOWN = 3

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


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """The findings of one rule: the first few, and how many more there are."""

    severity: str
    rule: str
    remedy: str
    shown: tuple[str, ...]
    more: int


def for_frame(document: str, web_base: str, scheme: Scheme) -> str:
    """The HTML as the frame shows it: our pictures and links served by the preview, in the scheme asked for."""
    local = re.compile(rf"\b(href|src|background)=([\"']){re.escape(html.escape(web_base))}/([^\"']*)\2")

    def served(match: re.Match[str]) -> str:
        attribute, quote, path = match[1], match[2], match[3]
        inside = path.startswith(MEDIA[1:])
        return f"{attribute}={quote}{'/' if inside else IN_THE_MAIL}{path}{quote}"

    shown = _CONNECTING.sub("", in_scheme(local.sub(served, document), scheme))
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


def for_file(document: str, web_base: str, media_folder: Path) -> str:
    """The HTML as a file for this machine: pictures of which we have a copy are shown from ``media_folder``."""
    ours = re.compile(rf"\bsrc=([\"']){re.escape(html.escape(web_base))}{MEDIA}([A-Za-z0-9_.-]+)\1")

    def copied(match: re.Match[str]) -> str:
        path = media_folder / match[2]
        return f'src="{html.escape(path.as_uri())}"' if path.is_file() else match[0]

    return ours.sub(copied, document)


def pictures_elsewhere(document: str, web_base: str) -> int:
    """How many pictures lie on somebody else's server, so that the frame, which has no network, leaves them out."""
    return sum(
        not html.unescape(source).startswith((web_base + "/", "data:", "cid:")) for source in _IMAGE.findall(document)
    )


def grouped(findings: Sequence[Finding]) -> list[FindingGroup]:
    """Findings by rule, in their order."""
    by_rule: dict[tuple[str, str, str], dict[str, None]] = {}
    for finding in findings:
        said = f"{finding.where}: {finding.what}" if finding.where else finding.what
        by_rule.setdefault((finding.severity.value, finding.rule, finding.remedy), {})[said] = None
    return [
        FindingGroup(severity, rule, remedy, tuple(whats)[:_MOST_SHOWN], max(0, len(whats) - _MOST_SHOWN))
        for (severity, rule, remedy), whats in by_rule.items()
    ]


def excerpt(error: NewsletterError, folders: Iterable[Path], files: Iterable[Path]) -> Excerpt | None:
    """The lines around the ``file:line`` that an error names; None where it names none of ``files``, nor any below
    ``folders``: nothing else of this machine is shown."""
    found = _WHERE.fullmatch(error.where)
    if found is None:
        return None
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
        first = max(1, number - _LINES_AROUND)
        around = enumerate(lines[first - 1 : number + _LINES_AROUND], first)
        return Excerpt(found["file"], tuple(Line(at, text, at == number) for at, text in around))
    return None
