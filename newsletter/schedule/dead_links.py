"""Asks whether the links of a mail lead somewhere: addresses -> one guarded request each, a few at a time -> findings.

For ``newsletter lint --links`` only; rendering and sending never wait for somebody else's server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import timedelta
from urllib.parse import urlsplit

from newsletter.config.reading import Configuration
from newsletter.errors import FetchError
from newsletter.net.client import Fetcher
from newsletter.render.lint import Finding, Mail, Severity
from newsletter.render.lint.links import web_links
from newsletter.render.rendering import web_base

AT_ONCE = 10
WITHIN = timedelta(seconds=10)
_GONE = (404, 410)


def addresses_of(configuration: Configuration, mails: Iterable[Mail]) -> list[str]:
    """What to ask for: every address of these mails but those made for one reader (unsubscribe, preferences …)."""
    ours = web_base(configuration) + "/"
    found = (link for mail in mails for link in web_links(mail))
    return [link for link in dict.fromkeys(found) if not link.startswith(ours) or link.startswith(ours + "media/")]


async def ask(configuration: Configuration, addresses: Collection[str], client: Fetcher) -> dict[str, FetchError]:
    """Those of ``addresses`` that do not answer as a page does, with what is wrong; at most ten at once.

    A private address is asked only where it is our own ``web``, or at a source that says ``allow_private``.
    """
    private = trusted_hosts(configuration)
    places = asyncio.Semaphore(AT_ONCE)
    refused: dict[str, FetchError] = {}

    async def one(address: str) -> None:
        async with places:
            try:
                await client.reachable(address, within=WITHIN, allow_private=urlsplit(address).netloc in private)
            except FetchError as error:
                refused[address] = error

    async with asyncio.TaskGroup() as group:
        for address in addresses:
            group.create_task(one(address))
    return refused


def dead_links(mail: Mail, refused: dict[str, FetchError]) -> list[Finding]:
    """A finding for each link of ``mail`` among ``refused``: an error where it is gone, else a warning."""
    found = []
    for link, element in web_links(mail).items():
        error = refused.get(link)
        if error is None:
            continue
        gone = error.status in _GONE
        found.append(
            Finding(
                Severity.ERROR if gone else Severity.WARNING,
                "dead-link",
                f"{link[:160]}: {error.what}",
                "Correct the link" if gone else "Look at it; it may be back when the mail goes out",
                spot=mail.at(element) if element is not None else mail.at_words(link),
            )
        )
    return found


def trusted_hosts(configuration: Configuration) -> set[str]:
    """Hosts (with their ports) that may be asked in a private network: our own ``web``, and sources that say so."""
    sources = configuration.schedules.sources.values()
    trusted = {urlsplit(source.location).netloc for source in sources if source.allow_private}
    return {*trusted, urlsplit(web_base(configuration)).netloc} - {""}
