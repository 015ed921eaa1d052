"""Whether so much of an edition is refused that something is wrong with it, or with us. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.model import DeliveryState, Reason

_REFUSED = frozenset({Reason.REFUSED_MAILBOX, Reason.REFUSED_CONTENT, Reason.REFUSED_SENDER})


@dataclass(frozen=True, slots=True)
class Threshold:
    """An edition is held where more than ``share`` of its answers refuse it, once there were ``after`` answers."""

    share: float
    after: int


@dataclass(slots=True)
class _Count:
    answers: int = 0
    refused: int = 0
    reasons: dict[Reason, int] = field(default_factory=dict)


class FailureWatch:
    """Counts the answers of each edition since this process began to send it, or since it was last held."""

    def __init__(self, thresholds: Mapping[str, Threshold]) -> None:
        self._thresholds = thresholds
        self._counts: dict[int, _Count] = {}

    def answered(self, edition_id: int, newsletter: str, state: DeliveryState, reason: Reason) -> str:
        """Count what became of a delivery; '' or, when that is too much, why the edition is to be held."""
        threshold = self._thresholds.get(newsletter)
        refused = state is DeliveryState.FAILED and reason in _REFUSED
        if threshold is None or not (refused or state is DeliveryState.SENT):
            return ""
        count = self._counts.get(edition_id)
        if count is None:
            count = self._counts[edition_id] = _Count()
        count.answers += 1
        if not refused:
            return ""
        count.refused += 1
        count.reasons[reason] = count.reasons.get(reason, 0) + 1
        if count.answers < threshold.after or count.refused <= threshold.share * count.answers:
            return ""
        del self._counts[edition_id]
        most = max(count.reasons, key=lambda one: count.reasons[one])
        return (
            f"{count.refused:,} of {count.answers:,} messages were refused, more than {threshold.share:.0%}; "
            f"most of them as {most.value}"
        )
