"""How much a relay is given: its cap, less when it asks for less, and again what it had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.deliver.pace import Pace, asks_for_less
from newsletter.deliver.replies import Reply


@pytest.mark.parametrize(
    "reply",
    [
        Reply(421, "4.3.2 closing"),
        Reply(421, "no more for now"),
        Reply(450, "try again later"),
        Reply(451, "4.7.1 too fast"),
        Reply(450, "4.7.0 rate limited"),
        Reply(452, "4.3.1 insufficient system storage"),
        Reply(451, "4.4.2 bad connection"),
    ],
)
def test_a_relay_that_has_too_much_asks_for_less(reply: Reply) -> None:
    assert asks_for_less(reply)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(250, "2.0.0 queued"),
        Reply(452, "4.2.2 mailbox full"),
        Reply(450, "4.2.1 mailbox busy"),
        Reply(450, "4.1.1 unknown for now"),
        Reply(550, "5.7.1 no"),
        Reply(454, "TLS not available"),
    ],
)
def test_one_mailbox_or_one_message_does_not(reply: Reply) -> None:
    assert not asks_for_less(reply)


@given(
    cap=st.floats(0.2, 500.0),
    gaps=st.lists(st.floats(0.0, 0.5), min_size=20, max_size=200),
)
def test_no_second_has_more_than_the_cap_allows(cap: float, gaps: list[float]) -> None:
    pace, now, begun = Pace(10, cap), 0.0, list[float]()
    for gap in gaps:
        now += gap
        while pace.wait(now) == 0.0:
            pace.begun(now)
            begun.append(now)
    allowed = int(cap * 1.1) + 2
    for first, beyond in zip(begun, begun[allowed:], strict=False):
        assert beyond - first >= 1.0


def test_a_cap_is_used_whole() -> None:
    pace, now, begun = Pace(10, 50.0), 0.0, 0
    while now < 10.0:
        if pace.wait(now) == 0.0:
            pace.begun(now)
            begun += 1
        now += 0.001
    assert begun == pytest.approx(500, abs=10)


def _answer(pace: Pace, now: float, *, less: bool, rate: float = 100.0) -> bool:
    return pace.answered(now, wants_less=less, rate=rate)


def test_it_is_halved_once_for_many_answers_that_came_together_and_again_after_two_seconds() -> None:
    pace = Pace(8)
    assert [_answer(pace, 100.0, less=True) for _ in range(40)].count(True) == 1
    assert (pace.per_second, pace.connections) == (50.0, 4)
    assert [_answer(pace, 101.9, less=True, rate=50.0) for _ in range(40)].count(True) == 0
    assert [_answer(pace, 102.1, less=True, rate=50.0) for _ in range(40)].count(True) == 1
    assert (pace.per_second, pace.connections) == (25.0, 2)


def test_one_that_says_421_after_so_many_messages_a_connection_is_not_slowed() -> None:
    pace = Pace(8)
    for number in range(10_000):
        _answer(pace, number / 100, less=number % 20 == 0)
    assert not pace.slowed


def test_before_a_rate_is_known_half_is_half_of_what_was_answered_since_the_start() -> None:
    pace = Pace(8)
    for number in range(41):
        _answer(pace, 1.0 + number / 80, less=number >= 34, rate=0.0)
    assert pace.per_second == pytest.approx(40, rel=0.1)


def test_a_few_greylisted_among_many_slow_nothing() -> None:
    pace = Pace(8)
    for number in range(10_000):
        _answer(pace, number / 100, less=number % 50 == 0)
    assert not pace.slowed


def test_it_gets_back_what_it_had_step_by_step_and_no_more_than_its_cap() -> None:
    pace, now, seen = Pace(8, 200.0), 0.0, list[float | None]()
    for _ in range(3):
        _answer(pace, now, less=True)
    while pace.slowed and now < 1000.0:
        now += 1.0
        if _answer(pace, now, less=False, rate=50.0):
            seen.append(pace.per_second)
    assert seen == sorted(seen, key=lambda limit: limit or 0.0)
    assert (pace.per_second, pace.connections) == (200.0, 8)
    assert 30.0 <= now <= 90.0


def test_without_a_cap_it_is_free_again_in_the_end() -> None:
    pace, now = Pace(4), 0.0
    for _ in range(3):
        _answer(pace, now, less=True, rate=1000.0)
    while pace.slowed and now < 1000.0:
        now += 1.0
        _answer(pace, now, less=False)
    assert pace.per_second is None
    assert pace.wait(now) == 0.0


def test_a_connection_that_is_refused_beside_others_is_one_too_many() -> None:
    pace = Pace(10)
    assert pace.refused_connection(5.0, 4)
    assert pace.connections == 4
    assert not pace.refused_connection(6.0, 0), "that is a relay that is down, not one with too many connections"
