"""A target as SQL says of every reader what a plain reading of the expression says, on both stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from newsletter.compose.keys import sections_for
from newsletter.model import Occurrence, Reason, Stream
from newsletter.schedule.words import REASONS
from newsletter.store import Store, audience, deliveries, fan_out, senders, tables, targeting
from newsletter.store.claiming import Claim, claim
from newsletter.store.consent_check import verdict_before_delivery
from newsletter.store.subscriptions import encode_sections
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
    Target,
    Targeting,
    Targets,
    traits,
)
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.support.newsroom import a_newsletter

PLANS = ("free", "metered", "member")
SECTIONS = ("World", "Sport", 'x,"Sport', "Straße")
TAGS = ("founder", "found", "press")
VALUES = ("Pune", "pune", "Pune City", "Straße", "STRASSE", "50%", "_une")
ZONE = ZoneInfo("America/New_York")
# The midnight between these two, in that zone, is the one that divides `before 2026-11-01` from `after 2026-10-31`.
JOINED = (
    datetime(2026, 11, 1, 3, 59, 59, 999_000, UTC),
    datetime(2026, 11, 1, 4, tzinfo=UTC),
    datetime(2026, 11, 2, 4, 59, 59, tzinfo=UTC),
    datetime(2026, 11, 2, 5, tzinfo=UTC),
)


@dataclass(frozen=True)
class Person:
    plan: str
    tags: frozenset[str]
    attributes: tuple[tuple[str, str], ...]
    joined: datetime
    sections: tuple[str, ...]


def is_in(part: Part, person: Person) -> bool:
    """The expression, read plainly."""
    match part:
        case PlanIn(plans):
            hers = person.plan if person.plan in PLANS else PLANS[0]
            return hers in {plan.written.lower() for plan in plans}
        case TagIn(tags):
            return any(tag.written in person.tags for tag in tags)
        case AttributeIn(name, values):
            value = dict(person.attributes).get(name.written)
            return value is not None and value.casefold() in {one.written.casefold() for one in values}
        case Joined("before", day):
            return person.joined.astimezone(ZONE).date() < day
        case Joined(_, day):
            return person.joined.astimezone(ZONE).date() > day
        case SectionChosen(section):
            return section.written in person.sections
        case Not(within):
            return not is_in(within, person)
        case AllOf(parts):
            return all(is_in(one, person) for one in parts)
        case AnyOf(parts):
            return any(is_in(one, person) for one in parts)


def quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def comparisons(name: st.SearchStrategy[str], values: Sequence[str]) -> st.SearchStrategy[str]:
    some = st.lists(st.sampled_from(values).map(quoted), min_size=1, max_size=3)
    return st.builds(
        lambda name, operator, chosen: (
            f"{name} {operator} " + (chosen[0] if operator in ("=", "!=") else f"({', '.join(chosen)})")
        ),
        name,
        st.sampled_from(["=", "!=", "in", "not in"]),
        some,
    )


def expressions() -> st.SearchStrategy[str]:
    days = st.sampled_from(["2026-10-31", "2026-11-01", "2026-11-02"])
    tests = st.one_of(
        comparisons(st.just("plan"), PLANS),
        comparisons(st.just("tag"), TAGS),
        comparisons(st.sampled_from(["attribute.city", "attribute.town"]), VALUES),
        st.builds("joined {} {}".format, st.sampled_from(["before", "after"]), days),
        st.sampled_from(SECTIONS).map(lambda name: f"section chosen {quoted(name)}"),
    )
    return st.recursive(
        tests,
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not {}".format, inner),
        ),
        max_leaves=6,
    )


PEOPLE = st.builds(
    Person,
    st.sampled_from((*PLANS, "abolished")),
    st.frozensets(st.sampled_from(TAGS)),
    st.dictionaries(st.sampled_from(["city", "town"]), st.sampled_from(VALUES)).map(lambda d: tuple(sorted(d.items()))),
    st.sampled_from(JOINED),
    st.lists(st.sampled_from(SECTIONS), unique=True).map(tuple),
)


def targeting_of(text: str, zone: ZoneInfo = ZONE) -> Targeting:
    return Targeting(Target.parse(text), PLANS, SECTIONS, zone)


def become(connection: Connection, ids: Sequence[int], people: Sequence[Person]) -> None:
    for number, person in zip(ids, people, strict=True):
        connection.execute(
            update(tables.subscribers)
            .where(tables.subscribers.c.id == number)
            .values(
                plan=person.plan,
                traits=traits(person.tags, dict(person.attributes)),
                created_at=person.joined,
            )
        )
        connection.execute(
            update(tables.subscriptions)
            .where(tables.subscriptions.c.subscriber_id == number)
            .values(sections=encode_sections(person.sections))
        )


@pytest.fixture
def ten(store: Store) -> tuple[Store, list[int]]:
    return store, add_subscribers(store, 10)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expressions(), st.lists(PEOPLE, min_size=10, max_size=10))
def test_sql_says_what_the_expression_says(ten: tuple[Store, list[int]], text: str, people: list[Person]) -> None:
    store, ids = ten
    store.write(become, ids, people)
    asked = targeting_of(text)
    who = fan_out.gets("daily", Stream.EACH.value)
    statement = (
        select(tables.subscribers.c.id)
        .join_from(
            tables.subscribers, tables.subscriptions, tables.subscribers.c.id == tables.subscriptions.c.subscriber_id
        )
        .where(who, targeting.condition(asked))
    )
    found = store.read(lambda connection: set(connection.execute(statement).scalars()))
    expected = {number for number, person in zip(ids, people, strict=True) if is_in(asked.target.root, person)}
    assert found == expected
    counted = store.read(targeting.count, who, asked, parts=True)
    parts = [part for _, part in asked.target.parts()]
    assert (counted.subscribed, counted.readers) == (10, len(expected))
    assert counted.parts == tuple(sum(is_in(part, person) for person in people) for part in parts)


def claimed(store: Store, targets: Targets) -> Claim:
    lock = senders.acquire(store, NOW)
    assert lock is not None
    try:
        return store.write(
            claim,
            lock.sender,
            newsletters=["daily"],
            limit=50,
            now=NOW,
            message_id_of=lambda _edition, subscriber: f"<{subscriber}@x>",
            plans=PLANS,
            languages={},
            targets=targets,
        )
    finally:
        lock.close(NOW)


def rows(store: Store) -> dict[int, tuple[str, str]]:
    found = select(tables.deliveries.c.subscriber_id, tables.deliveries.c.state, tables.deliveries.c.reason)
    return store.read(lambda connection: {row[0]: (row[1], row[2]) for row in connection.execute(found)})


def tag(store: Store, number: int, *tags: str) -> None:
    change = update(tables.subscribers).where(tables.subscribers.c.id == number).values(traits=traits(tags, {}))
    store.write(lambda connection: connection.execute(change))


def fan_out_all(store: Store, edition_id: int, asked: Targeting) -> None:
    until = NOW + timedelta(hours=8)
    seen = [
        store.write(
            fan_out.fan_out_page, edition_id, languages=("en",), expires_at=until, now=NOW, limit=2, targeting=asked
        )
        for _ in range(4)
    ]
    assert seen == [2, 2, 1, 0], "who is outside is seen all the same"


def test_who_is_outside_gets_no_delivery_and_who_left_since_is_skipped_at_the_claim(store: Store) -> None:
    ids = add_subscribers(store, 5)
    for number in (ids[0], ids[1], ids[4]):
        tag(store, number, "founder")
    asked = targeting_of("tag = founder")
    targets = Targets((("daily", asked),))
    occurrence_id, edition_id = add_occurrence(store)
    assert store.read(fan_out.count_readers, "daily", "each", asked) == 3
    fan_out_all(store, edition_id, asked)
    assert rows(store) == dict.fromkeys((ids[0], ids[1], ids[4]), ("queued", ""))
    tag(store, ids[1])
    tag(store, ids[2], "founder")
    queued = store.read(deliveries.listing, newsletter="daily", subscriber_id=ids[1])[0]
    assert store.read(deliveries.verdict_now, queued.id, NOW, None, targets) is Reason.NOT_TARGETED, "why asks the same"
    found = claimed(store, targets)
    assert ([row.subscriber_id for row in found.rows], found.skipped) == ([ids[0], ids[4]], 1)
    assert rows(store)[ids[1]] == ("skipped", "not_targeted")
    assert ids[2] not in rows(store), "who comes in after the fan-out gets the next one"
    for number, reason in ((ids[3], Reason.NOT_TARGETED), (ids[2], Reason.NONE)):
        assert store.read(verdict_before_delivery, number, "daily", NOW, None, asked) is reason
    assert Reason.NOT_TARGETED in REASONS


def test_who_was_asked_for_by_name_and_is_outside_has_a_skipped_row(store: Store) -> None:
    ids = add_subscribers(store, 2)
    tag(store, ids[0], "founder")
    _, edition_id = add_occurrence(store)
    until = NOW + timedelta(hours=8)
    asked = targeting_of("tag = founder")
    store.write(fan_out.add_recipients, edition_id, ids, languages=("en",), expires_at=until, now=NOW, targeting=asked)
    assert rows(store) == {ids[0]: ("queued", ""), ids[1]: ("skipped", "not_targeted")}


def test_a_correction_follows_whoever_has_the_mail_also_out_of_the_target(store: Store) -> None:
    ids = add_subscribers(store, 1)
    tag(store, ids[0], "founder")
    correction = Occurrence(date(2026, 11, 23), 1, 1)
    _, edition_id = add_occurrence(store, occurrence=correction)
    fan_out_page: dict[str, Any] = {"languages": ("en",), "expires_at": NOW + timedelta(hours=8), "now": NOW}
    store.write(fan_out.fan_out_page, edition_id, **fan_out_page)
    tag(store, ids[0])
    found = claimed(store, Targets((("daily", targeting_of("tag = founder")),)))
    assert [row.subscriber_id for row in found.rows] == ids


def test_the_claim_writes_down_which_promotions_she_is_shown(store: Store) -> None:
    ids = add_subscribers(store, 3)
    _, edition_id = add_occurrence(store)
    store.write(fan_out.fan_out_page, edition_id, languages=("en",), expires_at=NOW + timedelta(hours=8), now=NOW)
    tag(store, ids[0], "founder", "press")
    tag(store, ids[2], "press")
    founders, press = targeting_of("tag = founder"), targeting_of("tag = press")
    targets = Targets(promotions=(("daily", (founders, press)),))
    found = claimed(store, targets)
    shown = {row.subscriber_id: targeting.decode_digests(row.targets) for row in found.rows}
    both = (founders.target.digest, press.target.digest)
    assert shown == {ids[0]: both, ids[1]: (), ids[2]: both[1:]}
    for number, digests in shown.items():
        assert store.read(targeting.digests_of_reader, number, "daily", (founders, press)) == digests
    everybody: dict[str, Any] = {
        "languages": ("en",),
        "plans": PLANS,
        "now": NOW,
        "only_addresses": None,
        "after": 0,
        "limit": 9,
    }
    rehearsed = store.read(audience.page, "daily", Stream.EACH, [Stream.EACH], **everybody, targets=targets)
    assert {one.subscriber_id: targeting.decode_digests(one.targets) for one in rehearsed} == shown
    narrowed = replace(targets, newsletters=(("daily", founders),))
    rehearsed = store.read(audience.page, "daily", Stream.EACH, [Stream.EACH], **everybody, targets=narrowed)
    assert [one.subscriber_id for one in rehearsed] == [ids[0]]


def test_who_does_not_get_the_newsletter_has_chosen_none_of_its_sections(store: Store) -> None:
    [stranger] = add_subscribers(store, 1, newsletters=["weekly"])
    chose, did_not = targeting_of("section chosen World"), targeting_of("not section chosen World")
    found = store.read(targeting.digests_of_reader, stranger, "daily", (chose, did_not))
    assert found == (did_not.target.digest,)


@pytest.mark.parametrize(
    ("stored", "now"),
    [
        ("Sport", "SPORT"),
        ("SPORT", "Sport"),
        ("Außenpolitik", "AUSSENPOLITIK"),
        ("AUSSENPOLITIK", "Außenpolitik"),
        ("СПОРТ", "Спорт"),
        ("Ελλάς", "ΕΛΛΆΣ"),
        ("खेल", "खेल"),
        ("Sport & \u212aultur", "sport & kultur"),
        ('The "Big" Story', 'the "BIG" story'),
        ("Back\\Slash, Comma", "back\\slash, comma"),
        ("Sports", "Sport"),
        ("Sport", "Sports"),
        ('x,"Sport', "Sport"),
    ],
)
@pytest.mark.parametrize("others", [(), ("World",), ("World", "Any")])
def test_who_chose_a_section_that_is_spelled_otherwise_by_now_is_in_it_as_she_reads_it(
    store: Store, stored: str, now: str, others: tuple[str, ...]
) -> None:
    [reader] = add_subscribers(store, 1)
    for chosen in ((stored, *others), (*others, stored)):

        def choose(connection: Connection, sections: tuple[str, ...] = chosen) -> None:
            connection.execute(update(tables.subscriptions).values(sections=encode_sections(sections)))

        store.write(choose)
        newsletter = a_newsletter(sections=[{"name": name} for name in ("Own", now, "World")])
        reads = now in sections_for(encode_sections(chosen), newsletter)
        text = f"section chosen {quoted(now)}"
        asked = Targeting(Target.parse(text), PLANS, newsletter.section_names, ZONE)
        found = store.read(targeting.digests_of_reader, reader, "daily", (asked,))
        assert bool(found) is reads, (chosen, now)
        assert reads is (stored.casefold() == now.casefold())


def test_the_sql_is_shown_with_its_values(store: Store) -> None:
    asked = targeting_of("plan = member and tag = founder and joined before 2026-01-01")
    shown = targeting.sql(store.engine.dialect, asked)
    for words in ("'member'", "#founder", "2026-01-01"):
        assert words in shown
    assert ("instr" if store.is_sqlite else "strpos") in shown
