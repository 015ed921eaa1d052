"""What templates may do to a value: dates and times in the reader's language, plain text, wrapping, links.

Pure functions; ``FILTERS`` names them for the environment. Those that take a context read its ``locale`` and ``zone``.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from babel.dates import format_date, format_time
from jinja2 import pass_context
from jinja2.runtime import Context

from newsletter.render.campaigns import with_parameters

WORDS_PER_MINUTE = 230
WIDTH = 72
_TAGS = re.compile(r"<[^<>]*>")
_SENTENCE_ENDS = ".!?。।؟…"
_SENTENCE = re.compile(rf".+?(?:[{_SENTENCE_ENDS}]+[\"'”’»)]*(?=\s|$)|$)")
# What ends with a full stop and ends no sentence: a title before a name, an initial.
_NO_END = re.compile(r"(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|Prof|St|Sen|Rep|Gov|Gen|Lt|Col|No|vs|Nr|Sr|Sra|Mme|[^\W\d_])\.$")
_QUOTED = re.compile(r"“[^“”\n]+”|„[^„“”\n]+[“”]|«[^«»\n]+»|\"[^\"\n]+\"|「[^「」\n]+」")
_SPACES = re.compile(r"[^\S\u00a0\u202f]+")  # not those that hold two words together, as French has before a colon


@pass_context
def date_(context: Context, value: date | datetime, style: str = "full") -> str:
    """A date in words: ``full``, ``long``, ``medium``, ``short``, or a CLDR pattern."""
    if isinstance(value, datetime):
        value = value.astimezone(context["zone"]).date()
    return format_date(value, style, locale=context["locale"])


@pass_context
def time_(context: Context, value: datetime, style: str = "short") -> str:
    """A time of day in the newsletter's zone."""
    return format_time(value.astimezone(context["zone"]), style, locale=context["locale"])


def minutes(words: int) -> int:
    """Minutes to read ``words``, at least one."""
    return max(1, math.ceil(words / WORDS_PER_MINUTE))


def plain(value: object) -> str:
    """Text without tags, entities decoded, white space collapsed."""
    return " ".join(html.unescape(_TAGS.sub(" ", str(value))).split())


def sentences(value: str, count: int = 2) -> str:
    """The first ``count`` sentences of ``value``."""
    return "".join(_sentences(plain(value))[:count]).strip()


def opening(value: str, characters: int = 400) -> str:
    """The first paragraph of ``value``: the sentences that ``characters`` hold, or the start of a longer first one."""
    found = _sentences(plain(value.strip().partition("\n\n")[0]))
    kept = found[:1]
    for sentence in found[1:]:
        if len("".join(kept)) + len(sentence) > characters:
            break
        kept.append(sentence)
    return shorten("".join(kept).strip(), characters)


def quotation(value: str, least: int = 40, most: int = 160) -> str:
    """The first quotation in ``value`` fit to stand alone, in its own marks; '' where there is none.

    Whole sentences of ``least`` to ``most`` characters; the comma before "he said" becomes a full stop.
    """
    for match in _QUOTED.finditer(value):
        said = " ".join(match[0][1:-1].split())
        said = said[:-1] + "." if said.endswith(",") else said
        if least <= len(said) <= most and not said[0].islower() and said[-1] in _SENTENCE_ENDS:
            return match[0][0] + said + match[0][-1]
    return ""


def shorten(value: str, characters: int = 240) -> str:
    """``value`` up to the last whole word within ``characters``, with an ellipsis where something is missing."""
    text = str(value)
    if len(text) <= characters:
        return text
    kept = text[:characters].rsplit(maxsplit=1)[0] if " " in text[:characters] else text[:characters]
    return kept.rstrip(" ,;:–—-") + "…"


def width_of(text: str) -> int:
    """Columns that ``text`` takes in a fixed-width font."""
    return sum(0 if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Cf") else _columns(c) for c in text)


def wrap(value: str, width: int = WIDTH, indent: str = "") -> str:
    """``value`` in lines of at most ``width`` columns; a longer word (a URL) stands alone, unbroken."""
    paragraphs = []
    for paragraph in str(value).split("\n"):
        lines: list[str] = []
        line = indent
        for word in filter(None, _SPACES.split(paragraph)):
            joined = f"{line} {word}" if line.strip() else indent + word
            if line.strip() and width_of(joined) > width:
                lines.append(line)
                line = indent + word
            else:
                line = joined
        paragraphs.append("\n".join([*lines, line]).rstrip())
    return "\n".join(paragraphs)


def capitals(value: str) -> str:
    """Capital letters for a text kicker."""
    return value.upper()


@pass_context
def utm(context: Context, url: str, **parameters: str) -> str:
    """``url`` with utm_source (newsletter), utm_medium (email), utm_campaign (occurrence), or those given."""
    given = {
        "utm_source": context["newsletter"].name,
        "utm_medium": "email",
        "utm_campaign": context["edition"].occurrence,
    } | {f"utm_{name}": value for name, value in parameters.items()}
    return with_parameters(url, given)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "date": date_,
    "time": time_,
    "reading_time": minutes,
    "plain": plain,
    "sentences": sentences,
    "opening": opening,
    "quotation": quotation,
    "shorten": shorten,
    "wrap": wrap,
    "capitals": capitals,
    "utm": utm,
}


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _sentences(text: str) -> list[str]:
    """``text`` in sentences, each but the first with the space before it."""
    found: list[str] = []
    for part in _SENTENCE.findall(text):
        if found and _NO_END.search(found[-1]):
            found[-1] += part
        else:
            found.append(part)
    return found
