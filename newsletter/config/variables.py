"""``${NAME}`` and ``${NAME:-default}`` in a document's strings -> values from the environment, or from ``.env``.

The process's environment wins over ``.env`` beside the file. What was filled in is remembered by its place, so that no
error ever shows it: ``hide`` puts ``${NAME}`` back.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.config.document import Document, KeyPath, decode, dotted
from newsletter.errors import ConfigurationError

_REFERENCE = re.compile(r"\$(?P<literal>\$(?=\{))|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\})?")
_ONE_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_URL_PASSWORD = re.compile(r"^[^:]+://[^/@]*?:(?P<password>.*)@[^@]*$")
_QUERY_PASSWORD = re.compile(r"[?&]password=(?P<password>[^&]*)")
# Below this a value is hidden only in errors about its own place: '1' would turn every line number into '${NAME}'.
_LONG_ENOUGH = 6


@dataclass
class Filled:
    """A document's data with its variables filled in. ``used`` holds what came from outside the file."""

    data: Any = None
    used: dict[KeyPath, list[tuple[str, str]]] = field(default_factory=dict)
    faults: list[ConfigurationError] = field(default_factory=list)
    faulty: set[KeyPath] = field(default_factory=set)

    def hide(self, text: str, path: KeyPath) -> str:
        """``text`` with every value from outside put back to its ``${NAME}``."""
        hidden: dict[str, str] = {}
        for place, values in self.used.items():
            near = place[: len(path)] == path or path[: len(place)] == place
            hidden.update({value: name for name, value in values if near or len(value) >= _LONG_ENOUGH})
        if not hidden:
            return text
        longest_first = sorted(hidden, key=len, reverse=True)
        shown = {value.casefold(): f"${{{name}}}" for value, name in hidden.items()}
        pattern = re.compile("|".join(re.escape(value) for value in longest_first), re.IGNORECASE)
        return pattern.sub(lambda match: shown.get(match[0].casefold(), "${…}"), text)


def known(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``folder/.env`` under those of ``environ``. Raises ConfigurationError (``.env:3``)."""
    path = folder / ".env"
    if not path.is_file():
        return dict(environ)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the file cannot be read: {error.strerror}", where=".env") from None
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(decode(content, ".env"))):
        if binding.error:
            raise ConfigurationError(
                "this line is not NAME=value", where=f".env:{binding.original.line}", remedy="Quote values with spaces"
            )
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return {**values, **environ}


def fill(document: Document, variables: Mapping[str, str]) -> Filled:
    """Replace the references in every string value of ``document``; what cannot be is in ``faults``."""
    filled = Filled()
    filled.data = _fill(document.data, (), document, variables, filled)
    return filled


def _fill(value: Any, path: KeyPath, document: Document, variables: Mapping[str, str], filled: Filled) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, (*path, key), document, variables, filled) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*path, index), document, variables, filled) for index, item in enumerate(value)]
    refusal = _literal_secret(value, path)
    if refusal is None and isinstance(value, str) and "$" in value:
        try:
            return _REFERENCE.sub(lambda match: _replacement(match, path, variables, filled), value)
        except ConfigurationError as error:
            refusal = error
    if refusal is not None:
        filled.faulty.add(path)
        filled.faults.append(ConfigurationError(refusal.what, where=document.where(*path), remedy=refusal.remedy))
    return value


def _replacement(match: re.Match[str], path: KeyPath, variables: Mapping[str, str], filled: Filled) -> str:
    if match["literal"]:
        return "$"
    name = match["name"]
    if name is None:
        raise ConfigurationError(
            "'${' must be followed by a variable's name and '}'", remedy="For a literal '${' write '$${'"
        )
    value = variables.get(name, "")
    if not value:
        if match["default"] is not None:
            return match["default"][2:]
        raise ConfigurationError(
            f"the environment variable {name} is not set",
            remedy=f"Set it, or write {name}=… into .env beside this file",
        )
    if any(0xD800 <= ord(character) <= 0xDFFF or character == "\0" for character in value):
        raise ConfigurationError(f"the environment variable {name} is not UTF-8 text")
    filled.used.setdefault(path, []).append((name, value))
    return value


def _literal_secret(value: Any, path: KeyPath) -> ConfigurationError | None:
    """The refusal of a password that stands in the file itself, where it would be copied, mailed and committed."""
    if value is None:
        return None
    text = str(value)
    if len(path) == 3 and path[0] == "relays" and path[2] == "password":
        literal = _ONE_VARIABLE.fullmatch(text) is None
        variable = "SMTP_PASSWORD"
    elif path == ("store",):
        matches = (_URL_PASSWORD.match(text), _QUERY_PASSWORD.search(text))
        literal = any(
            match and match["password"] and not _ONE_VARIABLE.fullmatch(match["password"]) for match in matches
        )
        variable = "DATABASE_PASSWORD"
    else:
        return None
    if not literal:
        return None
    return ConfigurationError(
        f"{dotted(path)}: a password must not stand in this file, which is copied, shared and committed",
        remedy=f'Write "${{{variable}}}" in its place, and {variable}=… into .env beside this file',
    )
