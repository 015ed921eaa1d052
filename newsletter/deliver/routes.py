"""Which newsletters go through which relays, and the places that their next rows take there before they are claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.deliver.relaying import RelayLine
from newsletter.deliver.sharing import choose, usable


@dataclass(frozen=True, slots=True)
class Route:
    """Newsletters that go through the same relays."""

    newsletters: frozenset[str]
    lines: tuple[RelayLine, ...]

    @property
    def worth_claiming(self) -> bool:
        """Whether there is room for a group: few large claims cost less than many small ones."""
        lines = usable(self.lines)
        return any(line.room > 0 and (line.held == 0 or line.room * 4 >= line.most) for line in lines)

    @property
    def given_up(self) -> bool:
        return all(line.given_up for line in self.lines)

    @property
    def idle(self) -> bool:
        return not any(line.held for line in self.lines)


def take_places(routes: Sequence[Route]) -> list[tuple[Route, list[RelayLine]]]:
    """For each route the relays that its next rows go through, one place a row, taken before they are claimed: so that
    routes that share a relay never hold more of it together than there is room."""
    if len(routes) == 1 and len(routes[0].lines) == 1:  # as nearly always: there is nothing to share out
        [only] = routes[0].lines
        room = max(only.room, 0)
        only.held += room
        only.share += room / (only.weight or 1)
        return [(routes[0], [only] * room)]
    places: list[tuple[Route, list[RelayLine]]] = [(route, []) for route in routes]
    waiting = list(places)
    while waiting:
        for one in tuple(waiting):
            line = choose(one[0].lines)
            if line is None:
                waiting.remove(one)
                continue
            line.held += 1
            one[1].append(line)
    return places


def leave_places(taken: Sequence[RelayLine]) -> None:
    """Give places back that no row took."""
    for line in taken:
        line.held -= 1
        line.share -= 1 / (line.weight or 1)
