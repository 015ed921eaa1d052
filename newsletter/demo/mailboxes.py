"""The demo's mail server: real SMTP on 127.0.0.1, each message into the Maildir of its recipient."""

from __future__ import annotations

import asyncio
import mailbox
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailboxes:
    """Async context manager. ``port`` is set once it listens; ``folder`` holds one Maildir per address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop, ident="newsletter demo"), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    def count(self) -> int:
        """Messages in all mailboxes."""
        return sum(1 for _ in self.folder.glob("*/new/*"))

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook: deliver before answering 250."""
        content: Any = envelope.content
        for address in envelope.rcpt_tos:
            maildir = mailbox.Maildir(self.folder / address.replace("/", "_"), create=True)
            maildir.add(content)
        return "250 2.0.0 delivered"
