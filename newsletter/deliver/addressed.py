"""Whom a message is filled for: a claimed delivery, or somebody where there is no delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Addressed(Protocol):
    """What one message is filled with: a claimed delivery, or a ``Reader``."""

    @property
    def subscriber_id(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def first_name(self) -> str: ...
    @property
    def last_name(self) -> str: ...
    @property
    def secret(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a message is for where there is no delivery."""

    subscriber_id: int
    address: str
    first_name: str
    last_name: str
    secret: bytes = field(repr=False)
