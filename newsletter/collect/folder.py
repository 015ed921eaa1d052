"""Saved files -> articles: ``.html`` as pages, ``.txt`` and ``.md`` with the headline on the first line.

A ``.md`` file may begin with front matter (YAML between ``---`` lines) naming headline, standfirst, url, authors,
section, tags, published_at, dateline, language, access. ``read_document`` is pure and runs in a worker (``parsing``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from html import escape
from pathlib import Path, PurePath
from typing import Any

from newsletter.collect.plain_text import clean, one_line, paragraphs
from newsletter.collect.sanitising import sanitise
from newsletter.errors import SourceError
from newsletter.model import Access, IncomingArticle

SUFFIXES = (".html", ".htm", ".txt", ".md")
MAX_FILES = 5_000
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}\s+")


@dataclass(frozen=True, slots=True)
class Listing:
    """The readable files of a folder, newest first, and a mark that changes when any of them does."""

    files: tuple[Path, ...]
    mark: str


def list_folder(folder: Path) -> Listing:
    """What stands in ``folder`` and below; hidden files are left alone. Raises SourceError if it cannot be read."""
    try:
        if not folder.is_dir():
            raise SourceError("there is no such folder", where=str(folder), remedy=f"Run mkdir {folder}")
        found = []
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if not hidden and path.suffix.lower() in SUFFIXES and path.is_file():
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
    except OSError as error:
        raise SourceError(f"the folder cannot be read ({error.strerror})", where=str(folder)) from None
    mark = sha256("\n".join(f"{path} {size} {changed}" for changed, size, path in found).encode(errors="replace"))
    newest = sorted(found, key=lambda one: -one[0])[:MAX_FILES]
    return Listing(tuple(path for _, _, path in newest), mark.hexdigest())


def read_document(body: bytes, *, name: str, source: str, section: str = "", language: str = "") -> IncomingArticle:
    """The article of a saved file; ``name`` (its path within the folder) is its guid. Raises SourceError."""
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise SourceError(f"a {suffix or 'nameless'} file cannot be read", where=name, remedy="Use .html, .txt or .md")
    if not body.strip():
        raise SourceError("the file is empty", where=name)
    if suffix in (".html", ".htm"):
        from newsletter.collect.pages import read_page  # half a second, which feeds and .txt need not pay

        return read_page(body, guid=name, source=source, section=section, language=language)
    text = clean(_decoded(body)).replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in _decoded(body[:1000]):
        raise SourceError("the file is not text", where=name)
    facts, text = _front_matter(text, name) if suffix == ".md" else ({}, text)
    lines = text.strip().split("\n")
    headline = _words(facts, "headline", "title")
    if not headline:
        headline = _HEADING.sub("", lines[0])
        text = "\n".join(lines[1:])
    if not headline.strip():
        raise SourceError("the file has no headline", where=name, remedy="Write it on the first line")
    url = _words(facts, "url", "link")
    body_html = _from_markdown(text, url) if suffix == ".md" else _from_text(text)
    tags = tuple(one_line(tag, 80) for tag in _list(facts, "tags"))[:50]
    return IncomingArticle(
        source=source,
        url=url if url.startswith(("http://", "https://")) else "",
        guid=name,
        headline=one_line(headline, 300),
        standfirst=one_line(_words(facts, "standfirst", "description"), 600),
        authors=tuple(one_line(author, 120) for author in _list(facts, "authors", "author"))[:20],
        dateline=one_line(_words(facts, "dateline"), 120),
        section=one_line(_words(facts, "section"), 80) or section,
        tags=tags,
        language=_words(facts, "language") or language,
        published_at=_time(facts.get("published_at") or facts.get("date")),
        body_html=body_html,
        body_text=paragraphs(body_html)[:100_000],
        access=_access(_words(facts, "access"), name),
    )


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")  # what old editors on Windows leave


def _from_text(text: str) -> str:
    parts = re.split(r"\n\s*\n", text)
    return "".join(f"<p>{escape(' '.join(part.split()), quote=False)}</p>" for part in parts if part.strip())


def _from_markdown(text: str, base: str) -> str:
    from markdown_it import MarkdownIt

    return sanitise(MarkdownIt("commonmark").render(text), base)


def _front_matter(text: str, name: str) -> tuple[Mapping[str, Any], str]:
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        facts = YAML(typ="safe", pure=True).load(match[1])
    except (YAMLError, ValueError) as error:
        line = (str(error).splitlines() or [""])[0]
        raise SourceError(f"the front matter is not YAML ({line})", where=name) from None
    if not isinstance(facts, dict):
        raise SourceError("the front matter does not name values", where=name, remedy="Write headline: …")
    return facts, text[match.end() :]


def _words(facts: Mapping[str, Any], *names: str) -> str:
    return next((str(facts[name]).strip() for name in names if facts.get(name) is not None), "")


def _list(facts: Mapping[str, Any], *names: str) -> list[str]:
    value: Any = next((facts[name] for name in names if facts.get(name) is not None), [])
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _time(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else None


def _access(word: str, name: str) -> Access:
    try:
        return Access(word or Access.FREE)
    except ValueError:
        raise SourceError(
            f"'{word}' is not an access level", where=name, remedy="Write free, metered or members"
        ) from None
