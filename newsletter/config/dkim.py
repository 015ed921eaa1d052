"""``dkim`` in ``schedules.yaml``: which keys sign for which From domain. The private keys are files beside it."""

from __future__ import annotations

from typing import Annotated

import idna
from pydantic import AfterValidator, Field, model_validator

from newsletter.config.strict import Strict
from newsletter.config.values import FilePath

_LABELS = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"


def _domain(value: str) -> str:
    try:
        return value.lower() if value.isascii() else idna.encode(value, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"it is not a domain ({error})") from None


Domain = Annotated[str, AfterValidator(_domain), Field(pattern=r"^[^\s@:/]+\.[^\s@:/.]+$", max_length=253)]


class DkimKey(Strict):
    """One key of a domain: its public half stands in DNS at ``SELECTOR._domainkey.DOMAIN`` (RFC 6376 §3.1)."""

    selector: Annotated[str, Field(pattern=f"^{_LABELS}$", max_length=63)]
    key: FilePath = Field(description="A PEM file beside this one, RSA or Ed25519; `newsletter dkim keygen` writes it")


class Dkim(Strict):
    """How the mails of one domain are signed: once with each key."""

    keys: Annotated[list[DkimKey], Field(min_length=1, max_length=4)]
    unsigned: list[str] = Field(
        [], description="Header fields that your relay writes anew and a signature would break on: [Date, Message-ID]"
    )

    @model_validator(mode="after")
    def _selectors_differ(self) -> Dkim:
        selectors = [key.selector.lower() for key in self.keys]
        if len(set(selectors)) < len(selectors):
            raise ValueError("two keys have the same selector")
        required = {"from", "list-unsubscribe", "list-unsubscribe-post"}
        if kept := sorted(name for name in self.unsigned if name.lower() in required):
            raise ValueError(f"{kept[0]} is always signed (RFC 6376 §5.4, RFC 8058 §4)")
        return self
