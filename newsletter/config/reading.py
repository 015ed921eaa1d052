"""``schedules.yaml`` -> ``Configuration``: read, variables filled in, validated, checked for contradictions.

``load`` raises with the first fault and carries all of them. What depends on the machine rather than on the file (is
the logo there, is there a relay for production) is asked by ``config.checking.check``.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from newsletter.config import faults, variables
from newsletter.config.document import Document, KeyPath, decode, parse
from newsletter.config.models import Newsletter, Relay, Schedules
from newsletter.config.site_key import FILE_NAME, SiteKeys
from newsletter.errors import ConfigurationError, UsageError

DEFAULT_FILE = "schedules.yaml"
FILE_VARIABLE = "NEWSLETTER_CONFIG"


@dataclass(frozen=True)
class Configuration:
    """A valid ``schedules.yaml`` with the place of everything in it. Its repr shows the file alone."""

    file: Path
    schedules: Schedules = field(repr=False)
    document: Document = field(repr=False)
    filled: variables.Filled = field(repr=False)
    given_keys: SiteKeys | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """The file's folder, absolute; relative names in the file start there."""
        return self.file.parent

    @cached_property
    def site_keys(self) -> SiteKeys:
        """The site's keys, read when first asked for. Raises ConfigurationError where ``site.key`` is missing."""
        return self.given_keys or SiteKeys.load(self.site_key_file)

    @property
    def site_key_file(self) -> Path:
        return self.folder / FILE_NAME

    @property
    def store_url(self) -> str:
        """The store's URL, an SQLite file's path made absolute. It may hold a password: never print it."""
        url = self.schedules.store.get_secret_value()
        if not url.startswith("sqlite:///"):
            return url
        path, mark, query = url.removeprefix("sqlite:///").partition("?")
        return f"sqlite:///{self.resolve(path)}{mark}{query}"

    @property
    def store_file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        url = self.store_url
        return Path(url.removeprefix("sqlite:///").partition("?")[0]) if url.startswith("sqlite:///") else None

    @property
    def media_folder(self) -> Path:
        return self.resolve(self.schedules.media)

    @property
    def template_folders(self) -> tuple[Path, ...]:
        """Where templates are looked up: ``templates/`` beside the file, then those that are shipped."""
        return tuple(dict.fromkeys((self.folder / "templates", shipped_templates())))

    def resolve(self, path: str | Path) -> Path:
        """``path`` as written in the file, made absolute."""
        return self.folder / path

    def where(self, *path: str | int) -> str:
        """``schedules.yaml:31`` for the key at ``path``, or for the nearest one above it that is in the file."""
        return self.document.where(*path)

    def fault(self, what: str, *path: str | int, remedy: str = "") -> ConfigurationError:
        """An error about the key at ``path``, with its line, and without any value from the environment."""
        return ConfigurationError(
            self.filled.hide(what, path), where=self.where(*path), remedy=self.filled.hide(remedy, path)
        )

    def newsletter(self, name: str) -> Newsletter:
        """The newsletter called ``name``. Raises UsageError with the name that was probably meant."""
        found = self.schedules.newsletters.get(name)
        if found is None:
            raise UsageError(
                f"there is no newsletter '{name}'", remedy=faults.suggestion(name, self.schedules.newsletters)
            )
        return found

    def zone(self, name: str) -> str:
        """The time zone of a newsletter's schedule: its own, or the site's."""
        return self.newsletter(name).schedule.timezone or self.schedules.site.timezone

    def language(self, name: str) -> str:
        """The language of a newsletter: its own, or the site's."""
        return self.newsletter(name).language or self.schedules.site.language

    def relay(self, name: str) -> tuple[str, Relay]:
        """The name and settings of the relay that a newsletter goes through. Raises ConfigurationError without one."""
        relays = self.schedules.relays
        chosen = self.newsletter(name).relay or next(iter(relays), None)
        if chosen is None:
            raise self.fault("there is no relay to send through", "relays", remedy="Add relays: {main: {host: …}}")
        return chosen, relays[chosen]


def default_file(environ: Mapping[str, str]) -> Path:
    """``$NEWSLETTER_CONFIG``, or ``schedules.yaml`` in the working folder."""
    return Path(environ.get(FILE_VARIABLE) or DEFAULT_FILE)


def shipped_templates() -> Path:
    """The templates of this package: in the wheel beside the code, in a clone at its top."""
    package = Path(__file__).parent.parent
    in_wheel = package / "shipped" / "templates"
    return in_wheel if in_wheel.is_dir() else package.parent / "templates"


def load(path: Path, environ: Mapping[str, str], *, keys: SiteKeys | None = None) -> Configuration:
    """Read and validate the file at ``path``; ``${NAME}`` comes from ``environ``, then from ``.env`` beside it.

    ``keys`` stand in for ``site.key`` where there is none yet. Raises ConfigurationError: the first fault, saying how
    many more there are; ``error.faults`` holds all of them.
    """
    from newsletter.config import checking

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
    raise together(found or [ConfigurationError("the file cannot be used", where=file.name)])


def together(found: list[ConfigurationError]) -> ConfigurationError:
    """The first of the faults, saying how many more there are and carrying all of them."""
    first, more = found[0], len(found) - 1
    if not more:
        return first
    count = "1 more fault" if more == 1 else f"{more} more faults"
    return ConfigurationError(
        f"{first.what} (and {count}; `newsletter check` lists them)",
        where=first.where,
        remedy=first.remedy,
        faults=found,
    )


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
