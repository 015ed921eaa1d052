"""The models -> the JSON Schema that ``newsletter schema`` prints and editors complete and check by."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from newsletter.config.models import Schedules
from newsletter.config.values import duration_text

FILE_NAME = "schedules.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ISO_DURATION = re.compile(r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?")
_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}


def schema() -> dict[str, Any]:
    """The JSON Schema of ``schedules.yaml``, by the names used in the file.

    Any value may also be written ``${NAME}``, so whatever restricts a string, or wants a number, allows that too.
    """
    found: dict[str, Any] = _with_variables(Schedules.model_json_schema(by_alias=True))
    found["title"] = "schedules.yaml of newsletter"
    return {"$schema": _DIALECT, **found}


def schema_text() -> str:
    """The schema as JSON text, ending in a line break."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _with_variables(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_variables(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: _below(key, value) for key, value in node.items() if key != "format"}
    if "patternProperties" in node:
        node["additionalProperties"] = False
    restricted = node.get("type") in {"integer", "number", "boolean"} or (
        node.get("type") == "string" and not {"pattern", "enum", "const"}.isdisjoint(node)
    )
    if not restricted:
        return node
    outer = {key: node.pop(key) for key in ("title", "description", "default", "examples") if key in node}
    return {**outer, "anyOf": [node, _VARIABLE]}


def _below(key: str, value: Any) -> Any:
    if key == "default":
        return _as_written(value)
    if key in {"examples", "enum", "required"}:
        return value
    if key in {"properties", "patternProperties", "$defs"}:
        return {name: _with_variables(one) for name, one in value.items()}
    return value if key == "propertyNames" else _with_variables(value)


def _as_written(default: Any) -> Any:
    """Durations as the file writes them, ``3d``, where pydantic has ISO 8601."""
    if isinstance(default, dict):
        return {key: _as_written(value) for key, value in default.items()}
    if isinstance(default, list):
        return [_as_written(value) for value in default]
    if isinstance(default, str) and _ISO_DURATION.fullmatch(default):
        return duration_text(TypeAdapter(timedelta).validate_python(default))
    return default
