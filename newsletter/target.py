"""``target:`` in ``schedules.yaml``: which readers a newsletter or a promotion is for, as a small expression. Pure.

    plan in (metered, member) and (tag = founder or attribute.city = "Pune") and joined before 2026-01-01
    not section chosen "Sport"

text -> tokens -> ``Target``: frozen parts that know where they stand, so that an error names its column. Names are
checked by ``config.checking``; ``store.targeting`` makes SQL of it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Literal, NoReturn
from zoneinfo import ZoneInfo

from newsletter.errors import TargetError

LONGEST = 2000
MOST_TESTS = 100
_DEEPEST = 20
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<text>"[^"\x00-\x1f\x7f]*"|'[^'\x00-\x1f\x7f]*') | (?P<word>\w[\w-]*)
    | (?P<sign>!=|=|\(|\)|,|\.)""",
    re.VERBOSE,
)
_TESTS = "plan, tag, attribute.NAME, joined, section, not or ("


@dataclass(frozen=True, slots=True)
class Span:
    """Where a part stands in its expression: columns count characters from 1; ``end`` is the one after it."""

    column: int
    end: int


@dataclass(frozen=True, slots=True)
class Word:
    """A name or a value, as it is written. ``folded`` is what it is compared by: case and spacing do not count."""

    written: str
    column: int = field(compare=False)

    @property
    def folded(self) -> str:
        return folded(self.written)


@dataclass(frozen=True, slots=True)
class PlanIn:
    """Her plan is one of these."""

    plans: tuple[Word, ...]
    at: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class TagIn:
    """She has at least one of these tags."""

    tags: tuple[Word, ...]
    at: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class AttributeIn:
    """This attribute of hers has one of these values; one that she does not have has none."""

    name: Word
    values: tuple[Word, ...]
    at: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Joined:
    """She became a subscriber before the beginning of a local date, or after its end."""

    when: Literal["before", "after"]
    day: date
    at: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SectionChosen:
    """She chose this section of the newsletter herself; readers of the newsletter's own sections chose none."""

    section: Word
    at: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    part: Part
    at: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Part, ...]
    at: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Part, ...]
    at: Span = field(compare=False)


Part = PlanIn | TagIn | AttributeIn | Joined | SectionChosen | Not | AllOf | AnyOf


@dataclass(frozen=True)
class Target:
    """A parsed expression. Two of the same text are equal."""

    text: str
    root: Part = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Target:
        """Raises TargetError, with the column of what is wrong."""
        return cls(text, _Parser(text).whole())

    @cached_property
    def digest(self) -> str:
        """What it is known by in rendered pieces and on deliveries: the same for the same text, in any process."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()[:12]

    def parts(self) -> Iterator[tuple[int, Part]]:
        """Every part from the whole to its tests, in the order of the text, each with how deep it stands."""
        yield from _walk(self.root, 0)

    def tests(self) -> Iterator[PlanIn | TagIn | AttributeIn | Joined | SectionChosen]:
        """Its tests, in the order of the text."""
        for _, part in _walk(self.root, 0):
            test = part.part if isinstance(part, Not) and part.at == part.part.at else part
            if not isinstance(test, Not | AllOf | AnyOf):
                yield test

    def written(self, part: Part) -> str:
        """The text of a part, in one line."""
        return " ".join(self.text[part.at.column - 1 : part.at.end - 1].split())


@dataclass(frozen=True, slots=True)
class Targeting:
    """A target with what its names mean for one newsletter: ``plans`` are all there are (a reader of any other counts
    as of the first), ``sections`` the newsletter's, ``zone`` that of its dates."""

    target: Target
    plans: tuple[str, ...]
    sections: tuple[str, ...]
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Targets:
    """All targets of a configuration by newsletter: its own, and those of its promotions."""

    newsletters: tuple[tuple[str, Targeting], ...] = ()
    promotions: tuple[tuple[str, tuple[Targeting, ...]], ...] = ()

    def of(self, newsletter: str) -> Targeting | None:
        """The target of a newsletter; None: it is for everybody."""
        return dict(self.newsletters).get(newsletter)

    def of_promotions(self, newsletter: str) -> tuple[Targeting, ...]:
        """The different targets of a newsletter's promotions."""
        return dict(self.promotions).get(newsletter, ())


NO_TARGETS = Targets()


def folded(text: str) -> str:
    """What names and values are compared by: without case, in one form of Unicode, with single spaces."""
    plain = unicodedata.normalize("NFC", " ".join(text.split()))
    return unicodedata.normalize("NFC", plain.casefold())


def tag_trait(tag: str) -> str:
    """How a tag stands among a reader's traits."""
    return f"\n#{folded(tag)}\n"


def attribute_trait(name: str, value: str) -> str:
    """How an attribute with its value stands among a reader's traits."""
    return f"\n{folded(name)}={folded(value)}\n"


def traits(tags: Iterable[str], attributes: Mapping[str, str]) -> str:
    """A reader's tags and attributes as one text, in which a test is to find a line: '' where she has none."""
    lines = sorted({tag_trait(tag) for tag in tags}) + [attribute_trait(*one) for one in sorted(attributes.items())]
    return "\n" + "".join(line.removeprefix("\n") for line in lines) if lines else ""


def tags_in(stored: str) -> tuple[str, ...]:
    """The tags of ``traits``, in order of the alphabet."""
    return tuple(line[1:] for line in stored.split("\n") if line.startswith("#"))


def begins(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local date begins."""
    return datetime.combine(day, time(), zone)


def ends(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which the next local date begins."""
    return begins(day + timedelta(days=1), zone)


def _walk(part: Part, depth: int) -> Iterator[tuple[int, Part]]:
    yield depth, part
    below: tuple[Part, ...] = ()
    if isinstance(part, AllOf | AnyOf):
        below = part.parts
    elif isinstance(part, Not) and part.at != part.part.at:  # of `plan != free` nothing stands within
        below = (part.part,)
    for one in below:
        yield from _walk(one, depth + 1)


_Comparison = Callable[[tuple[Word, ...], Span], PlanIn | TagIn | AttributeIn]


# --- text -> parts --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int

    @property
    def end(self) -> int:
        return self.column + len(self.text)

    @property
    def keyword(self) -> str:
        return self.text.casefold() if self.kind in ("word", "sign") else ""

    @property
    def shown(self) -> str:
        return self.text if self.kind == "text" else f"'{self.text}'" if self.text else "its end"


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        raise TargetError(f"a target has at most {LONGEST} characters", LONGEST + 1)
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position] in "\"'":
                raise TargetError("the quote that begins here does not end", position + 1)
            raise TargetError(f"'{text[position]}' has no meaning here", position + 1)
        if match.lastgroup != "space":
            found.append(_Token(str(match.lastgroup), match[0], position + 1))
        position = match.end()
    return [*found, _Token("end", "", len(text) + 1)]


class _Parser:
    """Recursive descent: ``or`` binds least, then ``and``, then ``not``."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = self._tests = self._depth = 0

    def whole(self) -> Part:
        if self._next.kind == "end":
            raise TargetError("a target says whom it is for", 1, remedy=f"Begin with {_TESTS}")
        part = self._any()
        if self._next.kind != "end":
            self._refuse("'and', 'or' or its end")
        return part

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _took(self, *keywords: str) -> str:
        """The keyword that stands next, taken, if it is one of these; else ''."""
        return self._take().keyword if self._next.keyword in keywords else ""

    def _need(self, *keywords: str) -> str:
        return self._took(*keywords) or self._refuse(" or ".join(f"'{one}'" for one in keywords))

    def _refuse(self, wanted: str) -> NoReturn:
        found = self._next
        raise TargetError(f"{wanted} is expected here, not {found.shown}", found.column)

    def _since(self, column: int) -> Span:
        return Span(column, self._tokens[self._place - 1].end)

    def _any(self) -> Part:
        column = self._next.column
        parts = [self._all()]
        while self._took("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts), self._since(column))

    def _all(self) -> Part:
        column = self._next.column
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts), self._since(column))

    def _one(self) -> Part:
        column = self._next.column
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TargetError(f"it is nested more than {_DEEPEST} deep", column)
        if self._took("not"):
            part: Part = Not(self._one(), self._since(column))
        elif self._took("("):
            part = self._any()
            self._need(")")
        else:
            part = self._test(column)
        self._depth -= 1
        return part

    def _test(self, column: int) -> Part:
        self._tests += 1
        if self._tests > MOST_TESTS:
            raise TargetError(f"it has more than {MOST_TESTS} tests", column)
        match self._took("plan", "tag", "attribute", "joined", "section"):
            case "plan":
                return self._compared(column, PlanIn)
            case "tag":
                return self._compared(column, TagIn)
            case "attribute":
                self._need(".")
                name = self._word("the name of an attribute")
                return self._compared(column, lambda values, at: AttributeIn(name, values, at))
            case "joined":
                when: Literal["before", "after"] = "before" if self._need("before", "after") == "before" else "after"
                return Joined(when, self._date(), self._since(column))
            case "section":
                self._need("chosen")
                return SectionChosen(self._word("the name of a section"), self._since(column))
        return self._refuse(_TESTS)

    def _compared(self, column: int, made: _Comparison) -> Part:
        """What follows a name: ``= value``, ``!= value``, ``in (…)`` or ``not in (…)``."""
        operator = self._took("=", "!=", "in", "not") or self._refuse("'=', '!=', 'in' or 'not in'")
        if operator == "not":
            self._need("in")
        values = [self._word("a value")] if operator in ("=", "!=") else self._list()
        at = self._since(column)
        part = made(tuple(values), at)
        return Not(part, at) if operator in ("!=", "not") else part

    def _list(self) -> list[Word]:
        self._need("(")
        values = [self._word("a value")]
        while self._need(",", ")") == ",":
            values.append(self._word("a value"))
        return values

    def _word(self, wanted: str) -> Word:
        token = self._next
        if token.kind not in ("word", "text"):
            self._refuse(wanted)
        self._take()
        written = token.text[1:-1] if token.kind == "text" else token.text
        if not written.strip():
            raise TargetError(f"{wanted} must not be empty", token.column)
        return Word(written, token.column)

    def _date(self) -> date:
        word = self._word("a date like 2026-01-01")
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word.written) is None:
                raise ValueError
            day = date.fromisoformat(word.written)
        except ValueError:
            raise TargetError(f"'{word.written}' is not a date", word.column, remedy="Write 2026-01-01") from None
        if not 1900 <= day.year <= 2999:
            raise TargetError(f"'{word.written}' is not a date of these times", word.column)
        return day
