"""Asks the store once more, just before each body is written, whether consent was withdrawn (Invariant 3).

    a relay says 354 -> ask -> the store -> permit: the body is written at once, or the connection is dropped

Those who ask meanwhile are asked for together, by one question that begins after the last of them: on SQLite, whose
answer is there at once, when the event loop has read what had come from all relays; elsewhere when the one before it is
answered.
"""

from __future__ import annotations

import asyncio
from typing import Self

import structlog

from newsletter.deliver.outgoing import Outgoing
from newsletter.deliver.pipelining import Pipeline
from newsletter.errors import StoreError
from newsletter.store import Store
from newsletter.store.claiming import Claimed
from newsletter.store.withdrawals import Withdrawals

log = structlog.get_logger()


class ConsentGate:
    """``async with ConsentGate(store) as gate``; every ``Outgoing`` that is asked for is about a ``Claimed``."""

    def __init__(self, store: Store) -> None:
        self._withdrawals = Withdrawals(store)
        self._asking: list[tuple[Pipeline, Outgoing]] = []  # since the event loop last looked
        self._waiting: list[tuple[Pipeline, Outgoing]] = []
        self._answering: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._asking.clear()
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)
        await asyncio.to_thread(self._withdrawals.close)

    def ask(self, pipeline: Pipeline, outgoing: Outgoing) -> None:
        """Answer the pipeline's question, soon. Where the store cannot be asked, nothing is written."""
        self._asking.append((pipeline, outgoing))
        if len(self._asking) == 1:
            asyncio.get_running_loop().call_soon(self._answer_at_once)

    def _answer_at_once(self) -> None:
        asking, self._asking = self._asking, []
        if not asking:  # closed meanwhile
            return
        try:
            newest = self._withdrawals.newest_at_once()
        except StoreError as error:
            log.error("consent cannot be asked for", error=str(error))
            for pipeline, outgoing in asking:
                pipeline.permit(outgoing, allowed=False)
            return
        for pipeline, outgoing in asking:
            if newest is not None and newest <= outgoing.about.withdrawals_seen:
                pipeline.permit(outgoing, allowed=True)
            else:
                self._waiting.append((pipeline, outgoing))
        if self._waiting and (self._answering is None or self._answering.done()):
            self._answering = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        while self._waiting:
            asking, self._waiting = self._waiting, []
            rows: list[Claimed] = [outgoing.about for _, outgoing in asking]
            try:
                withdrawn = await self._withdrawals.among(rows)
            except StoreError as error:
                log.error("consent cannot be asked for", error=str(error))
                withdrawn = frozenset(row.id for row in rows)
            for pipeline, outgoing in asking:
                pipeline.permit(outgoing, allowed=outgoing.about.id not in withdrawn)
