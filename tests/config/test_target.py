"""``target:``: what is wrong with an expression is said with its column, and with the file, line and key of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import ConfigurationError, TargetError
from newsletter.target import Target
from tests.config.files import GOOD, line_of, loaded, replaced

KNOWN = "tags: [founder, press]\nattributes: [city]\n"


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "says whom it is for"),
        ("plan is free", 6, "'=', '!=', 'in' or 'not in' is expected here, not 'is'"),
        ("plan =", 7, "a value is expected here, not its end"),
        ("plan = ''", 8, "must not be empty"),
        ("plan in free", 9, "'(' is expected here"),
        ("plan in (free member)", 15, "',' or ')' is expected here, not 'member'"),
        ("plan not free", 10, "'in' is expected here"),
        ('tag = "founder', 7, "the quote that begins here does not end"),
        ("plan = free; tag = x", 12, "';' has no meaning here"),
        ("attribute city = Pune", 11, "'.' is expected here"),
        ("joined since 2026-01-01", 8, "'before' or 'after' is expected here"),
        ("joined before yesterday", 15, "'yesterday' is not a date"),
        ("joined before 2026-02-30", 15, "'2026-02-30' is not a date"),
        ("joined before 9999-12-31", 15, "not a date of these times"),
        ("section Sport", 9, "'chosen' is expected here"),
        ("(plan = free", 13, "')' is expected here, not its end"),
        ("plan = free)", 12, "'and', 'or' or its end is expected here, not ')'"),
        ("plan = free and and tag = x", 17, "not 'and'"),
        ("age > 30", 5, "'>' has no meaning here"),
        ("not " * 25 + "plan = free", 81, "nested more than 20 deep"),
        (" or ".join(["tag = x"] * 101), 1101, "more than 100 tests"),
        ("tag = x or " * 200, 2001, "at most 2000 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(TargetError) as refused:
        Target.parse(text)
    assert refused.value.column == column
    assert refused.value.what.startswith(f"column {column}: ")
    assert words in refused.value.what


PIECES = ["plan", "tag", "joined", "=", "!=", "in", "not", "and", "or", "(", ")", ",", ".", "x", '"y"', "2026-01-01"]


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_any_text_is_a_target_or_is_refused_at_one_of_its_columns(text: str) -> None:
    column = 1
    try:
        parsed = Target.parse(text)
    except TargetError as error:
        column = error.column
    else:
        assert parsed.written(parsed.root) in " ".join(text.split())
    assert 1 <= column <= len(text) + 1


def test_and_binds_more_than_or_and_not_more_than_and() -> None:
    parsed = Target.parse("not tag = a and tag = b or\n  plan != free")
    shown = [(depth, parsed.written(part)) for depth, part in parsed.parts()]
    assert shown == [
        (0, "not tag = a and tag = b or plan != free"),
        (1, "not tag = a and tag = b"),
        (2, "not tag = a"),
        (3, "tag = a"),
        (2, "tag = b"),
        (1, "plan != free"),
    ]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("plan = fre", "newsletters.daily.target: column 8: there is no plan 'fre'. Did you mean 'free'?"),
        ("plan = free and tag = fonder", "column 23: there is no tag 'fonder'. Did you mean 'founder'?"),
        ("attribute.town = Pune", "column 11: there is no attribute 'town'. Known: city"),
        ("plan != free and not section chosen Sports", "column 37: there is no section of daily 'Sports'"),
        ("tag =", "newsletters.daily.target: column 6: a value is expected here"),
    ],
)
def test_a_target_is_refused_at_its_line_of_the_file(target: str, words: str, tmp_path: Path) -> None:
    text = KNOWN + replaced("    articles: {min", f"    target: {target}\n    articles: {{min")
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, text)
    assert words in str(refused.value)
    assert refused.value.where == f"schedules.yaml:{line_of(text, '    target:')}"


def test_an_attribute_that_the_file_does_not_have_is_an_error_also_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no attribute 'city'\. Add it to attributes"):
        loaded(tmp_path, replaced("    articles: {min", "    target: attribute.city = Pune\n    articles: {min"))


def test_a_promotions_target_is_checked_as_well(tmp_path: Path) -> None:
    promotion = "    promotions:\n      - {headline: Ad, url: 'https://shop.example', target: plan = gold}\n"
    text = KNOWN + replaced("    articles: {min", f"{promotion}    articles: {{min")
    with pytest.raises(ConfigurationError, match=r"promotions\[0\]\.target: column 8: there is no plan 'gold'"):
        loaded(tmp_path, text)


def test_names_are_meant_whatever_their_case(tmp_path: Path) -> None:
    target = 'Plan IN (FREE, "Member") AND tag = Founder AND section CHOSEN world AND attribute.City = Pune'
    text = KNOWN + replaced("    articles: {min", f"    target: '{target}'\n    articles: {{min")
    assert loaded(tmp_path, text).targets.of("daily") is not None
    assert loaded(tmp_path, GOOD).targets.of("daily") is None
