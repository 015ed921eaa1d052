"""What a fault cost, counted at the receiving side, and the row it gets in the table of docs/reliability.md."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import select

from newsletter.store import tables
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted

A_CONNECTION = 20


class Receiver(Protocol):
    """Whoever counts what arrived."""

    @property
    def accepted(self) -> Sequence[Accepted]: ...


@dataclass(slots=True)
class Fault:
    """One fault on one store; ``began`` when it was begun."""

    case: str
    store: str
    readers: int
    connections: int
    refused: Collection[str] = ()
    """Who is refused for good, and rightly: not lost."""
    began: float = field(default_factory=time.monotonic)

    def row(self, site: SiteFolder, server: Receiver) -> str:
        """Judge, and the row of the table. Nobody is lost; who got it twice was in doubt, and has one Message-ID."""
        taken = server.accepted
        arrived = Counter(accepted.recipient for accepted in taken)
        everyone = {f"reader{number:05d}@readers.example" for number in range(1, self.readers + 1)}
        lost = everyone - set(arrived) - set(self.refused)
        twice = {address for address, number in arrived.items() if number > 1}
        doubted = self._doubted(site)
        message_ids = {(accepted.recipient, accepted.message_id) for accepted in taken}
        assert not lost, f"{len(lost)} lost: {sorted(lost)[:5]}"
        assert not set(arrived) & set(self.refused)
        assert twice <= doubted, f"twice, and never in doubt: {sorted(twice - doubted)[:5]}"
        assert len(twice) <= A_CONNECTION * self.connections * max(1, max(arrived.values()) - 1)
        assert len(message_ids) == len(arrived), "one Message-ID a reader, however often she is mailed"
        seconds = time.monotonic() - self.began
        return f"| {self.case} | {self.store} | {self.readers:,} | 0 | {len(twice)} | {len(doubted)} | {seconds:.0f} |"

    @staticmethod
    def _doubted(site: SiteFolder) -> set[str]:
        statement = select(tables.subscribers.c.address).join_from(tables.deliveries, tables.subscribers)
        with site.open() as store:
            return set(store.read(lambda c: c.execute(statement.where(tables.deliveries.c.doubted)).scalars().all()))
