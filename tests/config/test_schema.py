"""The JSON Schema that editors use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from newsletter.config.schema import schema, schema_text

REPOSITORY = Path(__file__).parents[2]


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema()["$defs"][name]["properties"]
    return found


def test_the_schema_uses_the_names_of_the_file() -> None:
    assert {"from", "schedule", "title"} <= set(properties("Newsletter"))
    assert "from_" not in properties("Newsletter")
    assert schema()["$schema"].startswith("https://json-schema.org/")


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    assert schema()["additionalProperties"] is False
    models = [part for part in schema()["$defs"].values() if "properties" in part]
    assert len(models) > 8
    assert all(part["additionalProperties"] is False for part in models)
    assert schema()["properties"]["relays"]["additionalProperties"] is False


def test_a_number_or_a_choice_may_also_be_a_variable() -> None:
    for field in (properties("Relay")["port"], properties("Relay")["tls"], properties("Source")["allow_private"]):
        assert {"type": "string", "pattern": r"\$\{[A-Za-z_]"} in field["anyOf"]


def test_defaults_are_shown_as_the_file_writes_them() -> None:
    assert properties("Newsletter")["catch_up"]["default"] == "2h"
    assert schema()["properties"]["store"]["default"] == "sqlite:///newsletter.db"


def test_the_schema_beside_the_example_is_current() -> None:
    assert (REPOSITORY / "schedules.schema.json").read_text(encoding="utf-8") == schema_text(), (
        "run: newsletter schema > schedules.schema.json"
    )
    assert json.loads(schema_text()) == schema()
