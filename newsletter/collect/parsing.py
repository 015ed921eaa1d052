"""Runs parsing functions in worker processes that are killed when their time is up.

Bytes from outside can keep a parser busy for minutes or crash it; here that costs one worker, and the source an error.
Each thread of the pool drives one worker over a socket pair, so it serves asyncio, uvloop and plain threads alike.
A worker is a fresh interpreter (no fork), imports once, and says ``started`` before the clock of a job begins.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, Self, TypeVar

from newsletter.errors import NewsletterError, SourceError

P = ParamSpec("P")
T = TypeVar("T")

_START_SECONDS = 60  # a cold start on a loaded machine; importing the parsers takes about a second
_LIVES = 500  # jobs, after which a worker is replaced: parsers leak


class Parser:
    """A pool of parsing processes. Use as a context manager; ``run`` may be called from any loop or thread."""

    def __init__(self, workers: int | None = None) -> None:
        """``workers`` defaults to the processors there are, at least two and at most four."""
        count = workers or max(2, min(4, os.cpu_count() or 2))
        self._threads = ThreadPoolExecutor(count, "parser")
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers: set[_Worker] = set()
        self._changing = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def run(self, limit: timedelta, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work`` (a module-level function) in a worker and return its result, off the event loop.

        Raises SourceError if it takes longer than ``limit``, fails in a way it does not explain, or ends its worker;
        a NewsletterError that ``work`` raises comes through as it is.
        """
        return await asyncio.wrap_future(self._threads.submit(self.run_here, limit, work, *args, **kwargs))

    def run_here(self, limit: timedelta, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``run`` for callers without an event loop: the calling thread waits."""
        worker = self._take()
        try:
            return worker.run(limit, work, args, kwargs)
        finally:
            self._give_back(worker)

    @property
    def processes(self) -> tuple[int, ...]:
        """The process ids of the workers there are."""
        with self._changing:
            return tuple(worker.pid for worker in self._workers)

    def close(self) -> None:
        """End all workers at once; whoever waits for one gets a SourceError."""
        with self._changing:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        while self._workers:
            self._workers.pop().close()

    def _take(self) -> _Worker:
        with self._changing:
            if self._closed:
                raise SourceError("the parsing processes are being ended")
            try:
                return self._idle.get_nowait()
            except queue.Empty:
                worker = _Worker()
                self._workers.add(worker)
                return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._changing:
            if worker.usable and not self._closed:
                self._idle.put(worker)
                return
            self._workers.discard(worker)
        worker.close()


class _Worker:
    """One process and our end of its socket pair. Used by one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no outside text in the arguments
                [sys.executable, "-P", "-m", "newsletter.collect.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        self._pipe = Connection(ours.detach())
        self._lives = _LIVES

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether another job may be given to it."""
        return self._lives > 0 and not self._pipe.closed

    def run(self, limit: timedelta, work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """Have ``work`` done. After any failure of the process this worker is not usable."""
        seconds = limit.total_seconds()
        self._lives -= 1
        job = pickle.dumps((seconds, work, args, kwargs))
        try:
            self._pipe.send_bytes(job)
            if not self._pipe.poll(_START_SECONDS):
                raise SourceError(f"no parsing process could be started within {_START_SECONDS} s")
            self._pipe.recv()
            if not self._pipe.poll(seconds):
                raise SourceError(f"reading it took longer than {seconds:g} s", remedy="See parse_timeout")
            answer = self._pipe.recv()
        except BaseException as error:
            ended = self.close()
            if isinstance(error, EOFError | OSError):
                raise SourceError(f"reading it ended the parsing process ({ended})") from error
            raise
        if isinstance(answer, NewsletterError):
            raise answer
        result: T = answer[0]
        return result

    def kill(self) -> None:
        """End the process; the thread that waits for it finds out. Any thread may call this."""
        self._process.kill()

    def close(self) -> str:
        """End the process, let go of it, and say how it ended."""
        self._pipe.close()
        self._process.kill()
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit {code}"
