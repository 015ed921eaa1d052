"""How each element looks, as far as one can know: a small cascade over inlined styles and the kept style blocks.

    mail, window (width, scheme) -> for each element its colour, background, size, paddings, whether it is hidden

What is inlined, attributes (``bgcolor``) and the rules of block B whose media query holds for the window are ordered as
CSS orders them: ``!important``, then inline, then specificity, then place. A value that is not plain (a gradient, a
variable, a colour with transparency) makes the property *unknown* (None), which children inherit; nobody is blamed for
what is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, cast

import cssselect
from lxml import etree
from lxml.cssselect import CSSSelector
from PIL import ImageColor

from newsletter.render.lint.css import Declaration, Rule, declarations
from newsletter.render.lint.mail import Mail

Scheme = Literal["light", "dark"]
Sides = tuple[float, float]
_Priority = tuple[bool, int, tuple[int, int, int], int]

_LENGTH = re.compile(r"(-?[0-9.]+)(px|pt|em|rem|%)?")
_CONDITION = re.compile(r"\(\s*([a-z-]+)\s*(?::\s*([^()]+?)\s*)?\)")
_HEADINGS = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h4": 1.0, "h5": 0.83, "h6": 0.67}
_BOLD = frozenset({"b", "strong", "th", *_HEADINGS})
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "body", "center", "div", "p", "table", "td", "th", "ul", *_HEADINGS}
)
_LINK_COLOUR = "#0000ee"
_READ = re.compile(
    r"(?:background(?:-color|-image)?|color|font|font-size|font-weight|display|visibility|opacity|max-height|mso-hide"
    r"|padding(?:-top|-bottom)?|line-height|height|border(?:-top|-bottom)?)"
)


@dataclass(frozen=True, slots=True)
class Look:
    """One element; colours as ``#rrggbb``, lengths in pixels; None where it cannot be known.

    ``painted``: it has a background of its own. ``padding`` is above and below, ``line`` the height of a line.
    """

    colour: str | None = "#000000"
    background: str | None = "#ffffff"
    size: float | None = 16.0
    bold: bool = False
    hidden: bool = False
    line: float | None = None
    display: str = "inline"
    painted: bool = False
    bordered: bool = False
    padding: Sides | None = (0.0, 0.0)
    height: float | None = None


@dataclass(frozen=True)
class Looks:
    """The looks of all elements, in document order."""

    elements: Sequence[etree._Element]
    by_element: dict[etree._Element, Look] = field(repr=False)

    def within_body(self) -> Iterator[tuple[etree._Element, Look]]:
        """Each element of the body with its look."""
        inside = False
        for element in self.elements:
            inside = inside or element.tag == "body"
            if inside:
                yield element, self.by_element[element]


def looks_of(mail: Mail, *, width: int, scheme: Scheme) -> Looks:
    """How ``mail`` looks in a window ``width`` pixels wide of a client that prefers ``scheme``."""
    matched = _matched(mail, width, scheme)
    known: dict[etree._Element, Look] = {}
    start = Look() if scheme == "light" else Look(colour=None, background=None)
    for element in mail.elements:
        parent = element.getparent()
        inherited = known.get(parent, start) if parent is not None else start
        known[element] = _look(element, inherited, _won(element, matched.get(element, ())))
    return Looks(mail.elements, known)


def media_holds(condition: str, width: int, scheme: Scheme) -> bool | None:
    """Whether a media query holds; None where it asks what we do not know."""
    answers = [_query_holds(query.strip().lower(), width, scheme) for query in condition.split(",")]
    return True if True in answers else None if None in answers else False


def _query_holds(query: str, width: int, scheme: Scheme) -> bool | None:
    kind = _CONDITION.sub(" ", query).replace(" and ", " ").split()
    if any(word not in ("only", "screen", "all", "and", "print") for word in kind):
        return None
    answers: list[bool | None] = [False] if "print" in kind else []
    for name, value in _CONDITION.findall(query):
        length = re.fullmatch(r"([0-9.]+)px", value)
        if name == "prefers-color-scheme":
            answers.append(value == scheme)
        elif name in ("max-width", "max-device-width") and length:
            answers.append(width <= float(length[1]))
        elif name in ("min-width", "min-device-width") and length:
            answers.append(width >= float(length[1]))
        else:
            answers.append(None)
    return False if False in answers else None if None in answers else True


def _matched(mail: Mail, width: int, scheme: Scheme) -> dict[etree._Element, list[tuple[_Priority, Declaration]]]:
    found: dict[etree._Element, list[tuple[_Priority, Declaration]]] = {}
    if mail.root is None:
        return found
    applied = [rule for _, sheet in mail.styles for top in sheet.rules for rule in _applied(top, width, scheme)]
    for place, rule in enumerate(applied):
        read = [one for one in rule.declarations if _READ.fullmatch(one.name)]
        for selector in _selectors(rule.prelude) if read else ():
            for element in cast("list[etree._Element]", selector[1](mail.root)):
                found.setdefault(element, []).extend(((one.important, 0, selector[0], place), one) for one in read)
    return found


def _applied(rule: Rule, width: int, scheme: Scheme) -> Iterator[Rule]:
    """The style rules that hold for this window, out of their at-rules."""
    if not rule.at:
        yield rule
    elif rule.at == "media" and media_holds(rule.prelude[6:], width, scheme):
        for inner in rule.rules:
            yield from _applied(inner, width, scheme)


@lru_cache(maxsize=512)
def _selectors(prelude: str) -> tuple[tuple[tuple[int, int, int], CSSSelector], ...]:
    """What a rule selects, with the specificity of each; pseudo-elements and what cannot be read select nothing."""
    try:
        parsed = cssselect.parse(prelude)
        return tuple(
            (one.specificity(), CSSSelector(one.canonical(), translator="html"))
            for one in parsed
            if one.pseudo_element is None
        )
    except (cssselect.SelectorError, etree.XPathError):
        return ()


def _won(element: etree._Element, matched: Sequence[tuple[_Priority, Declaration]]) -> dict[str, str]:
    """The value of each property that is read, after the cascade."""
    inline = [
        ((one.important, 1, (0, 0, 0), place), one)
        for place, one in enumerate(declarations(element.get("style") or ""))
        if _READ.fullmatch(one.name)
    ]
    if not matched and not inline:
        return {}
    won: dict[str, str] = {}
    for _, one in sorted([*matched, *inline], key=lambda found: found[0]):
        if one.name == "background":
            won.pop("background-color", None)
            won.pop("background-image", None)
        elif one.name == "padding":
            won.pop("padding-top", None)
            won.pop("padding-bottom", None)
        won[one.name] = one.value.lower()
    return won


def _look(element: etree._Element, inherited: Look, won: dict[str, str]) -> Look:
    tag = str(element.tag)
    size = _size(won.get("font-size"), inherited.size, _HEADINGS.get(tag))
    colour = inherited.colour
    if tag == "a" and element.get("href") is not None:
        colour = _LINK_COLOUR if inherited.colour is not None else None
    if tag == "font" and element.get("color"):
        colour = _colour(element.get("color", ""))
    if (said := won.get("color")) is not None:
        colour = inherited.colour if said in ("inherit", "currentcolor") else _colour(said)
    background, painted = _background(element, inherited, won)
    weight = won.get("font-weight")
    look = replace(
        inherited,
        colour=colour,
        background=background,
        painted=painted,
        size=None if "font" in won else size,
        bold=(inherited.bold or tag in _BOLD)
        if weight is None
        else weight in ("bold", "bolder", "600", "700", "800", "900"),
        display=won.get("display", "block" if tag in _BLOCKS else "inline"),
        bordered=any(
            won.get(name, "none") not in ("none", "0", "0px") for name in ("border", "border-top", "border-bottom")
        ),
        padding=_padding(won, size),
        height=_length(won.get("height", ""), size),
        line=_line(won.get("line-height"), inherited.line, size),
    )
    return replace(look, hidden=inherited.hidden or _hides(element, won, size))


def _hides(element: etree._Element, won: dict[str, str], size: float | None) -> bool:
    return (
        element.get("hidden") is not None
        or won.get("display") == "none"
        or won.get("visibility") == "hidden"
        or won.get("opacity") in ("0", "0.0")
        or won.get("max-height") in ("0", "0px")
        or (size is not None and size <= 1)
    )


def _background(element: etree._Element, inherited: Look, won: dict[str, str]) -> tuple[str | None, bool]:
    shorthand = won.get("background")
    if (
        element.get("background")
        or won.get("background-image", "none") != "none"
        or "(" in (shorthand or "").replace("rgb(", "")
    ):
        return None, True
    said = won.get("background-color", shorthand)
    if said is None:
        said = element.get("bgcolor") or "transparent"
    if said in ("transparent", "none", "inherit", "initial", "unset", "0 0"):
        return inherited.background, False
    return _colour(said), True


@lru_cache(maxsize=512)
def _colour(value: str) -> str | None:
    """``#rrggbb``; None for what is not one opaque colour."""
    try:
        parts = ImageColor.getrgb(value.strip())
    except ValueError:
        return None
    if len(parts) == 4 and parts[3] != 255:
        return None
    return "#" + "".join(f"{part:02x}" for part in parts[:3])


def _size(said: str | None, inherited: float | None, heading: float | None) -> float | None:
    if said is not None:
        return _length(said, inherited)
    return inherited * heading if inherited is not None and heading is not None else inherited


def _length(said: str, size: float | None) -> float | None:
    """A length in pixels; ``size`` is what an em is."""
    found = _LENGTH.fullmatch(said.strip())
    if found is None:
        return None
    number = float(found[1])
    match found[2]:
        case None:
            return 0.0 if number == 0 else None
        case "px":
            return number
        case "pt":
            return number * 4 / 3
        case "rem":
            return number * 16
        case unit if size is not None:
            return number * size / (100 if unit == "%" else 1)
    return None


def _line(said: str | None, inherited: float | None, size: float | None) -> float | None:
    if said is None:
        return inherited
    if re.fullmatch(r"[0-9.]+", said):
        return float(said) * size if size is not None else None
    return _length(said, size)


def _padding(won: dict[str, str], size: float | None) -> Sides | None:
    sides = won.get("padding", "0").split()
    above = _length(won.get("padding-top", sides[0] if sides else "0"), size)
    below = _length(won.get("padding-bottom", sides[2] if len(sides) > 2 else sides[0] if sides else "0"), size)
    return None if above is None or below is None else (above, below)
