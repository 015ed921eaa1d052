"""Which addresses are ever connected to."""

from __future__ import annotations

import socket

import pytest

from newsletter.net.guard import AddressRefused, guarding_socket_factory, is_private, is_public

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
PRIVATE = ["127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1"]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "fe80::1",
    "fe80::1%2",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "not an address",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)
    assert not is_private(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_permission(address: str) -> None:
    assert not is_public(address)
    assert is_private(address)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_cannot_even_be_permitted(address: str) -> None:
    assert not is_public(address)
    assert not is_private(address)


@pytest.mark.parametrize("wrapped", ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "::7f00:1"])
def test_an_ipv4_address_inside_an_ipv6_one_is_what_counts(wrapped: str) -> None:
    assert not is_public(wrapped)
    assert is_private(wrapped)


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
def test_no_socket_is_made_for_an_address_that_is_not_public(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(AddressRefused, match="is not a public address"):
        guarding_socket_factory(allow_private=False)((family, socket.SOCK_STREAM, 6, "", (address, 80)))
