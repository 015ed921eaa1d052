"""Campaign parameters (``utm_source`` …) on the links to the publisher's own site, where a newsletter wants them.

A rendered document -> the same, its links to the site with what is missing of them. Links to others, to our own pages
and slots stay as they are.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

from newsletter.config.models import Newsletter

_HREF = re.compile(r"(<a(?:rea)?\b(?:[^\"'>]|\"[^\"]*\"|'[^']*')*?\shref=)(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_TEXT_URL = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")


@dataclass(frozen=True, slots=True)
class Campaign:
    """``parameters`` in order; ``site`` is the host of the publisher's site, ``ours`` that of our own pages."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    site: str = ""
    ours: str = ""

    def added(self, document: str, suffix: str) -> str:
        """``document`` (``html`` or ``txt``) with the parameters on its links to the site."""
        if not self.parameters:
            return document
        if suffix == "html":
            return _HREF.sub(lambda match: match[1] + self._attribute(match[2]), document)
        return _TEXT_URL.sub(lambda match: self.link(match[0]), document)

    def link(self, url: str) -> str:
        """``url``, with the parameters where it is one of the site's own; what it has of them already stays."""
        host = _host(url) if url.startswith(("https://", "http://")) else ""
        if not host or not self.site or host == self.ours:
            return url
        if host != self.site and not host.endswith(f".{self.site}"):
            return url
        return with_parameters(url, self.parameters, keep=True)

    def _attribute(self, quoted: str) -> str:
        url = html.unescape(quoted[1:-1])
        changed = self.link(url)
        return quoted if changed == url else f'"{html.escape(changed, quote=True)}"'


def campaign_of(newsletter: Newsletter, name: str, occurrence: str, site_url: str, web_base: str) -> Campaign:
    """What ``utm`` of a newsletter asks for: nothing where it says nothing."""
    if newsletter.utm is False:
        return Campaign()
    given = {} if newsletter.utm is True else newsletter.utm.model_dump(exclude_none=True)
    own = {"source": name, "medium": "email", "campaign": occurrence}
    site, ours = _host(site_url), _host(web_base)
    parameters = {f"utm_{key}": value for key, value in {**own, **given}.items() if value}
    return Campaign(parameters, site, ours if ours != site else "")


def with_parameters(url: str, parameters: Mapping[str, str], *, keep: bool = False) -> str:
    """``url`` with these query parameters in place of its own of these names; ``keep``: with those that it lacks.

    The rest of its query stays as it is written.
    """
    parts = urlsplit(url)
    query = [part for part in parts.query.split("&") if part]
    if keep:
        there = {part.partition("=")[0] for part in query}
        parameters = {name: value for name, value in parameters.items() if name not in there}
    else:
        query = [part for part in query if part.partition("=")[0] not in parameters]
    return urlunsplit(parts._replace(query="&".join([*query, urlencode(parameters)]))) if parameters else url


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:  # https://[: what a body may hold, and no address
        return ""
