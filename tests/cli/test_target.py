"""``newsletter target``: how many readers a newsletter is for, and which part of the expression says so."""

from __future__ import annotations

import pytest

from tests.support.console import Folder

TARGET = 'tag = founder or not attribute.city in (Pune, "Navi Mumbai")'


@pytest.fixture
def readers(folder: Folder) -> Folder:
    """Four readers of a newsletter with a target, and a promotion with one."""
    folder.edit("newsletters:\n", "tags: [founder, press]\nattributes: [city]\nnewsletters:\n")
    promotion = "{headline: Spring coats, url: 'https://shop.example', target: plan = member}"
    folder.edit("    sections:", f"    target: '{TARGET}'\n    promotions: [{promotion}]\n    sections:")
    for name, *more in (
        ("ann", "--tag", "founder", "--tag", "press", "--attribute", "city=Pune"),
        ("ben", "--attribute", "city=navi  mumbai", "--plan", "member"),
        ("cal", "--attribute", "City=Goa"),
        ("dot",),
    ):
        assert folder.run("subscribers", "add", f"{name}@example.org", "-n", "daily", *more).code == 0
    return folder


def test_readers_are_counted_and_each_part_with_them(readers: Folder) -> None:
    counted = readers.run("target", "daily", "--json").json
    assert counted == {
        "newsletter": "daily",
        "subscribed": 4,
        "targets": [
            {"for": "daily", "target": TARGET, "subscribed": 4, "readers": 3},
            {"for": "promotion “Spring coats”", "target": "plan = member", "subscribed": 4, "readers": 1},
        ],
    }
    explained = readers.run("target", "daily", "--explain", "--json").json["targets"][0]
    assert [(part["readers"], part["depth"], part["column"], part["part"]) for part in explained["parts"]] == [
        (3, 0, 1, TARGET),
        (1, 1, 1, "tag = founder"),
        (2, 1, 18, 'not attribute.city in (Pune, "Navi Mumbai")'),
        (2, 2, 22, 'attribute.city in (Pune, "Navi Mumbai")'),
    ]
    assert "instr(subscribers.traits" in explained["sql"]
    table = readers.run("target", "daily", "--explain")
    for words in ("daily", "3", "tag = founder", "promotion “Spring coats”", "instr(subscribers.traits"):
        assert words in table.out, table


def test_another_expression_is_tried_and_a_wrong_one_refused_at_its_column(readers: Folder) -> None:
    tried = readers.run("target", "daily", "--try", "tag in (founder, press) and plan = free", "--json").json
    assert [(one["for"], one["readers"]) for one in tried["targets"]] == [("--try", 1)]
    readers.run("target", "daily", "--try", "tag = fonder").refused(2, "--try: column 7", "Did you mean 'founder'?")
    readers.run("target", "daily", "--try", "tag =").refused(2, "--try: column 6")
    readers.run("target", "dayly").refused(2, "Did you mean 'daily'?")


def test_what_is_known_of_a_reader_is_shown_and_can_be_taken_away(readers: Folder) -> None:
    ann = readers.run("subscribers", "show", "ann@example.org", "--json").json
    assert (ann["tags"], ann["attributes"]) == (["founder", "press"], {"city": "Pune"})
    assert "city: Pune" in readers.run("subscribers", "show", "ann@example.org").out
    more = ["-n", "daily", "--tag", "-", "--attribute", "city="]
    assert readers.run("subscribers", "add", "ann@example.org", *more).code == 0
    ann = readers.run("subscribers", "show", "ann@example.org", "--json").json
    assert (ann["tags"], ann["attributes"]) == ([], {})
    for wrong, words in (
        (["--tag", "fonder"], "there is no tag"),
        (["--attribute", "town=x"], "there is no attribute"),
    ):
        readers.run("subscribers", "add", "ann@example.org", "-n", "daily", *wrong).refused(2, words)
    readers.run("subscribers", "add", "ann@example.org", "-n", "daily", "--attribute", "city").refused(2, "NAME=VALUE")
