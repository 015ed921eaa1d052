"""When an edition is refused so often that it has to be held."""

from __future__ import annotations

from newsletter.deliver.failing import FailureWatch, Threshold
from newsletter.model import DeliveryState, Reason

SENT = (DeliveryState.SENT, Reason.NONE)
REFUSED = (DeliveryState.FAILED, Reason.REFUSED_CONTENT)
UNKNOWN = (DeliveryState.FAILED, Reason.REFUSED_MAILBOX)


def watch() -> FailureWatch:
    return FailureWatch({"daily": Threshold(0.1, 20)})


def held(watching: FailureWatch, *answers: tuple[DeliveryState, Reason], edition: int = 1) -> list[str]:
    return [why for state, reason in answers if (why := watching.answered(edition, "daily", state, reason))]


def test_nothing_is_said_before_enough_were_answered() -> None:
    assert held(watch(), *[REFUSED] * 19) == []


def test_more_refusals_than_the_share_hold_it_once_and_say_how_many_and_why() -> None:
    [why] = held(watch(), *[SENT] * 17, *[UNKNOWN], *[REFUSED] * 2)
    assert why == "3 of 20 messages were refused, more than 10%; most of them as refused_content"


def test_as_many_as_the_share_are_borne() -> None:
    assert held(watch(), *[SENT] * 90, *[UNKNOWN] * 10) == []


def test_each_edition_is_counted_by_itself_and_anew_after_it_was_held() -> None:
    watching = watch()
    assert held(watching, *[REFUSED] * 20) != []
    assert held(watching, *[REFUSED] * 19) == [], "released, it has another chance"
    assert held(watching, *[SENT] * 100, *[REFUSED] * 9, edition=2) == []


def test_what_the_relay_defers_or_nobody_tried_long_enough_is_no_refusal() -> None:
    deferred, expired = (DeliveryState.QUEUED, Reason.DEFERRED), (DeliveryState.FAILED, Reason.EXPIRED)
    assert held(watch(), *[deferred] * 50, *[expired] * 50) == []


def test_a_newsletter_without_a_threshold_is_never_held() -> None:
    assert FailureWatch({}).answered(1, "daily", *REFUSED) == ""
