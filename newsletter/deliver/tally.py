"""What a sender did, counted as it happens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from newsletter.model import DeliveryState, Reason
from newsletter.store.recording import Outcome


@dataclass(slots=True)
class Tally:
    """Recorded outcomes of one sender, by state and reason."""

    outcomes: Counter[tuple[DeliveryState, Reason]] = field(default_factory=Counter)
    skipped: int = 0

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.state, outcome.reason] += 1

    def count(self, state: DeliveryState) -> int:
        """How many were recorded in this state."""
        return sum(number for (found, _), number in self.outcomes.items() if found is state)

    @property
    def sent(self) -> int:
        return self.count(DeliveryState.SENT)

    @property
    def failed(self) -> int:
        return self.count(DeliveryState.FAILED)

    @property
    def deferred(self) -> int:
        return self.outcomes[DeliveryState.QUEUED, Reason.DEFERRED]

    @property
    def in_doubt(self) -> int:
        """Messages whose relay never answered the final dot."""
        return (
            self.outcomes[DeliveryState.SENDING, Reason.IN_DOUBT]
            + self.outcomes[DeliveryState.QUEUED, Reason.RESENT_IN_DOUBT]
        )
