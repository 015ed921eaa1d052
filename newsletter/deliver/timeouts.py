"""How long a connection may be silent before it is given up (RFC 5321 §4.5.3.2)."""

from __future__ import annotations

from dataclasses import dataclass

FINAL_DOT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds without a reply, or without room for more of a body, after which a connection is given up.

    RFC 5321 §4.5.3.2.2 to §4.5.3.2.6.
    """

    mail: float = 300.0
    recipient: float = 300.0
    data: float = 120.0
    block: float = 180.0
    final_dot: float = FINAL_DOT_SECONDS

    @classmethod
    def of(cls, seconds: float | None) -> Timeouts:
        """``seconds`` for each of them, but for the final dot never less than its ten minutes; None: the RFC's own."""
        if seconds is None:
            return cls()
        return cls(seconds, seconds, seconds, seconds, max(FINAL_DOT_SECONDS, seconds))
