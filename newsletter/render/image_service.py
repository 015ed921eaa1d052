"""Where a picture is at the publisher's own image service: ``images: {mode: link, pattern: …}``. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, urldefrag, urlsplit

_PLACE = re.compile(r"\{(url|path|width)\}")
# What may stand in a URL as it is (RFC 3986 section 2); anything else in one is encoded.
_ALLOWED = "%:/?#[]@!$&'()*+,;=~"


def linked(pattern: str, url: str, width: int) -> str:
    """The address of the picture at ``url`` in ``width`` pixels, '' where that cannot be one.

    ``{url}`` is percent-encoded (RFC 3986 section 2.1), so that it can stand in a query or a path; where the pattern
    begins with it, it is the address itself. ``{path}`` is the path of the picture's URL.
    """
    try:
        url = quote(urldefrag(url).url, safe=_ALLOWED)
        path = urlsplit(url).path
    except ValueError:
        return ""
    if pattern.startswith("{url}?") and "?" in url:
        pattern = pattern.replace("{url}?", "{url}&", 1)

    def fill(match: re.Match[str]) -> str:
        if match[1] == "width":
            return str(width)
        if match[1] == "path":
            return path.removeprefix("/") if pattern[: match.start()].endswith("/") else path
        return quote(url, safe="") if match.start() else url

    found = _PLACE.sub(fill, pattern)
    return found if found.startswith(("http://", "https://")) and url.startswith(("http://", "https://")) else ""
