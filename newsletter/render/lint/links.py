"""Rules on links: relative, of other schemes, without TLS, without campaign parameters where others have them.

Whether anything answers there is asked by ``newsletter lint --links`` only, never while rendering.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lxml import etree

from newsletter.render.lint.findings import Finding, error, warning
from newsletter.render.lint.mail import Mail

_KNOWN = ("https://", "http://", "mailto:", "tel:", "sms:", "cid:")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_TEXT_URL = re.compile(r"https?://[^\s<>\"']+")


def links(mail: Mail) -> Iterator[Finding]:
    """Every fault of a link that can be seen without asking anybody."""
    insecure: dict[str, list[tuple[etree._Element, str]]] = {}
    anchors = {element.get("id") or element.get("name") for element in mail.elements}
    for element, link in mail.links():
        if link.startswith("http://"):
            insecure.setdefault(urlsplit(link).netloc, []).append((element, link))
        elif link.startswith(_KNOWN) or (link.startswith("data:") and element.tag == "img"):
            continue
        elif _SCHEME.match(link):
            yield error(
                "link-scheme",
                f"<{element.tag!s}> points at '{link[:80]}'",
                "Use https, mailto or tel",
                mail.at(element),
            )
        elif not (link.startswith("#") and link[1:] in anchors):
            yield error(
                "relative-link",
                f"<{element.tag!s}> points at '{link[:80]}', which leads nowhere",
                "Write https://…",
                mail.at(element),
            )
    for host, found in insecure.items():
        element, link = found[0]
        yield warning(
            "http-link",
            f"{len(found)} {'link goes' if len(found) == 1 else 'links go'} to {host} without TLS, as {link[:120]}",
            "Use https: of a story in its source, of our own pages and pictures in web.url",
            mail.at(element),
        )
    yield from _campaigns(mail)


def _campaigns(mail: Mail) -> Iterator[Finding]:
    """Links to a host of which some links carry ``utm_`` parameters, and these do not.

    A design that puts the filter ``utm`` on its stories has decided for them; one that never does is not asked to.
    Links with which a reader settles something (ours) carry none, so only hosts that stories are on are looked at.
    """
    pages = [
        (element, link)
        for element, link in mail.links()
        if element.tag in ("a", "area") and link.startswith(("https://", "http://"))
    ]
    tagged = {urlsplit(link).netloc for _, link in pages if _has_campaign(link)}
    ours = urlsplit(mail.expected.unsubscribe_url).netloc
    said: set[str] = set()
    for element, link in pages:
        parts = urlsplit(link)
        if parts.netloc in tagged - {ours} and parts.path.strip("/") and not _has_campaign(link) and link not in said:
            said.add(link)
            yield warning(
                "utm",
                f"{link[:120]} has no utm parameters, and other links to {parts.netloc} have them",
                "Write {{ story.url | utm }}",
                mail.at(element),
            )


def web_links(mail: Mail) -> dict[str, etree._Element | None]:
    """Every address on the web that the message points at, with the first element that does."""
    found: dict[str, etree._Element | None] = {}
    for element, link in mail.links():
        if link.startswith(("https://", "http://")):
            found.setdefault(link, element)
    for link in text_links(mail.text):
        found.setdefault(link, None)
    return found


def text_links(text: str) -> list[str]:
    """The addresses in a text, without the full stop or bracket that follows one."""
    return [_unbracketed(link) for link in _TEXT_URL.findall(text)]


def same(url: str) -> str:
    """``url`` as it is compared: without ``utm_`` parameters and a last slash."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name[:4] != "utm_"]
    return urlunsplit(parts._replace(query=urlencode(query), path=parts.path.rstrip("/"), fragment=""))


def _has_campaign(link: str) -> bool:
    return any(name.startswith("utm_") for name, _ in parse_qsl(urlsplit(link).query, keep_blank_values=True))


def _unbracketed(link: str) -> str:
    link = link.rstrip(".,;:!?")
    while link.endswith(")") and link.count("(") < link.count(")"):
        link = link[:-1].rstrip(".,;:!?")
    return link
