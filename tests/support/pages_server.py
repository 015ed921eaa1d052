"""A web server on 127.0.0.1 in a thread of its own that answers what it is told to, and counts what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WELL = (200, "application/json", b'{"status":"ok"}')
PICTURE = (200, "image/jpeg", b"\xff\xd8\xff")


@dataclass
class PagesServer:
    """``answers`` by path: status, content type and body; what is not in it is 404. ``silent`` paths never answer."""

    url: str = ""
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=lambda: {"/health": WELL})
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)


@contextmanager
def pages_server() -> Iterator[PagesServer]:
    """One that is well, and serves nothing else yet."""
    pages, closing = PagesServer(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages.asked.append(self.path)
            if self.path in pages.silent:
                closing.wait()
                return
            status, kind, body = pages.answers.get(self.path, (404, "text/html", b"no"))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    pages.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield pages
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
