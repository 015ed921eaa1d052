"""Variable envelope return paths: a delivery's own envelope sender, so that a bounce says whose mail it was.

``bounces@news.example`` -> ``bounces+841-o5z3…@news.example``: the delivery's id, and an HMAC of it under the site key,
without which anybody could make up bounces of other people.
"""

from __future__ import annotations

import base64
import re

from newsletter.config.site_key import SiteKeys

_PURPOSE = "verp"
_MAC_BYTES = 16
_TOKEN = re.compile(r"[^@]*\+(?P<id>[1-9][0-9]{0,18})-(?P<mac>[a-z2-7]{26})@[^@]+", re.IGNORECASE)


def envelope_sender(base: str, delivery_id: int, keys: SiteKeys) -> str:
    """The envelope sender (RFC 5321 §4.5.5) of one delivery; at most 47 characters longer than ``base``."""
    local, _, domain = base.rpartition("@")
    mac = keys.sign(_PURPOSE, str(delivery_id).encode("ascii"))[:_MAC_BYTES]
    return f"{local}+{delivery_id}-{base64.b32encode(mac).decode('ascii').rstrip('=').lower()}@{domain}"


def delivery_of(address: str, keys: SiteKeys) -> int | None:
    """The id of the delivery that ``address`` was the envelope sender of; None where we did not make it.

    Letter case does not matter: some servers change it on the way back.
    """
    found = _TOKEN.fullmatch(address)
    if found is None:
        return None
    mac = base64.b32decode(found["mac"].upper() + "======")
    return int(found["id"]) if keys.verify(_PURPOSE, found["id"].encode("ascii"), mac) else None
