"""What pydantic found wrong -> one line for each fault, with its file:line and, for an unknown key, "did you mean"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from newsletter.config.document import Document, KeyPath, dotted
from newsletter.errors import ConfigurationError

_WORDS = {
    "string_type": "must be text",
    "string_unicode": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list, like [a, b]",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "model_attributes_type": "must hold keys and values",
    "path_type": "must be the name of a file or folder",
    "url_type": "must be an address like https://news.example",
    "url_parsing": "is not an address like https://news.example",
    "url_scheme": "must be an address that begins with https:// or http://",
    "url_too_long": "is too long for an address",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def suggestion(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'daily'?``, or the known words where none is near, or ''."""
    words = list(known)
    near = get_close_matches(word, words, 1, 0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    return f"Known: {', '.join(words)}" if 0 < len(words) <= 24 else ""


def faults_of(
    error: ValidationError, document: Document, root: type[BaseModel], hide: Callable[[str, KeyPath], str]
) -> list[tuple[KeyPath, ConfigurationError]]:
    """One fault for each place, in the order of the file."""
    by_place: dict[KeyPath, list[tuple[ErrorDetails, bool]]] = {}
    for details in error.errors(include_url=False, include_input=False):
        place, branch = _place(details, document.data)
        by_place.setdefault(place, []).append((details, branch))
    found = [
        (place, _fault(place, [details for details, _ in group], document, root, hide))
        for place, group in by_place.items()
        if not (all(branch for _, branch in group) and _has_deeper(place, by_place))
    ]
    misspelt = {(*place[:-1], _meant(fault)) for place, fault in found}
    found = [(place, fault) for place, fault in found if place not in misspelt]  # said already by "did you mean"
    return sorted(found, key=lambda item: document.lines.get(item[0], document.lines.get(item[0][:-1], 0)))


def _meant(fault: ConfigurationError) -> str:
    """The key that a fault suggests, or ''."""
    return fault.remedy.removeprefix("Did you mean '").removesuffix("'?") if "Did you mean" in fault.remedy else ""


def together(found: list[ConfigurationError]) -> ConfigurationError:
    """The first of the faults by line, saying how many more there are and carrying all of them."""
    found = sorted(found, key=_line)
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


def _line(fault: ConfigurationError) -> int:
    line = fault.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def _place(details: ErrorDetails, data: Any) -> tuple[KeyPath, bool]:
    """The key an error is about, and whether it comes from one branch of a union. Pydantic's ``loc`` also names the
    branches it tried, which are no keys of the file."""
    loc = details["loc"]
    place: list[str | int] = []
    for index, part in enumerate(loc):
        if isinstance(data, dict) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif details["type"] == "missing" and index == len(loc) - 1:
            return (*place, part), False
        else:
            if part == "[key]":
                return tuple(place), False
            continue
        place.append(part)
    return tuple(place), len(place) < len(loc)


def _has_deeper(place: KeyPath, places: Iterable[KeyPath]) -> bool:
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _fault(
    place: KeyPath,
    group: list[ErrorDetails],
    document: Document,
    root: type[BaseModel],
    hide: Callable[[str, KeyPath], str],
) -> ConfigurationError:
    # Of a union's branches, the one that looked into the value says more than "must be a list".
    details = next((one for one in group if not one["type"].endswith("_type")), group[0])
    where = document.where(*place)
    above, name = dotted(place[:-1]), place[-1] if place else ""
    if details["type"] == "extra_forbidden":
        known = _keys_at(root, place[:-1])
        what = f"'{name}' is not a key of {above or 'this file'}"
        return ConfigurationError(what, where=where, remedy=suggestion(str(name), known))
    if details["type"] == "missing":
        return ConfigurationError(
            f"'{name}' is missing" + (f" in {above}" if above else ""), where=where, remedy=f"Add {name}: …"
        )
    if "[key]" in details["loc"]:
        return ConfigurationError(
            f"the name '{name}' in {above} must be up to 48 of a-z, 0-9, - and _, beginning with a letter", where=where
        )
    message = hide(_message(details, group), place)
    joint = ": " if details["type"] == "value_error" else " "
    return ConfigurationError(f"{dotted(place)}{joint}{message}" if place else message, where=where)


def _message(details: ErrorDetails, group: list[ErrorDetails]) -> str:
    kind = details["type"]
    if len(group) > 1 and all(one["type"].endswith("_type") for one in group):
        return " or ".join(dict.fromkeys(_WORDS.get(one["type"], one["msg"]) for one in group))
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind in {"enum", "literal_error"}:
        return f"must be {details['ctx']['expected']}"
    if kind == "string_pattern_mismatch":
        return f"is not written as it must be (pattern {details['ctx']['pattern']})"
    return _WORDS.get(kind) or details["msg"].replace("Input should", "must").replace("Input", "value")


def _keys_at(model: Any, path: KeyPath) -> list[str]:
    for part in path:
        model = _below(model, part)
        if model is None:
            return []
    fields = model.model_fields.items() if _is_model(model) else ()
    return [field.alias or name for name, field in fields]


def _below(kind: Any, part: str | int) -> Any:
    """The model under ``part`` of a model, mapping or list; None where there is none."""
    if _is_model(kind):
        for name, field in kind.model_fields.items():
            if part in (field.alias, name):
                return _unwrapped(field.annotation)
        return None
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return _unwrapped(arguments[1])
    if get_origin(kind) is list:
        return _unwrapped(arguments[0])
    return None


def _unwrapped(kind: Any) -> Any:
    """Without Annotated and Optional: the part that can hold keys."""
    if get_origin(kind) is Annotated:
        return _unwrapped(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        inner = [_unwrapped(one) for one in get_args(kind)]
        return next((one for one in inner if _is_model(one) or get_origin(one) in (dict, list)), None)
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
