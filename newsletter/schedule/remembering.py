"""A set that forgets its oldest members: for what a process would otherwise keep for all its life."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Remembered(Generic[T]):
    """At most ``most`` members, those added last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._members: dict[T, None] = {}

    def __contains__(self, member: T) -> bool:
        return member in self._members

    def __len__(self) -> int:
        return len(self._members)

    def update(self, members: Iterable[T]) -> None:
        """Add these; one that is there already counts as added now."""
        for member in members:
            self._members.pop(member, None)
            self._members[member] = None
        while len(self._members) > self._most:
            del self._members[next(iter(self._members))]

    def difference_update(self, members: Iterable[T]) -> None:
        """Forget these, where they are there."""
        for member in members:
            self._members.pop(member, None)
