"""Asks DNS: names -> TXT strings, mail exchangers, addresses, reverse names. The only DNS client for records."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from newsletter.errors import LookupFailed, UsageError

SECONDS = 5.0


class Dns:
    """One resolver: the system's, or ``nameserver`` (``127.0.0.1`` or ``127.0.0.1:5353``)."""

    def __init__(self, nameserver: str = "") -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not nameserver)
        if nameserver:
            host, _, port = nameserver.rpartition(":") if nameserver.count(":") == 1 else (nameserver, "", "")
            try:
                self._resolver.nameservers = [str(ip_address(host))]
                self._resolver.port = int(port or 53)
            except ValueError:
                raise UsageError(
                    f"'{nameserver}' is not a name server", remedy="Write its IP address, with :PORT where it is not 53"
                ) from None
        self._resolver.lifetime = SECONDS

    async def txt(self, name: str) -> list[str]:
        """The TXT records of ``name``, each one's strings joined (RFC 7208 §3.3); [] where there are none."""
        return [b"".join(one.strings).decode("utf-8", "replace") for one in await self._ask(name, "TXT")]

    async def mx(self, name: str) -> list[str]:
        """The mail exchangers of ``name``, best first; ``.`` says that it takes no mail (RFC 7505)."""
        found = sorted(await self._ask(name, "MX"), key=lambda one: one.preference)
        return [one.exchange.to_text(omit_final_dot=True) or "." for one in found]

    async def addresses(self, name: str) -> list[str]:
        """The IPv4 and IPv6 addresses of ``name``."""
        return [one.address for kind in ("A", "AAAA") for one in await self._ask(name, kind)]

    async def pointers(self, address: str) -> list[str]:
        """The names that ``address`` points back to."""
        name = dns.reversename.from_address(address).to_text()
        return [one.target.to_text(omit_final_dot=True) for one in await self._ask(name, "PTR")]

    async def exists(self, name: str) -> bool:
        """Whether there is ``name`` at all, whatever its records (RFC 8020)."""
        return await self._found(name, "A") is not None

    async def _ask(self, name: str, kind: str) -> list[Any]:
        return await self._found(name, kind) or []

    async def _found(self, name: str, kind: str) -> list[Any] | None:
        """The records of a name, or None where there is no such name."""
        try:
            return list(await self._resolver.resolve(dns.name.from_text(name), kind))
        except dns.resolver.NXDOMAIN:
            return None
        except dns.resolver.NoAnswer:
            return []
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise LookupFailed(
                f"DNS did not answer for {kind} of {name} ({type(error).__name__})",
                remedy="Try again, or ask another server with --nameserver",
            ) from None
