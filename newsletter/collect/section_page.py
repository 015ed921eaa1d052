"""A section page's bytes -> the addresses of its stories: the links that match the source's pattern. Pure; runs in a
worker process (``parsing``), since a pattern can be made slow."""

from __future__ import annotations

import re
from urllib.parse import urldefrag

from newsletter.collect.html_tree import absolute, base_of, parse_html
from newsletter.errors import SourceError

MAX_LINKS = 1_000
_LOOKED_AT = 20_000


def read_links(body: bytes, *, url: str, links: str, content_type: str = "") -> tuple[str, ...]:
    """The absolute URLs on the page at ``url`` that ``links`` (a regular expression) matches, in order, once each.

    Fragments are dropped, so the comments of a story are the story. At most ``MAX_LINKS``. Raises SourceError if it is
    no HTML or if ``links`` is no regular expression.
    """
    try:
        wanted = re.compile(links)
    except re.error as error:
        raise SourceError(f"links is not a regular expression ({error})", where=url) from None
    tree = parse_html(body, content_type, url)
    base = base_of(tree, url)
    own = urldefrag(url).url
    found: dict[str, None] = {}
    for number, element in enumerate(tree.iter("a", "area")):
        if number >= _LOOKED_AT or len(found) >= MAX_LINKS:
            break
        address = urldefrag(absolute(element.get("href") or "", base)).url
        if address and address != own and wanted.search(address):
            found.setdefault(address)
    return tuple(found)
