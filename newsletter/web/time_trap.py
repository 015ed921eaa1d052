"""When a form was given out, signed, so that who fills it in faster than a person can is asked to press once more."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

from newsletter.config.site_key import SiteKeys

_PURPOSE = "sign-up form"
_SIGNATURE_BYTES = 16
_STAMP = re.compile(r"(\d{1,12})\.([A-Za-z0-9_-]{22})", re.ASCII)
FASTEST = timedelta(seconds=2)
LONGEST = timedelta(days=1)


def stamp(keys: SiteKeys, now: datetime) -> str:
    """The hidden field of a form that is given out now."""
    at = str(int(now.timestamp()))
    signature = keys.sign(_PURPOSE, at.encode())[:_SIGNATURE_BYTES]
    return f"{at}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def kept(keys: SiteKeys, stamped: str, now: datetime) -> str:
    """The field of a form that is shown again: its own, where that is one of ours and not too old, so that who was
    too fast need not begin to wait anew; else a new one."""
    age = _age(keys, stamped, now)
    return stamped if age is not None and timedelta(0) <= age <= LONGEST else stamp(keys, now)


def was_filled_in_by_hand(keys: SiteKeys, stamped: str, now: datetime) -> bool:
    """Whether the field is one of ours, and neither too fresh nor too old."""
    age = _age(keys, stamped, now)
    return age is not None and FASTEST <= age <= LONGEST


def _age(keys: SiteKeys, stamped: str, now: datetime) -> timedelta | None:
    """How long ago a field of ours was given out; None of what is not ours."""
    match = _STAMP.fullmatch(stamped)
    if match is None or not keys.verify(_PURPOSE, match[1].encode(), urlsafe_b64decode(match[2] + "==")):
        return None
    return now - datetime.fromtimestamp(int(match[1]), UTC)
