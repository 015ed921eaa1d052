"""``schedules.yaml`` -> ``Configuration``: read, variables filled in, validated, checked for contradictions.

``load`` raises with the first fault and carries all of them. What depends on the machine rather than on the file (is
the logo there, is there a relay for production) is asked by ``config.checking.check``.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

from pydantic import ValidationError

from newsletter.config import checking, faults, variables
from newsletter.config.configuration import Configuration, shipped_templates
from newsletter.config.document import KeyPath, decode, parse
from newsletter.config.models import Schedules
from newsletter.config.site_key import SiteKeys
from newsletter.errors import ConfigurationError

__all__ = ["Configuration", "default_file", "load", "shipped_templates"]

DEFAULT_FILE = "schedules.yaml"
FILE_VARIABLE = "NEWSLETTER_CONFIG"


def default_file(environ: Mapping[str, str]) -> Path:
    """``$NEWSLETTER_CONFIG``, or ``schedules.yaml`` in the working folder."""
    return Path(environ.get(FILE_VARIABLE) or DEFAULT_FILE)


def load(path: Path, environ: Mapping[str, str], *, keys: SiteKeys | None = None) -> Configuration:
    """Read and validate the file at ``path``; ``${NAME}`` comes from ``environ``, then from ``.env`` beside it.

    ``keys`` stand in for ``site.key`` where there is none yet. Raises ConfigurationError: the first fault, saying how
    many more there are; ``error.faults`` holds all of them.
    """
    file = _absolute(path)
    document = parse(_text(file, path), file.name)
    filled = variables.fill(document, variables.known(file.parent, environ))
    found = [*document.faults, *filled.faults]
    schedules: Schedules | None = None
    try:
        schedules = Schedules.model_validate(filled.data)
    except ValidationError as error:
        found.extend(
            fault
            for place, fault in faults.faults_of(error, document, Schedules, filled.hide)
            if not _within(place, document.faulty | filled.faulty)
        )
    if schedules is not None and not found:
        configuration = Configuration(file, schedules, document, filled, keys)
        found = checking.contradictions(configuration)
        if not found:
            return configuration
    raise faults.together(found or [ConfigurationError("the file cannot be used", where=file.name)])


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except (OSError, ValueError):
        raise ConfigurationError("this is not the name of a file", where=str(path)) from None


def _text(file: Path, shown: Path) -> str:
    """The content of ``file``. Raises ConfigurationError where it is missing, a folder, unreadable or not UTF-8."""
    try:
        if file.is_dir():
            raise ConfigurationError(
                "this is a folder, not a file", where=str(shown), remedy=f"Name the file: {shown / DEFAULT_FILE}"
            )
        if file.exists() and not file.is_file():
            raise ConfigurationError("this is not an ordinary file", where=str(shown))
        content = file.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no such file",
            where=str(shown),
            remedy=f"Run `newsletter init`, or name the file with --config or {FILE_VARIABLE}",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise ConfigurationError(f"the file cannot be read: {reason}", where=str(shown)) from None
    return decode(content, file.name)


def _within(place: KeyPath, faulty: Set[KeyPath]) -> bool:
    return any(place[: len(above)] == above for above in faulty)
