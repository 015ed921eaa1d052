"""What a form or the API asks for -> one act of ``members.signing_up``, and an answer that tells nothing of who reads.

Every answer to a good request is the same, comes after the same time and is made by nearly the same work; what it was
is told in a mail to the owner of the address.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.requests import Request

from newsletter.errors import AddressError
from newsletter.members.addresses import address_hashes, parse_address
from newsletter.members.consent import Evidence
from newsletter.members.signing_in import Limit
from newsletter.members.signing_up import Answer, Asked, is_role_address, request_subscriptions
from newsletter.web.pages import Pages
from newsletter.web.readers import truncated

BEAT_SECONDS = 0.1
"""An answer that must not tell who reads comes at the next multiple of this since its request came."""
_RATES = "request-rates"


class RoleAddress(AddressError):
    """The address is of an office, and this site asks for a person's own."""


def parse_asker(pages: Pages, text: str) -> str:
    """The address that asks, parsed. Raises AddressError, RoleAddress where the site wants none of those."""
    address = parse_address(text)
    if pages.schedules.sign_up.role_addresses == "refuse" and is_role_address(address):
        raise RoleAddress("this is the address of an office, not of a person")
    return address


async def ask(
    pages: Pages,
    request: Request,
    address: str,
    newsletters: Sequence[str],
    evidence: Evidence,
    *,
    language: str = "",
) -> Answer:
    """Take down a request of a parsed ``address`` for ``newsletters``, which are ``listed``. Raises StoreError."""
    known = pages.schedules.newsletters
    by_form = [] if is_role_address(address) else [one for one in newsletters if known[one].opt_in == "single"]
    asked = Asked(
        address=address,
        address_hashes=address_hashes(address, pages.configuration.site_keys),
        newsletters=tuple(newsletters),
        single=frozenset(by_form),
        language=language,
        page_language=pages.configuration.site_language_for(language),
        confirm_within=pages.schedules.sign_up.confirm_within,
        of_address=limit_of_address(pages, address),
        of_client=limit_of_client(pages, request),
    )
    return await pages.store.write_async(request_subscriptions, asked, evidence)


def limit_of_address(pages: Pages, address: str) -> Limit:
    """How often mail may be asked for to one address; its ``+tags`` count as one."""
    local, _, domain = address.rpartition("@")
    whose = f"address\0{local.partition('+')[0]}@{domain}"
    return Limit(_key(pages, whose), pages.schedules.sign_up.mails_per_address)


def limit_of_client(pages: Pages, request: Request) -> Limit:
    """How often one network may ask."""
    network = truncated(request.client.host if request.client else "")
    return Limit(_key(pages, f"client\0{network}"), pages.schedules.sign_up.requests_per_client)


def may_hold_the_form(pages: Pages, origin: str) -> bool:
    """Whether pages of ``origin`` (RFC 6454) may hold the sign-up form: the publisher's site, and what it names."""
    return bool(origin) and origin in {
        _origin(str(one)) for one in (pages.schedules.site.url, *pages.schedules.sign_up.embed_on)
    }


@asynccontextmanager
async def on_the_beat() -> AsyncIterator[None]:
    """What is done inside ends at a multiple of ``BEAT_SECONDS`` since it began, whatever it was."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        yield
    finally:
        spent = loop.time() - began
        await asyncio.sleep(math.ceil(spent / BEAT_SECONDS) * BEAT_SECONDS - spent)


def _key(pages: Pages, whose: str) -> str:
    return pages.configuration.site_keys.sign(_RATES, whose.encode()).hex()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
