"""What a refusal speaks against: the mailbox, the sender, or neither (RFC 3463)."""

from __future__ import annotations

import pytest

from newsletter.deliver.replies import Reply, Stage, judge
from newsletter.model import DeliveryState, Reason


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (550, "5.1.1 no such user"),
        (550, "5.1.2 no such domain"),
        (501, "5.1.3 bad address syntax"),
        (551, "5.1.6 mailbox has moved"),
        (556, "5.1.10 recipient address has null MX"),
        (550, "5.2.0 mailbox unavailable"),
        (550, "5.2.1 mailbox disabled"),
        (552, "5.2.2 mailbox full"),
        (550, "no such user here"),
        (551, "user not local"),
        (553, "mailbox name not allowed"),
    ],
)
def test_a_refused_mailbox_speaks_against_the_address(code: int, text: str) -> None:
    assert judge(Stage.RCPT, Reply(code, text)) == (DeliveryState.FAILED, Reason.REFUSED_MAILBOX)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (550, "5.1.7 <daily@news.example>: Sender address rejected: undeliverable address"),
        (550, "5.1.8 <daily@news.example>: Sender address rejected: Domain not found"),
    ],
)
@pytest.mark.parametrize("stage", Stage)
def test_the_senders_address_is_the_senders_wherever_it_is_refused(stage: Stage, code: int, text: str) -> None:
    assert judge(stage, Reply(code, text)) == (DeliveryState.FAILED, Reason.REFUSED_SENDER)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (500, "5.5.2 command not recognized"),
        (521, "5.3.2 does not accept mail"),
        (521, "does not accept mail"),
        (530, "5.7.0 authentication required"),
        (530, "authentication required"),
        (550, "5.0.0 refused"),
        (550, "5.1.0 address rejected"),
        (550, "5.4.4 unable to route"),
        (550, "5.7.1 policy"),
        (552, "5.2.3 message too long for this mailbox"),
        (552, "5.3.4 message size exceeds fixed limit"),
        (552, "exceeded storage allocation"),
        (554, "5.5.1 no valid sender"),
        (554, "5.7.1 <reader@readers.example>: Relay access denied"),
        (554, "Relay access denied"),
        (555, "5.5.4 unsupported option: SMTPUTF8"),
        (555, "parameters not recognized"),
    ],
)
def test_what_the_relay_refuses_for_itself_or_for_us_is_not_the_mailboxs_fault(code: int, text: str) -> None:
    assert judge(Stage.RCPT, Reply(code, text)) == (DeliveryState.FAILED, Reason.REFUSED_CONTENT)


@pytest.mark.parametrize("stage", Stage)
def test_a_mailbox_may_be_refused_at_any_command(stage: Stage) -> None:
    assert judge(stage, Reply(550, "5.1.1 no such user"))[1] is Reason.REFUSED_MAILBOX


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.DATA, Stage.BODY])
def test_a_refusal_without_a_class_speaks_against_the_mailbox_at_rcpt_alone(stage: Stage) -> None:
    assert judge(stage, Reply(550, "no"))[1] is not Reason.REFUSED_MAILBOX
