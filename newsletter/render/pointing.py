"""What an edition points at: the pieces of one rendered key -> addresses of links and pictures. Pure.

Every piece is read, so what is found covers every reader's mail, whichever sections she has.
"""

from __future__ import annotations

import json
import quopri
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

from newsletter.model import Role
from newsletter.render.encoding import unpack
from newsletter.render.lint.links import same
from newsletter.render.pool import MANIFEST, piece_name

# Stands where a slot or a place is: an address with one is another for each reader, and nobody's in particular.
_OPEN = "\ufffc"
_WEB = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class Pointing:
    """``stories`` are the addresses of stories that have one of their own, ``links`` what the HTML links to, both as
    ``lint.links.same`` compares them; ``lead_pictures`` are the addresses of the lead's pictures, ``pictures`` those of
    all others, each once."""

    stories: frozenset[str]
    links: frozenset[str]
    lead_pictures: tuple[str, ...]
    pictures: tuple[str, ...]


def pointing(pieces: Mapping[str, bytes]) -> Pointing:
    """What the mail of these pieces points at. 10 to 20 ms."""
    manifest = json.loads(pieces[MANIFEST])
    front = same(manifest["site"]["url"])
    stories = [story for section in manifest["sections"] for story in section["stories"]]
    lead = _read(pieces, [piece_name("html", f"{stories[0]['id']}/{Role.LEAD}")] if stories else [])
    whole = _read(pieces, [name for name in pieces if name.startswith("html/")])
    return Pointing(
        frozenset(address for story in stories if (address := same(story["url"])) != front),
        frozenset(same(link) for link in whole.links),
        tuple(dict.fromkeys(lead.pictures)),
        tuple(picture for picture in dict.fromkeys(whole.pictures) if picture not in lead.pictures),
    )


class _Addresses(HTMLParser):
    """Collects the whole addresses on the web that a document links to, and those of its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            address = (value or "").strip()
            if _OPEN in address or not address.startswith(_WEB):
                continue
            if tag in ("a", "area") and name == "href":
                self.links.append(address)
            elif tag == "img" and name == "src":
                self.pictures.append(address)


def _read(pieces: Mapping[str, bytes], names: list[str]) -> _Addresses:
    found = _Addresses()
    for name in names:
        if name in pieces:
            found.feed("".join(_texts(pieces[name])))
    found.close()
    return found


def _texts(piece: bytes) -> Iterator[str]:
    for chunk in unpack(piece):
        yield quopri.decodestring(chunk).decode("utf-8", "replace") if isinstance(chunk, bytes) else _OPEN
