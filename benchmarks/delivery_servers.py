"""What deliveries are measured against: Postfix's smtp-sink and smtp-source, and a server that reads and forgets."""

from __future__ import annotations

import multiprocessing
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Self

from tests.support.waiting import free_port, listens, wait_for

_CHUNK = 256 * 1024
_TAIL = 1024
_REPLIES = {
    b"EHLO": b"250-bench\r\n250-8BITMIME\r\n250 PIPELINING\r\n",
    b"DATA": b"354 go\r\n",
    b"QUIT": b"221 bye\r\n",
}


class DiscardServer:
    """An SMTP server in a process of its own; ``received`` and ``bytes_read`` say what came.

    It looks for a message's end only where it can be: in the last bytes that came, behind which a client sends at most
    one envelope before it waits for an answer.
    """

    def __init__(self, *, pipelining: bool = True) -> None:
        self._pipelining = pipelining

    def __enter__(self) -> Self:
        self._pipe, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_discard, args=(there, self._pipelining), daemon=True
        )
        self._process.start()
        self.port: int = self._pipe.recv()
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.join()

    def counts(self) -> tuple[int, int]:
        """Messages and bytes since the last time this was asked."""
        self._pipe.send("counts")
        received, size = self._pipe.recv()
        return received, size


def _discard(pipe: Pipe, pipelining: bool) -> None:
    if not pipelining:
        _REPLIES[b"EHLO"] = b"250-bench\r\n250 8BITMIME\r\n"
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    poll.register(pipe.fileno(), select.EPOLLIN)
    pipe.send(listener.getsockname()[1])
    sessions: dict[int, _Session] = {}
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    received = size = 0
    while True:
        for number, _ in poll.poll():
            session = sessions.get(number)
            if session is not None:
                try:
                    length = session.connection.recv_into(buffer)
                except OSError:
                    length = 0
                if not length:
                    poll.unregister(number)
                    sessions.pop(number).connection.close()
                    continue
                size += length
                received += session.take(view[:length])
            elif number == listener.fileno():
                connection, _ = listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.send(b"220 bench ESMTP\r\n")
                sessions[connection.fileno()] = _Session(connection)
                poll.register(connection.fileno(), select.EPOLLIN)
            else:
                pipe.recv()
                pipe.send((received, size))
                received = size = 0


class _Session:
    __slots__ = ("connection", "in_body", "rest")

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.in_body, self.rest = connection, False, b""

    def take(self, data: memoryview) -> int:
        """Read what came and answer it; how many messages ended in it."""
        ended = 0
        if self.in_body:
            tail = (self.rest + bytes(data[-_TAIL:])) if len(data) <= _TAIL else bytes(data[-_TAIL:])
            end = tail.rfind(b"\r\n.\r\n")
            if end < 0:
                self.rest = tail[-4:]
                return 0
            self.in_body, ended = False, 1
            commands, answers = tail[end + 5 :], [b"250 2.0.0 taken\r\n"]
        else:
            commands, answers = self.rest + bytes(data), []
        lines = commands.split(b"\r\n")
        self.rest = lines.pop()
        for line in lines:
            verb = line[:4].upper()
            answers.append(_REPLIES.get(verb, b"250 2.1.0 ok\r\n"))
            self.in_body = verb == b"DATA"
        if answers:
            self.connection.send(b"".join(answers))
        return ended


class SmtpSink:
    """Postfix's smtp-sink on a port of 127.0.0.1."""

    def __enter__(self) -> Self:
        self.port = free_port()
        command = [program("smtp-sink"), *_user(), f"127.0.0.1:{self.port}", "128"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: listens(self.port), "smtp-sink", 10)
        self._read = self._bytes_read()
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait()

    def counts(self) -> tuple[int, int]:
        """0 (it does not say how many messages came) and the bytes it read since the last time this was asked."""
        now = self._bytes_read()
        before, self._read = self._read, now
        return 0, now - before

    def _bytes_read(self) -> int:
        for line in Path(f"/proc/{self._process.pid}/io").read_text().splitlines():
            if line.startswith("rchar:"):
                return int(line.split()[1])
        return 0


def program(name: str) -> str:
    """One of Postfix's test programs; exits with one line where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/lib/postfix/sbin")
    if found is None:
        sys.exit(f"benchmarks.delivery: {name} is needed. Install postfix; it need not run")
    return found


def _user() -> list[str]:
    return ["-u", "nobody"] if os.geteuid() == 0 else []


def smtp_source(port: int, messages: int, size: int, connections: int) -> float:
    """Messages a second of ``smtp-source -d``, whose messages have as many bytes as ours."""
    began = time.perf_counter()
    subprocess.run(
        [
            program("smtp-source"),
            "-d",
            "-s",
            str(connections),
            "-m",
            str(messages),
            "-l",
            str(size),
            "-f",
            "daily@news.example",
            "-t",
            "reader@readers.example",
            f"127.0.0.1:{port}",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return messages / (time.perf_counter() - began)


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Call a module-level function in a fresh process and return what it returns."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(there, work, arguments))
    process.start()
    there.close()
    try:
        result = here.recv()
    except EOFError:
        sys.exit("benchmarks.delivery: a round failed; its error stands above")
    finally:
        process.join()
    return result


def _answer(pipe: Pipe, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pipe.send(work(*arguments))
