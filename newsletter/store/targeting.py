"""A target as SQL: who is in it, counted, and the same condition for whoever fans out, claims or explains.

Conditions need ``subscribers`` and ``subscriptions`` in their statement, and are never NULL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Integer,
    Select,
    String,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.store.planning import join_in_memory
from newsletter.store.tables import deliveries, subscribers, subscriptions
from newsletter.target import (
    AllOf,
    AnyOf,
    AttributeIn,
    Joined,
    Not,
    Part,
    PlanIn,
    SectionChosen,
    TagIn,
    Targeting,
    Targets,
    attribute_trait,
    begins,
    ends,
    folded,
    tag_trait,
)

_READERS = subscriptions.join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many active readers of a stream there are, and how many of them are in a target; then, where they were asked
    for, in each part of it, in the order of ``Target.parts``."""

    subscribed: int
    readers: int
    parts: tuple[int, ...] = ()


class _position(FunctionElement[int]):  # noqa: N801
    """Where a text stands in another, from 1; 0 where it does not."""

    type = Integer()
    inherit_cache = True
    name = "strpos"


@compiles(_position, "sqlite")
def _instr(element: _position, compiler: SQLCompiler, **words: Any) -> str:
    return f"instr({compiler.process(element.clauses, **words)})"


@compiles(_position)
def _strpos(element: _position, compiler: SQLCompiler, **words: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **words)})"


class _ascii_lower(FunctionElement[str]):  # noqa: N801
    """A text with A to Z made small; other letters are left as they are, whatever the database's locale."""

    type = String()
    inherit_cache = True
    name = "lower"


@compiles(_ascii_lower, "sqlite")
def _lower(element: _ascii_lower, compiler: SQLCompiler, **words: Any) -> str:
    return f"lower({compiler.process(element.clauses, **words)})"


@compiles(_ascii_lower)
def _lower_in_c(element: _ascii_lower, compiler: SQLCompiler, **words: Any) -> str:
    return f'lower({compiler.process(element.clauses, **words)} COLLATE "C")'


def condition(targeting: Targeting) -> ColumnElement[bool]:
    """That a reader is in this target."""
    return _condition(targeting.target.root, targeting)


def outside(targets: Targets) -> ColumnElement[bool] | None:
    """That the reader of a delivery is not in the target of its newsletter; None where none has one.

    A correction goes to those who have what it corrects, whatever they are by now. Needs ``deliveries`` as well.
    """
    if not targets.newsletters:
        return None
    missed = (
        and_(deliveries.c.newsletter == name, not_(condition(targeting))) for name, targeting in targets.newsletters
    )
    return and_(or_(*missed), deliveries.c.occurrence.not_like("%/correction-%"))


def digests(targetings: Sequence[Targeting]) -> ColumnElement[str]:
    """Those of these targets that a reader is in, as ``deliveries.targets`` holds them: digests with a space before."""
    found: ColumnElement[str] = literal("")
    for targeting in targetings:
        found = found.concat(case((condition(targeting), f" {targeting.target.digest}"), else_=""))
    return found


def digests_of_delivery(targets: Targets) -> ColumnElement[str]:
    """The same for the reader of a delivery, of her newsletter's promotions. Needs ``deliveries`` as well."""
    whens = [(deliveries.c.newsletter == name, digests(targetings)) for name, targetings in targets.promotions]
    return case(*whens, else_="") if whens else literal("")


def decode_digests(column: str) -> tuple[str, ...]:
    """What ``digests`` made."""
    return tuple(column.split())


def digests_of_reader(
    connection: Connection, subscriber_id: int, newsletter: str, targetings: Sequence[Targeting]
) -> tuple[str, ...]:
    """Those of these targets that one subscriber is in now, whether she gets the newsletter or not."""
    statement = (
        select(digests(targetings))
        .select_from(subscribers)
        .outerjoin(
            subscriptions,
            and_(subscriptions.c.subscriber_id == subscribers.c.id, subscriptions.c.newsletter == newsletter),
        )
        .where(subscribers.c.id == subscriber_id)
    )
    return decode_digests(connection.execute(statement).scalar_one())


def count(
    connection: Connection, who: ColumnElement[bool], targeting: Targeting | None, *, parts: bool = False
) -> Counted:
    """Count the readers of ``who`` (see ``fan_out.gets``), and those of them in a target."""
    subscribed = int(connection.execute(select(func.count()).select_from(subscriptions).where(who)).scalar_one())
    if targeting is None:
        return Counted(subscribed, subscribed)
    readers = count_in(connection, who, targeting)
    return Counted(subscribed, readers, _counted_parts(connection, who, targeting) if parts else ())


def count_in(connection: Connection, who: ColumnElement[bool], targeting: Targeting) -> int:
    """How many of the readers of ``who`` are in a target.

    What is asked of one table stands in WHERE, so that PostgreSQL joins those alone of whom it is true.
    """
    join_in_memory(connection)
    statement = select(func.count()).select_from(_READERS).where(who, condition(targeting))
    return int(connection.execute(statement).scalar_one())


def sql(dialect: Dialect, targeting: Targeting) -> str:
    """The condition as this database is asked it, its values written out."""
    return str(condition(targeting).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _counted_parts(connection: Connection, who: ColumnElement[bool], targeting: Targeting) -> tuple[int, ...]:
    """The readers in each part of a target, in one pass."""
    numbers = [func.sum(case((_condition(part, targeting), 1), else_=0)) for _, part in targeting.target.parts()]
    statement: Select[Any] = select(*numbers).select_from(_READERS).where(who)
    return tuple(int(number or 0) for number in connection.execute(statement).one())


def _condition(part: Part, targeting: Targeting) -> ColumnElement[bool]:
    match part:
        case PlanIn(plans):
            return _plan(frozenset(plan.folded for plan in plans), targeting.plans)
        case TagIn(tags):
            return or_(*(_has(tag_trait(tag.written)) for tag in tags))
        case AttributeIn(name, values):
            return or_(*(_has(attribute_trait(name.written, value.written)) for value in values))
        case Joined("before", day):
            return subscribers.c.created_at < begins(day, targeting.zone)
        case Joined(_, day):
            return subscribers.c.created_at >= ends(day, targeting.zone)
        case SectionChosen(section):
            return _chosen(section.folded, targeting.sections)
        case Not(within):
            return not_(_condition(within, targeting))
        case AllOf(parts):
            return and_(*(_condition(one, targeting) for one in parts))
        case AnyOf(parts):
            return or_(*(_condition(one, targeting) for one in parts))


def _plan(wanted: frozenset[str], plans: Sequence[str]) -> ColumnElement[bool]:
    """As claiming reads it: a plan that is not configured is the first."""
    named = [plan for plan in plans if plan in wanted]
    if plans[0] not in wanted:
        return subscribers.c.plan.in_(named) if named else false()
    others = [plan for plan in plans if plan not in wanted]
    return subscribers.c.plan.not_in(others)


def _has(trait: str) -> ColumnElement[bool]:
    return _position(subscribers.c.traits, trait) > 0


def _chosen(wanted: str, sections: Iterable[str]) -> ColumnElement[bool]:
    """Looks for an element of the JSON array that ``subscriptions.encode_sections`` writes: within a name, no quote
    stands after a comma but with a backslash between. Case does not count, as in ``keys.sections_for``."""
    stored = func.coalesce(subscriptions.c.sections, "")
    after_commas = literal(",").concat(func.substr(stored, 2))
    names = [name for name in sections if folded(name) == wanted]
    as_written = (_position(after_commas, _element(name)) > 0 for name in names)
    otherwise = (_position(_casefolded(after_commas, small), _element(small)) > 0 for small in map(str.casefold, names))
    # Most have chosen none, or spell it as the newsletter does: of a million each letter that is folded costs 0.1 s.
    return case((stored == "", false()), (or_(false(), *as_written), true()), else_=or_(false(), *otherwise))


def _element(name: str) -> str:
    return f",{json.dumps(name, ensure_ascii=False)}"


def _casefolded(text: ColumnElement[str], wanted: str) -> ColumnElement[str]:
    """A text as ``str.casefold`` has it, as far as it takes to find ``wanted``, which is folded, in it."""
    found: ColumnElement[str] = _ascii_lower(text)
    for letter, small in _beyond_ascii().items():
        if small in wanted:
            found = func.replace(found, letter, small)
    return found


@cache
def _beyond_ascii() -> Mapping[str, str]:
    """Every letter beyond ASCII that is folded to something else. All of Unicode's stand in its first two planes."""
    return {letter: letter.casefold() for letter in map(chr, range(0x80, 0x20000)) if letter != letter.casefold()}
