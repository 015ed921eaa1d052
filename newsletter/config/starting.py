"""What ``newsletter init`` writes: a folder to start from, in which ``newsletter check`` passes as it is.

Nothing that exists is ever overwritten, and the site key never, whatever is in it.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from newsletter.config import schema, site_key
from newsletter.config.reading import DEFAULT_FILE, shipped_templates
from newsletter.errors import UsageError

FOLDERS = ("templates", "assets", "inbox")


def initialise(folder: Path) -> list[Path]:
    """Write what is missing of the starting files into ``folder``, made if need be, and return what was written, in
    order. What ``starting_paths`` lists beyond that was there and was left alone. Raises UsageError where the folder
    cannot be written."""
    written: list[Path] = []
    try:
        for path in (folder, *(folder / name for name in FOLDERS)):
            if not path.is_dir():
                path.mkdir(parents=True)
                written.append(path)
        for path, text in _texts(folder).items():
            if _write_new(path, text):
                written.append(path)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=str(error.filename or folder), remedy="Choose another folder"
        ) from None
    key = folder / site_key.FILE_NAME
    if not key.exists() and not key.is_symlink():
        site_key.create(key)
        written.append(key)
    return written


def starting_paths(folder: Path) -> list[Path]:
    """Everything that ``initialise`` writes into an empty folder."""
    return [*(folder / name for name in FOLDERS), *_texts(folder), folder / site_key.FILE_NAME]


def _texts(folder: Path) -> dict[Path, str]:
    return {
        folder / DEFAULT_FILE: _starter("schedules.yaml"),
        folder / schema.FILE_NAME: schema.schema_text(),
        folder / "templates" / "README.md": _starter("templates.md").replace("{shipped}", str(shipped_templates())),
        folder / ".env.example": _starter("env.example"),
        folder / ".gitignore": _starter("gitignore"),
    }


def _starter(name: str) -> str:
    return (files("newsletter.config") / "starter" / name).read_text(encoding="utf-8")


def _write_new(path: Path, text: str) -> bool:
    """Write a file that is not there yet; True when it was written. Half a file is not left behind."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(text)
    except OSError:
        path.unlink()
        raise
    return True
