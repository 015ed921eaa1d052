"""A folder of saved files -> what stands in it, what changed, and the article of each file.

``.html`` is read as a page, ``.txt`` as the text of one (``dumps``), ``.eml`` as a letter, ``.md`` as Markdown. That
may begin with front matter (YAML between ``---`` lines) naming headline, standfirst, url, authors, section, tags,
published_at, updated_at, dateline, language, access, and images (each url, caption, credit, alt).
``read_document`` is pure and runs in a worker (``parsing``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urljoin

from newsletter.collect.boilerplate import repeated_paragraphs
from newsletter.collect.dump_paragraphs import paragraphs_of
from newsletter.collect.dumps import read_dump
from newsletter.collect.ignoring import without_ignored
from newsletter.collect.plain_text import clean, one_line, paragraphs
from newsletter.collect.sanitising import sanitise
from newsletter.collect.source_facts import SourceFacts
from newsletter.collect.stated_times import read_time
from newsletter.collect.teaser import teaser_of
from newsletter.errors import SourceError
from newsletter.model import Access, IncomingArticle, Picture

SUFFIXES = (".html", ".htm", ".txt", ".md", ".eml")
MAX_FILES = 5_000
_MAX_PICTURES = 10
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}\s+")
# What old editors left where it is not UTF-8, by language; elsewhere cp1252.
_OLD_ENCODINGS = {
    "ru": "cp1251", "uk": "cp1251", "bg": "cp1251", "sr": "cp1251", "ja": "cp932", "zh": "gb18030", "ko": "cp949",
    "ar": "cp1256", "fa": "cp1256", "ur": "cp1256", "he": "cp1255", "el": "cp1253", "tr": "cp1254", "pl": "cp1250",
    "cs": "cp1250", "sk": "cp1250", "hu": "cp1250", "ro": "cp1250", "hr": "cp1250", "sl": "cp1250", "th": "cp874",
    "vi": "cp1258", "lt": "cp1257", "lv": "cp1257", "et": "cp1257",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listing:
    """The readable files of a folder, newest first, and a ``mark`` that changes when any of them does."""

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


def repeated_in(bodies: Iterable[bytes], *, language: str = "") -> frozenset[str]:
    """What recurs on several of these ``.txt`` files of one source, for ``read_document``; nothing if under three."""
    return repeated_paragraphs(
        [one.text for one in paragraphs_of(_decoded(body, language))] for body in bodies if b"\x00" not in body[:1000]
    )


def read_document(
    body: bytes,
    facts: SourceFacts,
    *,
    name: str,
    repeated: frozenset[str] = frozenset(),
) -> IncomingArticle:
    """The article of a saved file; ``name`` (its path within the folder) is its guid.

    ``repeated`` is what belongs to no story (see ``read_dump``). Raises SourceError.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        remedy = "Use .html, .txt, .md or .eml"
        raise SourceError(f"a {suffix or 'nameless'} file cannot be read", where=name, remedy=remedy)
    if not body.strip():
        raise SourceError("the file is empty", where=name)
    if suffix in (".html", ".htm"):
        from newsletter.collect.pages import read_page  # half a second, which feeds and .txt need not pay

        return read_page(body, facts, guid=name)
    if suffix == ".eml":
        from newsletter.collect.letters import read_letter

        return read_letter(body, facts, name=name)
    text = _decoded(body, facts.language)
    if "\x00" in text[:1000]:
        raise SourceError("the file is not text", where=name)
    if suffix == ".txt":
        return read_dump(text, facts, name=name, repeated=repeated)
    return _read_markdown(clean(text).replace("\r\n", "\n").replace("\r", "\n"), facts, name=name)


def _read_markdown(text: str, facts: SourceFacts, *, name: str) -> IncomingArticle:
    stated, text = _front_matter(text, name)
    lines = text.strip().split("\n")
    headline = _words(stated, "headline", "title")
    if not headline:
        headline = _HEADING.sub("", lines[0])
        text = "\n".join(lines[1:])
    if not headline.strip():
        raise SourceError("the file has no headline", where=name, remedy="Write it on the first line")
    url = _words(stated, "url", "link")
    body_html = without_ignored(_from_markdown(text, url), facts)
    body_text = paragraphs(body_html)[:100_000]
    standfirst = one_line(_words(stated, "standfirst", "description"), 600)
    return IncomingArticle(
        source=facts.source,
        url=url if url.startswith(("http://", "https://")) else "",
        guid=name,
        headline=one_line(headline, 300),
        standfirst=standfirst,
        authors=tuple(one_line(author, 120) for author in _list(stated, "authors", "author"))[:20],
        dateline=one_line(_words(stated, "dateline"), 120),
        section=one_line(_words(stated, "section"), 80) or facts.section,
        tags=tuple(one_line(tag, 80) for tag in _list(stated, "tags"))[:50],
        language=_words(stated, "language") or facts.language,
        published_at=_time(stated.get("published_at") or stated.get("date"), facts.zone),
        updated_at=_time(stated.get("updated_at") or stated.get("updated"), facts.zone),
        images=_pictures(stated, url, name),
        body_html=body_html,
        body_text=body_text,
        access=_access(_words(stated, "access"), name),
        teaser=teaser_of(standfirst, body_text, facts.teaser_words),
    )


def _decoded(body: bytes, language: str) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode(_OLD_ENCODINGS.get(language[:2].lower(), "cp1252"), "replace")


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


def _pictures(facts: Mapping[str, Any], base: str, name: str) -> tuple[Picture, ...]:
    """The pictures the front matter names: URLs, or mappings with url, caption, credit and alt."""
    value: Any = next((facts[key] for key in ("images", "image") if facts.get(key) is not None), [])
    found: dict[str, Picture] = {}
    for one in value if isinstance(value, list) else [value]:
        named: Mapping[str, Any] = one if isinstance(one, dict) else {"url": one}
        try:
            url = urljoin(base, _words(named, "url", "src"))
        except ValueError:
            url = ""
        if not url.startswith(("http://", "https://")):
            stated = one_line(_words(named, "url", "src"), 80)
            raise SourceError(
                f"'{stated}' is no picture's address", where=name, remedy="Write images: [{url: https://…, caption: …}]"
            )
        caption, credit = one_line(_words(named, "caption"), 500), one_line(_words(named, "credit"), 200)
        found.setdefault(url, Picture(url, caption, credit, one_line(_words(named, "alt"), 300)))
    return tuple(found.values())[:_MAX_PICTURES]


def _time(value: object, zone: str) -> datetime | None:
    """A time of the front matter in UTC; one without a zone is told by the clocks of ``zone``."""
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return read_time(str(value), zone=zone) if isinstance(value, str | date) else None


def _access(word: str, name: str) -> Access:
    try:
        return Access(word or Access.FREE)
    except ValueError:
        raise SourceError(
            f"'{word}' is not an access level", where=name, remedy="Write free, metered or members"
        ) from None
