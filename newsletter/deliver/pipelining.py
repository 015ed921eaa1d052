"""The protocol that sends messages over a connection that was opened and authenticated before (``smtp``).

    envelope (MAIL, RCPT, DATA: one write) -> 354 -> "may it go?" -> body and the next envelope (one write) -> 250 -> …

RFC 2920 §3.1: DATA ends a group, every reply is checked, and the content of one message may be the first of the group
that begins the next transaction. Where the relay does not offer PIPELINING, one command waits for the reply to the one
before. Callbacks only, no task a message: what is left is one write and one or two reads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from newsletter.deliver.outgoing import (
    Answered,
    LostBeforeBody,
    LostInDoubt,
    Offers,
    Outgoing,
    Transmission,
    Withheld,
)
from newsletter.deliver.replies import Reply, Stage
from newsletter.deliver.timeouts import Timeouts

_BUFFER = 16 * 1024
_LONGEST_LINE = 4096
_LONGEST_REPLY_LINES = 200
_QUIT_SECONDS = 5.0
_NEVER = float("inf")


class Source(Protocol):
    """Where a pipeline takes messages from, and whom it tells what became of them. All of it in the event loop."""

    def next_for(self, pipeline: Pipeline) -> Outgoing | None:
        """The next message for this connection to send; None when there is none now (``look_again`` asks anew)."""
        ...

    def ask(self, pipeline: Pipeline, outgoing: Outgoing) -> None:
        """Whether this body may be written: to be answered, now or later, with ``pipeline.permit``."""
        ...

    def finished(self, pipeline: Pipeline, outgoing: Outgoing, result: Transmission) -> None:
        """What became of a message."""
        ...

    def closed(self, pipeline: Pipeline, unsent: Outgoing | None) -> None:
        """The connection is gone. ``unsent``: a message of which only the envelope was written, behind another's body;
        it bears no blame and may go over any other connection."""
        ...


class _Awaited(IntEnum):
    """Which reply is to come; an index into the timeouts."""

    MAIL = 0
    RCPT = 1
    DATA = 2
    BODY = 3
    RSET = 4
    DOT = 5
    QUIT = 6


_STAGES = {_Awaited.MAIL: Stage.MAIL, _Awaited.RCPT: Stage.RCPT, _Awaited.DATA: Stage.DATA}
_NAMES = (*(stage.value for stage in _STAGES.values()), Stage.BODY.value, "RSET", "a lone dot", "QUIT")
# Plain names: each is looked at several times a message.
_MAIL, _RCPT, _DATA, _BODY, _RSET, _DOT, _QUIT = _Awaited
_ENVELOPE = (_MAIL, _RCPT, _DATA)


@dataclass(slots=True)
class _Envelope:
    """A message whose envelope is under way."""

    outgoing: Outgoing
    left: list[tuple[_Awaited, bytes]]  # commands not yet written
    blameless: bool  # written behind another's body, and nothing of it answered yet
    refused: Answered | None = None
    recipient_taken: bool = False


class Pipeline(asyncio.BufferedProtocol):
    """One connection. ``most`` messages go over it before it is left; ``start`` begins."""

    def __init__(
        self,
        transport: asyncio.Transport,
        source: Source,
        offers: Offers,
        timeouts: Timeouts,
        *,
        most: int,
    ) -> None:
        self.offers = offers
        self.why_closed = ""
        self.idle_since = 0.0
        self._transport, self._source, self._timeouts, self._left = transport, source, timeouts, most
        self._seconds = (
            timeouts.mail,
            timeouts.recipient,
            timeouts.data,
            timeouts.final_dot,
            timeouts.mail,
            timeouts.final_dot,
            min(timeouts.mail, _QUIT_SECONDS),
        )
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._lines: list[bytes] = []
        self._awaited: deque[_Awaited] = deque()
        self._body: Outgoing | None = None  # its body is written and not yet answered
        self._envelope: _Envelope | None = None
        self._asking = False
        self._needs_reset = False
        self._writing_paused = False
        self._leaving = False
        self._closed = False
        self._deadline = _NEVER
        self._timer: asyncio.TimerHandle | None = None

    # --- for the owner of the connection ---

    def start(self) -> None:
        """Take the transport over and begin to send."""
        self._transport.set_protocol(self)
        self.idle_since = self._loop.time()
        self._watch()
        self.look_again()

    @property
    def is_open(self) -> bool:
        return not self._closed

    @property
    def idle(self) -> bool:
        """Whether nothing at all is under way."""
        return self._body is None and self._envelope is None

    @property
    def wants_more(self) -> bool:
        """Whether another envelope could be written now."""
        return (
            self._envelope is None
            and not self._leaving
            and not self._closed
            and (self.offers.pipelining or self._body is None)
        )

    def look_again(self) -> None:
        """Messages may have come: begin the next envelope if none is under way."""
        if not self.wants_more:
            return
        outgoing = self._take()
        if outgoing is not None:
            self._transport.write(self._begin(outgoing))
        elif self._left <= 0:
            self.leave()

    def permit(self, outgoing: Outgoing, *, allowed: bool) -> None:
        """The answer to ``ask``. A refusal costs the connection: after 354 only closing leaves the message unsent."""
        envelope = self._envelope
        if self._closed or not self._asking or envelope is None or envelope.outgoing is not outgoing:
            return
        self._asking = False
        self._envelope = None
        if not allowed:
            self._source.finished(self, outgoing, Withheld())
            self._lose("a message was withheld after the relay had said 354")
            return
        self._body = outgoing
        self._left -= 1
        self._await(_BODY)
        following = self._take() if self.wants_more else None
        tail = b".\r\n" + self._begin(following) if following is not None else b".\r\n"
        self._transport.writelines((outgoing.message, tail))

    def leave(self) -> None:
        """Take no more messages; say QUIT (RFC 5321 §4.1.1.10) and close when what is under way is answered."""
        self._leaving = True
        if self.idle and not self._closed and _QUIT not in self._awaited:
            self._await(_QUIT)
            self._transport.write(b"QUIT\r\n")

    def abort(self, why: str = "the connection was given up") -> None:
        """Drop the connection at once; what was under way is reported as lost."""
        self._lose(why)

    # --- the transport's callbacks ---

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._filled :]  # a memoryview: into a bytearray asyncio's TLS would write a copy

    def buffer_updated(self, number: int) -> None:
        filled = self._filled + number
        buffer = self._buffer
        end = buffer.rfind(b"\n", self._filled, filled)
        if end < 0:
            self._filled = filled
            if filled > _LONGEST_LINE:
                self._lose("the relay sent a line without end")
            return
        lines = bytes(self._view[:end]).split(b"\n")
        rest = filled - end - 1
        if rest:
            self._view[:rest] = bytes(self._view[end + 1 : filled])
        self._filled = rest
        for line in lines:
            self._line(line)
            if self._closed:
                return
        self._set_deadline()

    def eof_received(self) -> bool:
        self._lose("the relay closed the connection")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lose(f"the relay closed the connection{f' ({error})' if error else ''}")

    def pause_writing(self) -> None:
        # The relay takes no more for now: what is watched is the next block of the body, not yet the final dot.
        self._writing_paused = True
        self._set_deadline()

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._set_deadline()

    # --- replies ---

    def _line(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        mark = line[3:4]
        if not line[:3].isdigit() or len(line) < 3 or mark not in b" -":
            shown = line[:80].decode("utf-8", "replace")
            self._lose(f"the relay said {shown!r}, which is not SMTP")
            return
        if mark == b"-":
            self._lines.append(line)
            if len(self._lines) > _LONGEST_REPLY_LINES:
                self._lose("the relay sent a reply without end")
            return
        if self._lines:
            lines, self._lines = [*self._lines, line], []
            line = line[:4].ljust(4) + b" ".join(each[4:] for each in lines)
        self._reply(int(line[:3]), line)

    def _reply(self, code: int, line: bytes) -> None:
        if not self._awaited:
            said = _reply_of(code, line)
            self._lose(f"the relay said {said}" if code == 421 else f"the relay said {said}, and nobody had asked")
            return
        awaited = self._awaited[0]
        if _is_out_of_step(awaited, code):  # a reply was left out: the next would be taken for another message's
            self._lose(f"the relay answered {_NAMES[awaited]} with {_reply_of(code, line)}, which is out of step")
            return
        self._awaited.popleft()
        envelope = self._envelope
        if awaited < _DATA and 200 <= code < 300 and envelope is not None and not envelope.left:
            envelope.blameless = False  # as nearly always; the rest comes with DATA's reply
            envelope.recipient_taken |= awaited is _RCPT
        elif awaited is _BODY:
            self._answer_to_body(code, line)
        elif awaited is _QUIT:
            self._lose("")
        elif awaited is _RSET and not 200 <= code < 300:
            self._lose(f"RSET: {_reply_of(code, line)}")
        elif envelope is not None:
            self._answer_to_envelope(envelope, awaited, code, line)

    def _answer_to_body(self, code: int, line: bytes) -> None:
        outgoing, self._body = self._body, None
        assert outgoing is not None
        self._source.finished(self, outgoing, Answered(Stage.BODY, _reply_of(code, line)))
        if code == 421:
            self._lose(str(_reply_of(code, line)))
        elif self._envelope is None:
            self._go_on()

    def _answer_to_envelope(self, envelope: _Envelope, awaited: _Awaited, code: int, line: bytes) -> None:
        envelope.blameless = False
        fine = code == 354 if awaited is _DATA else 200 <= code < 300
        if awaited is _RCPT and fine:
            envelope.recipient_taken = True
        if awaited is not _DOT and not fine and envelope.refused is None:
            envelope.refused = Answered(_STAGES[awaited], _reply_of(code, line))
            envelope.left.clear()
        if code == 421:
            self._refuse(envelope)
            self._lose(str(_reply_of(code, line)))
        elif awaited is _DATA and code == 354 and envelope.refused is not None:
            # RFC 2920 §3.1: DATA accepted although no recipient was; a lone dot ends it, and its reply is read.
            if envelope.recipient_taken:
                self._refuse(envelope)
                self._lose("the relay accepted DATA after it had refused the sender")
                return
            self._await(_DOT)
            self._transport.write(b".\r\n")
        elif awaited is _DATA and fine:
            self._asking = True
            self._source.ask(self, envelope.outgoing)
        elif envelope.left:
            following, command = envelope.left.pop(0)
            self._await(following)
            self._transport.write(command)
        elif envelope.refused is not None and not self._envelope_awaited():
            self._refuse(envelope)
            self._go_on()

    def _envelope_awaited(self) -> bool:
        """Whether replies to this envelope are still to come."""
        return bool(self._awaited) and self._awaited[0] in _OF_AN_ENVELOPE

    def _refuse(self, envelope: _Envelope) -> None:
        assert envelope.refused is not None
        self._envelope = None
        self._needs_reset = True
        self._source.finished(self, envelope.outgoing, envelope.refused)

    # --- writing ---

    def _go_on(self) -> None:
        if self._leaving:
            self.leave()
            return
        self.look_again()
        if self.idle:
            self.idle_since = self._loop.time()

    def _take(self) -> Outgoing | None:
        return self._source.next_for(self) if self._left > 0 else None

    def _begin(self, outgoing: Outgoing) -> bytes:
        """What begins this message's envelope: all of it, or where there is no PIPELINING its first command."""
        mail, recipient = outgoing.commands()
        if self.offers.pipelining and not self._needs_reset:
            self._envelope = _Envelope(outgoing, [], blameless=self._body is not None)
            self._await(_MAIL)
            self._awaited.append(_RCPT)
            self._awaited.append(_DATA)
            return mail + recipient + b"DATA\r\n"
        commands = [(_MAIL, mail), (_RCPT, recipient), (_DATA, b"DATA\r\n")]
        if self._needs_reset:  # a refused envelope left a transaction open (RFC 5321 §4.1.1.5)
            self._needs_reset = False
            commands.insert(0, (_RSET, b"RSET\r\n"))
        now = len(commands) if self.offers.pipelining else 1
        self._envelope = _Envelope(outgoing, commands[now:], blameless=self._body is not None)
        for awaited, _ in commands[:now]:
            self._await(awaited)
        return b"".join(command for _, command in commands[:now])

    def _await(self, awaited: _Awaited) -> None:
        self._awaited.append(awaited)
        if len(self._awaited) == 1:
            self._set_deadline()

    # --- time ---

    def _set_deadline(self) -> None:
        if not self._awaited:
            self._deadline = _NEVER
            return
        first = self._awaited[0]
        seconds = self._timeouts.block if first is _BODY and self._writing_paused else self._seconds[first]
        self._deadline = self._loop.time() + seconds

    def _watch(self) -> None:
        """Look at the deadline now and then: setting a timer for each reply would cost more than reading it."""
        if self._closed:
            return
        late = self._loop.time() - self._deadline
        if late >= 0:
            self._lose(f"no reply to {_NAMES[self._awaited[0]]} in time" if self._awaited else "")
            return
        often = min(self._timeouts.mail, self._timeouts.data, self._timeouts.block, _QUIT_SECONDS) / 5
        self._timer = self._loop.call_later(often, self._watch)

    # --- the end ---

    def _lose(self, why: str) -> None:
        """The connection is over: say so of whatever was under way, once."""
        if self._closed:
            return
        self._closed = self._leaving = True
        self.why_closed = why
        if self._timer is not None:
            self._timer.cancel()
        (self._transport.close if not why else self._transport.abort)()
        body, envelope, unsent = self._body, self._envelope, None
        self._body = self._envelope = None
        if body is not None:
            self._source.finished(self, body, LostInDoubt(why))
        if envelope is not None:
            if envelope.blameless:
                unsent = envelope.outgoing
            elif envelope.refused is not None:
                self._source.finished(self, envelope.outgoing, envelope.refused)
            else:
                self._source.finished(self, envelope.outgoing, LostBeforeBody(why))
        self._source.closed(self, unsent)


_OF_AN_ENVELOPE = frozenset({_MAIL, _RCPT, _DATA, _DOT})


def _is_out_of_step(awaited: _Awaited, code: int) -> bool:
    """Whether no relay that is in step answers so (RFC 5321 §4.3.2)."""
    if awaited is _DATA:
        return not (code == 354 or 400 <= code < 600)
    return not (200 <= code < 300 or 400 <= code < 600)


def _reply_of(code: int, line: bytes) -> Reply:
    return Reply(code, line[4:].decode("utf-8", "replace").strip())
