"""The text of a YAML file -> plain data and the line of every key and item.

YAML 1.2 by ruamel.yaml, composed to its node tree only, so that nothing in the file constructs an object. Read
strictly: one document, every key once, no tags, no merge keys, bounded depth and size also through aliases (a few lines
of aliases can stand for billions of nodes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from newsletter.errors import ConfigurationError

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
_MAX_NODES = 50_000
_MAX_DEPTH = 24
_NOT_PRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_DEEP = re.compile(rf"(?:[\[{{]\s*){{{_MAX_DEPTH}}}")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """One YAML file: ``data`` of dicts, lists, str, int, float, bool and None; ``lines`` counted from 1. At the places
    in ``faulty`` the value could not be read and is None."""

    name: str
    data: Any
    lines: Mapping[KeyPath, int]
    faults: tuple[ConfigurationError, ...] = ()
    faulty: frozenset[KeyPath] = frozenset()

    def where(self, *path: str | int) -> str:
        """``schedules.yaml:31`` for the key at ``path``, or for the nearest one above it that exists."""
        while path not in self.lines and path:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"


def dotted(path: KeyPath) -> str:
    """``newsletters.daily.sections[0].max``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def decode(content: bytes, name: str) -> str:
    """``content`` as UTF-8 text, a byte order mark dropped. Raises ConfigurationError with the line."""
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"the file is larger than {MAX_BYTES} bytes", where=name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError("the file is not UTF-8", where=f"{name}:{line}", remedy="Save it as UTF-8") from None


def parse(text: str, name: str) -> Document:
    """Read a mapping from YAML ``text``. Raises ConfigurationError where it is not YAML at all; what is wrong inside
    valid YAML (a key twice, a tag) is in ``faults``."""
    root = _compose(text, name)
    reader = _Reader(name)
    data = reader.read(root, ())
    if not isinstance(data, dict):
        what = (
            "the file is empty" if root is None else "the file must hold keys and values, like site: and newsletters:"
        )
        raise ConfigurationError(
            what, where=f"{name}:1", remedy="`newsletter init` in an empty folder writes an example"
        )
    return Document(name, data, reader.lines, tuple(reader.faults), frozenset(reader.faulty))


def _compose(text: str, name: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    if control := _NOT_PRINTABLE.search(text):  # YAML 1.2.2 §5.1
        number = text.count("\n", 0, control.start()) + 1
        raise ConfigurationError("the line holds a control character", where=f"{name}:{number}", remedy="Delete it")
    if brackets := _DEEP.search(text):  # ruamel.yaml takes seconds before it gives up on these
        number = text.count("\n", 0, brackets.start()) + 1
        raise ConfigurationError("the file is nested too deeply", where=f"{name}:{number}")
    try:
        return YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        number = min(mark.line, text.count("\n")) + 1 if mark else 1
        # Only the parser's own words: its snippet of the line may show a password.
        problem = error.problem or "it cannot be parsed"
        if "alias" in problem:
            problem = "an alias (*name) without its anchor (&name); put text that begins with * in quotes"
        lines = text.split("\n")
        raise ConfigurationError(
            f"the file is not YAML: {problem.strip()}{_since(error)}",
            where=f"{name}:{number}",
            remedy=_remedy(lines[min(number, len(lines)) - 1]),
        ) from None
    except RecursionError:
        raise ConfigurationError("the file is nested too deeply", where=name) from None
    except Exception as error:
        # ruamel.yaml answers some malformed text with AttributeError, IndexError and the like.
        raise ConfigurationError(
            "the file is not YAML", where=name, remedy=f"The YAML reader stopped with {type(error).__name__}"
        ) from None


def _since(error: Any) -> str:
    context, mark = error.context, error.context_mark
    if not context or mark is None or (error.problem_mark and mark.line == error.problem_mark.line):
        return ""
    return f" ({context}, begun on line {mark.line + 1})" if context.startswith("while") else ""


def _remedy(line: str) -> str:
    if "${" in line:
        return 'Put "${NAME}" in quotes'
    if "{{" in line or "{%" in line:
        return 'Put templates in quotes: "{{ … }}"'
    if "\t" in line:
        return "Indent with spaces; YAML has no tabs"
    return ""


@dataclass
class _Reader:
    """Turns nodes into data, keeping count and place."""

    name: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    faults: list[ConfigurationError] = field(default_factory=list)
    faulty: set[KeyPath] = field(default_factory=set)
    nodes: int = 0

    def read(self, node: Any, path: KeyPath) -> Any:
        if node is None:
            return None
        self.nodes += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if self.nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise ConfigurationError(
                "the file unfolds to too much, counting what its aliases (*name) repeat", where=self._at(node)
            )
        kind = str(node.tag).removeprefix(_TAG)
        if kind == "map":
            return self._mapping(node, path)
        if kind == "seq":
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        if kind in _SCALARS and isinstance(node.value, str):
            return self._scalar(node, kind, path)
        return self._unread("YAML tags (!name) are not used here", node, path, "Write the plain value")

    def _item(self, node: Any, path: KeyPath) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self.read(node, path)

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if str(key_node.tag) == f"{_TAG}merge":
                self._fault("merge keys (<<) are not used here", key_node, "Repeat a whole value with &name and *name")
                continue
            if not isinstance(key_node.value, str) or not _is_unicode(key_node.value):
                self._fault("a key must be plain text", key_node)
                continue
            key = key_node.value
            place = (*path, key)
            if key in found:
                self._fault(
                    f"the key '{key}' stands here twice, first on line {self.lines[place]}", key_node, "Delete one"
                )
                continue
            self.lines[place] = key_node.start_mark.line + 1
            found[key] = self.read(value_node, place)
        return found

    def _scalar(self, node: Any, kind: str, path: KeyPath) -> Any:
        # In a folded text (``>``) ruamel.yaml marks with a BEL where lines were folded.
        text: str = node.value.replace("\a", "") if node.style == ">" else node.value
        if not _is_unicode(text):
            return self._unread("the text holds half a character (a lone surrogate)", node, path)
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return text.lower() in {"true", "yes", "on"}
                case "int":
                    digits = text.replace("_", "")
                    return int(digits, 10) if digits.lstrip("+-").isdigit() else int(digits, 0)
                case "float":
                    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
                case _:
                    return text
        except ValueError:
            return self._unread("this is not a number", node, path, "Put it in quotes if it is text")

    def _unread(self, what: str, node: Any, path: KeyPath, remedy: str = "") -> None:
        self._fault(what, node, remedy)
        self.faulty.add(path)

    def _fault(self, what: str, node: Any, remedy: str = "") -> None:
        self.faults.append(ConfigurationError(what, where=self._at(node), remedy=remedy))

    def _at(self, node: Any) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"


# A date or a lone "=" is text to us.
_SCALARS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "value"})


def _is_unicode(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
