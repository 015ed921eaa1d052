"""The shape of ``sign_up`` and ``system_mails`` in ``schedules.yaml``: who may subscribe, and who writes to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from newsletter.config.strict import Strict
from newsletter.config.values import LongerThanZero, MailboxText, WebAddress


class SystemMails(Strict):
    """From whom mails come that somebody asked for just now: confirmations, sign-in links, the welcome."""

    from_: MailboxText | None = Field(
        None, alias="from", description="Default: the From of the first newsletter; better an address of their own"
    )
    reply_to: MailboxText | None = None
    relay: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Which relay, or which several; default: as for a newsletter with this From"
    )


class SignUp(Strict):
    """Who may subscribe, and how often somebody may ask."""

    role_addresses: Literal["confirm", "refuse"] = Field(
        "confirm",
        description="Of info@, desk@ …: confirm: always by double opt-in; refuse: a person's own address is asked for",
    )
    embed_on: list[WebAddress] = Field(
        [], description="Sites besides site.url whose pages may hold the form; others lead to our own page first"
    )
    confirm_within: LongerThanZero = Field(timedelta(days=7), description="So long the link of a confirmation works")
    mails_per_address: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Mails an hour that asking can send to one address"
    )
    requests_per_client: Annotated[int, Field(ge=1, le=100_000)] = Field(
        30, description="Requests an hour from one network (/24 of IPv4, /48 of IPv6)"
    )
