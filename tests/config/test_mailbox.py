"""``from`` lines as people type them."""

from __future__ import annotations

from email.utils import parseaddr

import pytest

from newsletter.config.mailbox import Mailbox
from newsletter.errors import AddressError


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("The Daily Example <daily@news.example>", "The Daily Example", "daily@news.example"),
        ("daily@news.example", "", "daily@news.example"),
        ("<daily@news.example>", "", "daily@news.example"),
        ('"Daily, The" <daily@News.Example>', "Daily, The", "daily@news.example"),
        ("Daily, The <daily@news.example>", "Daily, The", "daily@news.example"),
        (r'"The \"Daily\"" <daily@news.example>', 'The "Daily"', "daily@news.example"),
        ("दैनिक <daily@news.example>", "दैनिक", "daily@news.example"),
        ("Zeitung <daily@münchen.example>", "Zeitung", "daily@xn--mnchen-3ya.example"),
    ],
)
def test_a_mailbox_is_a_name_and_an_address_and_its_text_reads_back(text: str, name: str, address: str) -> None:
    mailbox = Mailbox.parse(text)
    assert (mailbox.name, mailbox.address) == (name, address)
    assert parseaddr(str(mailbox)) == (name, address), "the standard library reads what we write"
    assert Mailbox.parse(str(mailbox)) == mailbox


@pytest.mark.parametrize(
    "text",
    ["", "   ", "The Daily Example", "a@b.example, c@d.example", "x <a@news.example> y", "<<a@news.example>>",
     "x <a@news.example", "a@localhost", "@news.example", "a b@news.example", "x\0 <a@news.example>",
     "x\r\nBcc: y@z.example <a@news.example>",
     "x <a@news.example\n>", "ü@news.example", "a@news..example"],
)  # fmt: skip
def test_what_is_not_one_mailbox_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        Mailbox.parse(text)
