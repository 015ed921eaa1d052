"""The editors' layer of an occurrence: ``Edits`` to the JSON of ``occurrences.layer`` and back.

Only what was changed is written. A layer that this version cannot read whole is an error of its one occurrence, never
half applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from newsletter.errors import UnreadableEdits
from newsletter.model import EditionSection, Edits, Pin

_TEXTS = ("subject", "preheader", "note")
# "before" is the day of a hand-over, see ``handing_over``: such an occurrence is never composed.
_KNOWN = frozenset(("dropped", "pinned", "order", "headlines", "before", *_TEXTS))


def to_json(edits: Edits) -> dict[str, Any]:
    """The layer as it is stored; ``{}`` where nothing was changed."""
    layer: dict[str, Any] = {
        "dropped": list(edits.dropped),
        "pinned": [
            {"article": pin.article_id, "section": pin.section, "position": pin.position}
            | ({"leads": True} if pin.leads else {})
            | ({"by": pin.by} if pin.by else {})
            for pin in edits.pinned
        ],
        "order": sections_to_json(edits.order),
        "headlines": [{"article": article_id, "headline": headline} for article_id, headline in edits.headlines],
    }
    layer = {name: value for name, value in layer.items() if value}
    return layer | {name: text for name in _TEXTS if (text := getattr(edits, name)) is not None}


def from_json(layer: object, *, where: str = "") -> Edits:
    """The edits in a stored layer. Raises UnreadableEdits, naming ``where``."""
    try:
        return _read(layer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableEdits(
            f"its edits cannot be read ({error or type(error).__name__})",
            where=where,
            remedy="If a newer version of newsletter wrote them, run that; else remove them with "
            f"`newsletter editions edit {where or 'EDITION'} --clear`",
        ) from error


def sections_to_json(sections: Sequence[EditionSection]) -> list[dict[str, Any]]:
    """Sections as ``editions`` and a layer store them."""
    return [
        {"name": section.name, "articles": list(section.article_ids)}
        | ({"missed": True} if section.missed else {})
        | ({"home": section.home} if section.home else {})
        | ({"trimmed": section.trimmed} if section.trimmed else {})
        for section in sections
    ]


def sections_from_json(stored: Sequence[Mapping[str, Any]]) -> tuple[EditionSection, ...]:
    """The same back."""
    return tuple(
        EditionSection(
            section["name"],
            tuple(section["articles"]),
            missed=section.get("missed", False),
            home=section.get("home", ""),
            trimmed=section.get("trimmed", 0),
        )
        for section in stored
    )


def _read(layer: object) -> Edits:
    if not isinstance(layer, dict):
        raise TypeError(f"not an object but {type(layer).__name__}")
    unknown = sorted(str(name) for name in layer.keys() - _KNOWN)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}")
    return Edits(
        dropped=tuple(_number(article) for article in layer.get("dropped", ())),
        pinned=tuple(
            Pin(
                _number(pin["article"]),
                _text(pin["section"]),
                _number(pin["position"]),
                leads=pin.get("leads") is True,
                by=_text(pin.get("by", "")),
            )
            for pin in layer.get("pinned", ())
        ),
        order=tuple(
            EditionSection(_text(section["name"]), tuple(_number(article) for article in section["articles"]))
            for section in layer.get("order", ())
        ),
        headlines=tuple((_number(one["article"]), _text(one["headline"])) for one in layer.get("headlines", ())),
        **{name: _text(layer[name]) for name in _TEXTS if name in layer},
    )


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise TypeError(f"{value!r} is no number from 1")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
