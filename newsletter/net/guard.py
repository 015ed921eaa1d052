"""Which addresses we connect to: checked on the very address the socket is made for.

A guarding resolver is not enough, because IP literals never reach it and a name may resolve differently the second
time. aiohttp asks ``socket_factory`` for a socket for each address it is about to connect to; we refuse there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

_CARRIER_GRADE_NAT = IPv4Network("100.64.0.0/10")  # RFC 6598 section 7
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 section 2.1
_IPV4_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 section 2.5.5.1, deprecated
# What "a private network" means where a source says allow_private; link-local (cloud metadata) is never in it.
_PRIVATE_NETWORKS: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),  # RFC 1918 section 3, as the next two
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    _CARRIER_GRADE_NAT,
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),  # RFC 4193 section 3.1
)

# Said of an address that allow_private does not help: the cloud's metadata, multicast, 0.0.0.0.
NEVER_ALLOWED = " nor one that allow_private permits"


class AddressRefused(OSError):
    """The address that a socket was asked for is not one we connect to."""


def is_public(address: str) -> bool:
    """Whether ``address`` (an IP address as text) is an ordinary unicast address of the public Internet."""
    ip = _embedded(address)
    return (
        ip is not None
        and ip.is_global
        and not ip.is_multicast
        and not ip.is_reserved
        and not (isinstance(ip, IPv6Address) and (ip.is_site_local or ip.teredo is not None))
    )


def is_private(address: str) -> bool:
    """Whether ``address`` is loopback or in a private network, which a source may be permitted to use."""
    ip = _embedded(address)
    return ip is not None and any(ip in network for network in _PRIVATE_NETWORKS if network.version == ip.version)


def guarding_socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """A ``socket_factory`` for aiohttp's TCPConnector that raises AddressRefused for addresses not allowed."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        host = str(address[0])
        if not (is_public(host) or (allow_private and is_private(host))):
            never = "" if is_private(host) else NEVER_ALLOWED
            raise AddressRefused(f"{host} is not a public address{never}")
        return socket.socket(family, kind, protocol)

    return make


def _embedded(address: str) -> IPv4Address | IPv6Address | None:
    """The address a packet would end at: the IPv4 one inside mapped, NAT64 and 6to4 forms. None if unreadable."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip in _IPV4_COMPATIBLE and int(ip) > 1:
        return IPv4Address(int(ip))
    return ip
