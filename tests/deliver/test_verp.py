"""Envelope senders that say whose mail came back, and that nobody else can make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config.site_key import SiteKeys
from newsletter.deliver.verp import delivery_of, envelope_sender

OLD, NEW = SiteKeys.of_one(b"o" * 32), SiteKeys.of_one(b"n" * 32)
KEYS = SiteKeys((*NEW.keys, *OLD.keys))
BASE = "bounces@news.example"


@given(st.integers(1, 2**63 - 1))
def test_a_delivery_is_found_again_in_any_letter_case(delivery: int) -> None:
    address = envelope_sender(BASE, delivery, NEW)
    assert delivery_of(address, NEW) == delivery
    assert delivery_of(address.upper(), NEW) == delivery
    local, _, domain = address.rpartition("@")
    assert len(local) <= len("bounces") + 47
    assert len(local) <= 64
    assert domain == "news.example"


def test_mail_sent_under_an_older_key_is_still_known() -> None:
    assert delivery_of(envelope_sender(BASE, 7, OLD), KEYS) == 7
    assert delivery_of(envelope_sender(BASE, 7, OLD), NEW) is None


@given(st.integers(0, 60), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567019+-@"))
def test_no_altered_address_is_taken(position: int, character: str) -> None:
    address = envelope_sender(BASE, 841, NEW)
    local = address.partition("@")[0]
    start = local.index("+")
    at = start + position % (len(local) - start)
    altered = address[:at] + character + address[at + 1 :]
    found = delivery_of(altered, NEW)
    # The last letter of a MAC holds three bits that say nothing.
    assert found is None or altered.lower() == address or at == len(local) - 1


@pytest.mark.parametrize(
    "address", ["", "@", BASE, "bounces+7@news.example", "bounces+0-" + "a" * 26 + "@x", "é+1-a@x"]
)
def test_what_we_did_not_make_is_nobodys(address: str) -> None:
    assert delivery_of(address, NEW) is None
