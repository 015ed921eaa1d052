"""A reader's language and those a newsletter is made in -> the one she gets it in. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def language_among(wanted: str, offered: Sequence[str]) -> str:
    """The language of ``offered`` for who asks for ``wanted``: hers, or the most special one that is more general
    (RFC 4647 §3.4: ``pt`` for ``pt-BR``), else the first. ``store.reader_language`` decides the same in SQL.
    """
    hers = f"{wanted.casefold()}-"
    fitting = [one for one in offered if hers.startswith(f"{one.casefold()}-")]
    return max(fitting, key=len, default=offered[0])
