"""Names somebody typed: the one that was meant, or one line that says which; and whose login this is."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable

from newsletter.errors import UsageError


def known(kind: str, name: str, names: Iterable[str]) -> str:
    """The one of ``names`` that ``name`` is, letter case aside. Raises UsageError with what was probably meant."""
    there = list(names)
    if name in there:
        return name
    found = [one for one in there if one.casefold() == name.strip().casefold()]
    if not found:
        from newsletter.config.faults import suggestion

        raise UsageError(f"there is no {kind} '{name}'", remedy=suggestion(name, there))
    return found[0]


def login_name() -> str:
    """Who runs this command, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this uid, as in some containers
        return f"uid {os.getuid()}"


def login_and_host() -> str:
    """``anna@desk-3``: who runs this command, and where, for what several people edit."""
    return f"{login_name()}@{socket.gethostname()}"
