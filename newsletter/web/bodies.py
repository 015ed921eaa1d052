"""A request's body -> the fields of a form, or one plain refusal, whatever the body is."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

_MOST_FIELDS = 1000


class Fields:
    """The fields of a form: ``one`` value of a name, or ``all`` of them."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def one(self, name: str) -> str | None:
        """The last value of ``name``, None where the form has none."""
        values = self._values.get(name)
        return values[-1] if values else None

    def all(self, name: str) -> list[str]:
        """Every value of ``name``, in the form's order."""
        return self._values.get(name, [])


async def fields(request: Request) -> Fields:
    """The form in the request's body. Raises HTTPException 400 where it is no whole form, 413 where it is too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
            pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        else:
            text = (await request.body()).decode("utf-8", "replace")
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (ValueError, KeyError, IndexError) as error:
        raise HTTPException(400) from error
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return Fields(values)
