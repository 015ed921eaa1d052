"""A path's subscriber id and token -> the subscriber they name, or nobody; and what a request tells of its client."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from newsletter.members import links
from newsletter.members.consent import Evidence
from newsletter.model import ConsentChannel, Subscriber
from newsletter.store import subscribers
from newsletter.web.pages import Pages

NEWSLETTER = re.compile(r"[a-z][a-z0-9_-]{0,47}")
_ID = re.compile(r"[1-9]\d{0,18}", re.ASCII)
_LARGEST_ID = 2**63 - 1
_NOBODY = bytes(32)


async def reader(pages: Pages, subscriber_id: str, permits: Callable[[bytes], bool]) -> Subscriber | None:
    """The subscriber, if ``permits(her secret)`` says that the token is hers.

    Whatever is wrong, the same work is done: a lookup, and a token made and compared.
    """
    number = int(subscriber_id) if _ID.fullmatch(subscriber_id) else 0
    found = await pages.store.read_async(subscribers.by_id, number if number <= _LARGEST_ID else 0)
    there = found is not None and found.erased_at is None
    permitted = permits(found.secret if found is not None and there else _NOBODY)
    return found if there and permitted else None


async def preferring(pages: Pages, subscriber_id: str, token: str) -> Subscriber | None:
    """The subscriber whose preferences link this is."""
    return await reader(pages, subscriber_id, lambda secret: links.is_preferences(token, secret))


def evidence(pages: Pages, request: Request, channel: ConsentChannel, wording: str = "") -> Evidence:
    """When and how this request decides something, and which version of which words stood on the page."""
    return Evidence(channel, pages.clock(), truncated(request.client.host if request.client else ""), wording)


def refuse_from_elsewhere(request: Request) -> None:
    """Raise HTTPException 403 for a form that another site sends in this browser (Fetch Metadata, W3C).

    The link is the proof of who acts, and another site does not know it; should it leak, it still acts only by hand.
    What is no browser says nothing of the kind, and a mail program's one-click post (RFC 8058) is never asked.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPException(403)


def truncated(client: str) -> str:
    """A network address without the part that tells people apart: /24 of IPv4, /48 of IPv6; '' for anything else."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))
