"""Holds the editions that are refused too often; what of them is claimed is asked for once more before its body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from newsletter.deliver.failing import FailureWatch, Threshold
from newsletter.errors import StoreError
from newsletter.model import DeliveryState, Reason
from newsletter.store import Store, failing

log = structlog.get_logger()

_RETRY_SECONDS = 10.0


class Holding:
    """The editions that one sender has to hold. Where the store cannot write, it is tried again for a while."""

    def __init__(self, store: Store, thresholds: Mapping[str, Threshold], clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._watch = FailureWatch(thresholds)
        self._failing: dict[int, str] = {}  # and why
        self._until = float("inf")

    @property
    def wanted(self) -> bool:
        """Whether any is to be held."""
        return bool(self._failing)

    @property
    def to_be_tried_again(self) -> bool:
        """Whether any is still to be held, and it is not too late to try."""
        return self.wanted and asyncio.get_running_loop().time() < self._until

    def answered(self, edition_id: int, newsletter: str, state: DeliveryState, reason: Reason) -> None:
        """Count what became of a delivery of an edition."""
        if why := self._watch.answered(edition_id, newsletter, state, reason):
            self._failing[edition_id] = why

    async def hold(self) -> StoreError | None:
        """Hold them; what the store said where one cannot be held."""
        for edition_id, why in tuple(self._failing.items()):
            try:
                held = await self._store.write_async(failing.hold, edition_id, why, self._clock())
            except StoreError as error:
                log.error("an edition cannot be held yet", edition=edition_id, why=why, error=str(error))
                self._until = min(self._until, asyncio.get_running_loop().time() + _RETRY_SECONDS)
                return error
            self._failing.pop(edition_id)
            if held is not None:
                log.error("held: it is refused too often", edition=str(held), error=why)
        return None
