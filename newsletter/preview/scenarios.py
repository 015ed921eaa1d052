"""The shelf: editions made of sample stories, to see what a design does with them. YAML -> scenarios, and back.

Shipped ones lie in ``preview/scenarios/``; a file of the same name in ``previews/``, beside ``schedules.yaml``, stands
in its place, and any other name adds one.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from newsletter.config.document import MAX_BYTES, decode, parse
from newsletter.config.faults import faults_of, suggestion, together
from newsletter.config.reading import Configuration
from newsletter.config.strict import Strict
from newsletter.config.values import Duration, HeaderText, Language
from newsletter.errors import ConfigurationError, UsageError
from newsletter.model import Access

PREFIX = "scenario:"
FOLDER = "previews"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_SHIPPED_FOLDER = Path(__file__).parent / "scenarios"
_SHIPPED = (
    "usual-day", "one-story", "sixty", "empty", "long-headlines", "no-picture", "correction", "retraction", "rtl",
    "hindi", "emoji",
)  # fmt: skip


class SamplePicture(Strict):
    """A picture in ``previews/``, or one that is shipped: ``sample-harbour.jpg``, ``sample-lighthouse.jpg``."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,60}\.(png|jpg|jpeg|gif|webp)$")]
    alt: str = ""
    caption: str = ""
    credit: str = ""


class SampleStory(Strict):
    """One story of a scenario. ``section`` is one of the newsletter's; without it they are dealt out in turn."""

    headline: HeaderText
    standfirst: str = ""
    authors: list[str] = []
    section: str | None = None
    language: Language | None = None
    picture: SamplePicture | None = None
    body: str = ""
    words: Annotated[int, Field(ge=0, le=100_000)] = 450
    access: Access = Access.FREE
    kind: Literal["first", "update", "correction", "retraction"] = "first"
    published: Duration = timedelta(hours=2)
    url: str | None = Field(None, pattern=r"^https?://[^\s<>\"]+$")


class Scenario(Strict):
    """``repeat``: its stories again and again, numbered, until there are so many. ``language`` is the reader's."""

    title: HeaderText
    language: Language | None = None
    repeat: Annotated[int, Field(ge=0, le=200)] = 0
    stories: Annotated[list[SampleStory], Field(max_length=200)] = []


@dataclass(frozen=True, slots=True)
class Shelved:
    """A scenario on the shelf. ``own``: it stands in ``previews/``; ``shipped``: one of this name is shipped."""

    name: str
    title: str
    own: bool
    shipped: bool


def shelf(configuration: Configuration) -> list[Shelved]:
    """Every scenario, the shipped ones first. One that cannot be read is listed by its name."""
    own = {path.stem: path for path in sorted(folder_of(configuration).glob("*.yaml")) if _NAME.fullmatch(path.stem)}
    found = []
    for name in (*_SHIPPED, *(name for name in own if name not in _SHIPPED)):
        path = own.get(name, _SHIPPED_FOLDER / f"{name}.yaml")
        found.append(Shelved(name, _title(path, path.stat().st_mtime_ns), name in own, name in _SHIPPED))
    return found


@lru_cache(maxsize=256)
def _title(path: Path, _saved_at: int) -> str:
    """The title of a file, its name where it cannot be read. Kept until it is saved: this is on every page."""
    try:
        return read(decode(path.read_bytes(), path.name), path.name).title
    except (ConfigurationError, OSError):
        return path.stem


def load(configuration: Configuration, name: str) -> Scenario:
    """The scenario called ``name``. Raises UsageError for one there is not, ConfigurationError at ``file:line``."""
    return read(text_of(configuration, name), _shown(configuration, name))


def text_of(configuration: Configuration, name: str) -> str:
    """Its YAML: that of ``previews/``, else what is shipped. Raises UsageError and ConfigurationError."""
    path = file_of(configuration, name)
    if path.is_file():
        try:
            return decode(path.read_bytes(), _shown(configuration, name))
        except OSError as error:
            raise UsageError(f"it cannot be read: {error.strerror}", where=str(path)) from None
    if name not in _SHIPPED:
        known = [one.name for one in shelf(configuration)]
        raise UsageError(f"there is no scenario '{name}'", remedy=suggestion(name, known))
    return (_SHIPPED_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def read(text: str, where: str) -> Scenario:
    """The scenario in a YAML text. Raises ConfigurationError at ``where:line``, with every fault."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigurationError(f"the scenario is larger than {MAX_BYTES:,} bytes", where=where)
    document = parse(text, where)
    found = list(document.faults)
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        found += [fault for _, fault in faults_of(error, document, Scenario, lambda said, _path: said)]
    if found:
        raise together(found)
    return scenario


def save(configuration: Configuration, name: str, text: str) -> Path:
    """Write it to ``previews/``, once it can be read. Raises UsageError and ConfigurationError."""
    path = file_of(configuration, name)
    read(text, f"{FOLDER}/{path.name}")
    try:
        path.parent.mkdir(exist_ok=True)
        descriptor, written = tempfile.mkstemp(dir=path.parent, prefix=f".{name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text.replace("\r\n", "\n"))
            Path(written).chmod(0o644)
            Path(written).replace(path)
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"it cannot be saved: {error.strerror}", where=str(path)) from None
    return path


def forget(configuration: Configuration, name: str) -> None:
    """Delete the one in ``previews/``; a shipped one of the same name is there again."""
    file_of(configuration, name).unlink(missing_ok=True)


def folder_of(configuration: Configuration) -> Path:
    return configuration.folder / FOLDER


def file_of(configuration: Configuration, name: str) -> Path:
    """Where it is, or would be, kept. Raises UsageError for what is no name."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is no name of a scenario", remedy="Use small letters, digits and -, at most 40 of them"
        )
    return folder_of(configuration) / f"{name}.yaml"


def picture_file(configuration: Configuration, name: str) -> Path | None:
    """The file of a picture by its name: our copy under ``media``, one in ``previews/``, or a shipped sample."""
    for folder in (configuration.media_folder, folder_of(configuration), _SHIPPED_FOLDER):
        path = folder / name
        if path.is_file():
            return path
    return None


def _shown(configuration: Configuration, name: str) -> str:
    own = file_of(configuration, name).is_file()
    return f"{FOLDER}/{name}.yaml" if own or name not in _SHIPPED else f"{name}.yaml (shipped)"


MEDIA_TYPES: Mapping[str, str] = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
}  # fmt: skip
