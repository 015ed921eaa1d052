"""What is remembered is bounded, and the oldest goes first."""

from __future__ import annotations

from newsletter.schedule.remembering import Remembered


def test_the_oldest_is_forgotten_and_what_is_added_again_is_young() -> None:
    kept: Remembered[int] = Remembered(3)
    kept.update([1, 2, 3])
    kept.update([1, 4])
    assert [one for one in range(5) if one in kept] == [1, 3, 4]
    kept.difference_update([1, 9])
    assert (1 in kept, len(kept)) == (False, 2)
