"""Which of several relays a message goes through: in proportion to their weights while each keeps up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Sharing(Protocol):
    """A relay as it is chosen: ``share`` is what it has had, each message counted as 1 / ``weight``."""

    share: float

    @property
    def weight(self) -> int: ...
    @property
    def up(self) -> bool: ...
    @property
    def room(self) -> int: ...


Some = TypeVar("Some", bound=Sharing)


def usable(relays: Sequence[Some]) -> list[Some]:
    """Those that take mail now. One of weight 0 is a spare: it is used only while no other is up."""
    regular = [relay for relay in relays if relay.weight and relay.up]
    return regular or [relay for relay in relays if relay.up]


def choose(relays: Sequence[Some]) -> Some | None:
    """The relay for the next message, and count it there; None where none has room.

    A relay that is full is passed over, so that a slow one delays no other. What it misses meanwhile it does not make
    up for beyond one message: its place in line is at most that of the one before it.
    """
    candidates = [relay for relay in usable(relays) if relay.room > 0]
    if not candidates:
        return None
    chosen = min(candidates, key=lambda relay: relay.share + 1 / (relay.weight or 1))
    chosen.share += 1 / (chosen.weight or 1)
    behind = chosen.share - 1
    for relay in relays:
        if relay is not chosen and relay.share < behind and relay.room <= 0:
            relay.share = behind
    return chosen
