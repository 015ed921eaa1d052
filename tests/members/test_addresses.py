"""What may become an address, a name, a language or a zone, and what each refusal says."""

from __future__ import annotations

import pytest

from newsletter.config.site_key import SiteKeys
from newsletter.domain_groups import domain_group
from newsletter.errors import AddressError
from newsletter.members.addresses import (
    address_hash,
    address_hashes,
    masked,
    parse_address,
    parse_language,
    parse_name,
    parse_timezone,
    shown,
)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ann.Lee@Example.ORG", "ann.lee@example.org"),
        (" ann@example.org\t", "ann@example.org"),
        ("ann+news@example.org", "ann+news@example.org"),
        ("ann@münchen.de", "ann@xn--mnchen-3ya.de"),
        ("ann@XN--MNCHEN-3YA.de", "ann@xn--mnchen-3ya.de"),
        ("o'hara=x@example.org", "o'hara=x@example.org"),
        ("Änn+News@münchen.de", "änn+news@xn--mnchen-3ya.de"),
        ("पाठक@example.org", "पाठक@example.org"),
    ],
)
def test_an_address_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert parse_address(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ann",
        "ann@",
        "@example.org",
        "ann@localhost",
        "ann@example.org, bob@example.org",
        "Ann <ann@example.org>",
        '"ann lee"@example.org',
        "ann@[192.0.2.1]",
        "ann..lee@example.org",
        "ann@example..org",
        "ann@-example.org",
        "a" * 65 + "@example.org",
        "ä" * 33 + "@example.org",
        "ann@" + "a" * 250 + ".org",
        "ann@example.org\r\nBcc: x@example.org",
        "ann@example.org\n",
        "an\0n@example.org",
        "ann@exam\u2028ple.org",
        "ann@example.org\x85",
    ],
)
def test_what_is_no_address_is_refused_by_name_and_on_one_line(typed: str) -> None:
    with pytest.raises(AddressError) as refused:
        parse_address(typed)
    assert str(refused.value).isprintable()
    assert refused.value.where == (shown(typed) or "''")


def test_providers_are_grouped_and_everyone_else_is_their_domain() -> None:
    grouped = {
        "a@gmail.com": "gmail",
        "a@googlemail.com": "gmail",
        "a@yahoo.co.in": "yahoo",
        "a@yahoo.com": "yahoo",
        "a@ymail.com": "yahoo",
        "a@aol.com": "yahoo",
        "a@hotmail.fr": "outlook",
        "a@outlook.com": "outlook",
        "a@live.com.au": "outlook",
        "a@icloud.com": "apple",
        "a@me.com": "apple",
        "a@example.org": "example.org",
        "a@yahoo.example.org": "yahoo.example.org",
        "a@notgmail.com": "notgmail.com",
        "a@live.example": "live.example",
    }
    assert {address: domain_group(address) for address in grouped} == grouped
    assert len(domain_group("a@" + "b" * 60 + "." + "c" * 60 + ".org")) == 64


def test_an_address_hash_is_keyed_and_known_under_retired_keys() -> None:
    old, new = SiteKeys.of_one(b"o" * 32), SiteKeys((b"n" * 32, b"o" * 32))
    assert address_hash("ann@example.org", old) != address_hash("ann@example.org", new)
    assert address_hashes("ann@example.org", new) == (
        address_hash("ann@example.org", new),
        address_hash("ann@example.org", old),
    )
    assert len(address_hash("ann@example.org", new)) == 64


@pytest.mark.parametrize("name", ["Ann\r\nBcc: x@example.org", "Ann\0", "Ann\x1b[2J", "a" * 201, "Ann\u2029"])
def test_a_name_that_could_start_a_header_is_refused(name: str) -> None:
    with pytest.raises(AddressError):
        parse_name(name)


def test_names_of_every_script_are_kept_in_one_normal_form() -> None:
    assert parse_name("  மீரா ") == "மீரா"
    assert parse_name("Jose\u0301") == "José"


def test_a_language_and_a_zone_are_checked_and_may_be_empty() -> None:
    assert (parse_language(""), parse_language("pt-BR"), parse_timezone(""), parse_timezone("Asia/Kolkata")) == (
        "",
        "pt-BR",
        "",
        "Asia/Kolkata",
    )
    for wrong in ("English", "e", "en_GB", "en\n"):
        with pytest.raises(AddressError):
            parse_language(wrong)
    for wrong in ("Mars/Olympus", "IST+5", "../etc/passwd"):
        with pytest.raises(AddressError):
            parse_timezone(wrong)


def test_a_masked_address_keeps_its_first_letter_and_domain() -> None:
    assert masked("ann+news@example.org") == "a…@example.org"
