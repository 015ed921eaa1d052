"""The editors' layer over the stories of an edition, and the sheet that it is changed in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.compose.edit_sheet import Shown, read, write
from newsletter.compose.edits import Change, apply_edits, changed
from newsletter.errors import UsageError
from newsletter.model import Article, EditionSection, Edits, Pin
from tests.builders import NOW, an_article

NAMES = ("National", "World", "Sport")
KNOWN: dict[int, Article] = {number: an_article(number) for number in range(1, 13)}

ids = st.integers(1, 12)


def sections(**articles: tuple[int, ...]) -> tuple[EditionSection, ...]:
    return tuple(EditionSection(name, listed) for name, listed in articles.items())


@st.composite
def composed(draw: st.DrawFn) -> tuple[EditionSection, ...]:
    """What composing makes: each story once, in some sections of the newsletter in its order, and what was missed; with
    ``lead: best``, one of them leads."""
    stories = draw(st.lists(ids, unique=True))
    lead = (
        [EditionSection("", (stories.pop(),), home=draw(st.sampled_from(NAMES)))]
        if draw(st.booleans()) and stories
        else []
    )
    cuts = sorted(draw(st.lists(st.integers(0, len(stories)), min_size=3, max_size=3)))
    parts = [stories[start:end] for start, end in zip([0, *cuts], [*cuts, len(stories)], strict=True)]
    made = [EditionSection(name, tuple(part)) for name, part in zip(NAMES, parts, strict=False) if part]
    return (*lead, *made, *([EditionSection("", tuple(parts[3]), missed=True)] if parts[3] else []))


def _one_leads(edits: Edits, leads: bool) -> Edits:
    """The first pin is of the story that leads; its section is then the one it comes from."""
    if not leads or not edits.pinned:
        return edits
    first, *others = edits.pinned
    return replace(edits, pinned=(replace(first, leads=True, section=first.section or "World"), *others))


_layers = st.builds(
    Edits,
    dropped=st.lists(ids, max_size=4, unique=True).map(tuple),
    pinned=st.lists(
        st.builds(Pin, ids, st.sampled_from([*NAMES, ""]), st.integers(1, 8)),
        max_size=4,
        unique_by=lambda pin: pin.article_id,
    ).map(tuple),
    order=st.lists(
        st.builds(EditionSection, st.sampled_from(NAMES), st.lists(ids, max_size=5).map(tuple)),
        max_size=3,
        unique_by=lambda section: section.name,
    ).map(tuple),
)
layers = st.builds(_one_leads, _layers, st.booleans())


@given(composed(), layers)
def test_each_story_stands_once_and_what_was_dropped_nowhere(made: tuple[EditionSection, ...], edits: Edits) -> None:
    laid = apply_edits(made, edits, KNOWN, names=NAMES)
    stand = [article for section in laid for article in section.article_ids]
    assert len(stand) == len(set(stand))
    there = {article for section in made for article in section.article_ids} | {pin.article_id for pin in edits.pinned}
    assert set(stand) == there - set(edits.dropped)
    assert all(section.article_ids for section in laid)


@given(composed(), layers)
def test_laid_over_a_second_time_the_edits_change_nothing(made: tuple[EditionSection, ...], edits: Edits) -> None:
    once = apply_edits(made, edits, KNOWN, names=NAMES)
    assert apply_edits(once, edits, KNOWN, names=NAMES) == once


@given(composed(), layers)
def test_sections_keep_the_newsletters_order_and_what_was_missed_stays_last(
    made: tuple[EditionSection, ...], edits: Edits
) -> None:
    laid = apply_edits(made, edits, KNOWN, names=NAMES)
    assert [section.name for section in laid if section.name] == [
        name for name in NAMES if name in {section.name for section in laid}
    ]
    assert not any(section.missed for section in laid[:-1])
    assert not any(section.leads for section in laid[1:])


@given(composed(), ids, st.sampled_from(NAMES), st.integers(1, 8))
def test_a_pin_stands_at_its_place_or_last_where_there_are_fewer(
    made: tuple[EditionSection, ...], article: int, name: str, position: int
) -> None:
    laid = apply_edits(made, Edits(pinned=(Pin(article, name, position),)), KNOWN, names=NAMES)
    [section] = [one for one in laid if one.name == name]
    assert section.article_ids.index(article) + 1 == min(position, len(section.article_ids))


def test_the_order_wanted_comes_first_then_the_others_as_they_were() -> None:
    made = sections(National=(1, 2, 3, 4), World=(5,))
    edits = Edits(order=(EditionSection("National", (3, 9, 5, 1)),))
    assert apply_edits(made, edits, KNOWN) == sections(National=(3, 1, 2, 4), World=(5,))


def test_several_pins_of_one_section_each_have_their_place() -> None:
    edits = Edits(pinned=(Pin(9, "National", 3), Pin(8, "National", 1), Pin(7, "National", 1)))
    assert apply_edits(sections(National=(1, 2)), edits, KNOWN) == sections(National=(8, 7, 9, 1, 2))


def test_a_pinned_story_that_is_gone_or_retracted_is_left_out() -> None:
    known = {1: an_article(1), 2: an_article(2, retracted_at=NOW)}
    edits = Edits(pinned=(Pin(2, "National"), Pin(3, "National")))
    assert apply_edits(sections(National=(1,)), edits, known) == sections(National=(1,))


def test_a_later_change_wins_over_an_earlier_one() -> None:
    edits = changed(Edits(), Change(drop=(1, 2), headlines={3: "Three"}, texts={"note": "Hello", "subject": "Hi"}))
    edits = changed(edits, Change(pin=(Pin(1, "World"),), headlines={3: "", 4: "Four"}, texts={"subject": None}))
    assert edits == Edits(dropped=(2,), pinned=(Pin(1, "World"),), headlines=((4, "Four"),), note="Hello")
    edits = changed(edits, Change(drop=(1,), order={"World": (5, 4)}))
    assert (edits.dropped, edits.pinned) == ((1, 2), ())
    assert changed(edits, Change(drop=(9,), clear=True)) == Edits(dropped=(9,))


def test_a_story_pinned_to_lead_leads_and_what_led_before_is_back_in_its_section() -> None:
    made = (EditionSection("", (5,), home="World"), *sections(National=(1, 2), World=(3,)))
    edits = changed(Edits(), Change(pin=(Pin(2, "National", leads=True),)))
    assert apply_edits(made, edits, KNOWN, names=NAMES) == (
        EditionSection("", (2,), home="National"),
        *sections(National=(1,), World=(5, 3)),
    )
    # Of two the one named last leads, and taken back the first is where it was.
    edits = changed(edits, Change(pin=(Pin(3, "World", leads=True),)))
    assert [pin.article_id for pin in edits.pinned] == [3]
    assert apply_edits(made, edits, KNOWN, names=NAMES) == (
        EditionSection("", (3,), home="World"),
        *sections(National=(1, 2), World=(5,)),
    )
    assert apply_edits(made, changed(edits, Change(clear=True)), KNOWN, names=NAMES) == made


def test_where_none_led_one_pinned_to_lead_does() -> None:
    edits = Edits(pinned=(Pin(9, "Sport", leads=True),))
    assert apply_edits(sections(National=(1, 2)), edits, KNOWN, names=NAMES) == (
        EditionSection("", (9,), home="Sport"),
        *sections(National=(1, 2)),
    )


# --- the sheet ---


def a_sheet(made: tuple[EditionSection, ...], edits: Edits) -> Shown:
    headlines = {number: article.headline for number, article in KNOWN.items()}
    lead = next((section.article_ids[0] for section in made if section.leads), None)
    laid = apply_edits(made, edits, KNOWN, names=NAMES)
    return Shown("daily@2026-11-23/1", laid, NAMES, headlines, edits, composed_lead=lead)


@given(composed(), layers)
def test_a_sheet_that_comes_back_as_it_was_changes_nothing(made: tuple[EditionSection, ...], edits: Edits) -> None:
    shown = a_sheet(made, edits)
    assert not read(write(shown), "sheet.yaml", shown).change


@given(composed(), layers, st.data())
def test_what_is_moved_added_and_deleted_in_the_sheet_is_what_comes_out(
    made: tuple[EditionSection, ...], edits: Edits, data: st.DataObject
) -> None:
    shown = a_sheet(made, edits)
    wanted: dict[str, list[int]] = {name: [] for name in NAMES}
    missed, lead = list(shown.missed()), list[int]()
    for article in data.draw(st.permutations(sorted(KNOWN)), "stories"):
        place = data.draw(st.sampled_from([*NAMES, "out", *(() if lead else ("lead",))]), f"{article}")
        if place == "lead":
            lead.append(article)
        elif place != "out":
            wanted[place].append(article)
    placed = {one for listed in (*wanted.values(), lead) for one in listed}
    missed = [article for article in missed if article not in placed]
    lines = ["lead:", *(f"  - {article}" for article in lead), "sections:"]
    for name, listed in wanted.items():
        lines += [f"  {name}:", *(f"    - {article}:" for article in listed)]
    lines += ["missed:", *(f"  - {article}" for article in missed)]
    change = read("\n".join(lines), "sheet.yaml", shown).change
    laid = apply_edits(made, changed(edits, change), KNOWN, names=NAMES)
    assert [article for section in laid if section.leads for article in section.article_ids] == lead
    assert {section.name: list(section.article_ids) for section in laid if section.name} == {
        name: listed for name, listed in wanted.items() if listed
    }


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_headline_and_any_text_survives_the_sheet(text: str) -> None:
    headline = " ".join(text.split())
    edits = Edits(headlines=((1, headline),) if headline else (), note=text.strip(), subject=headline or None)
    shown = a_sheet(sections(National=(1, 2)), edits)
    sheet = write(shown).replace("- 2: Headline of story 2", "- 2: Another")
    assert read(sheet, "sheet.yaml", shown).change == Change(headlines={2: "Another"})


def test_a_sheet_says_what_is_retitled_and_what_is_to_be_said() -> None:
    shown = a_sheet(sections(National=(1, 2)), Edits(headlines=((1, "Once more: rain"),), note="Good morning.\n\n*Ed*"))
    written = write(shown)
    assert '    - 1: "Once more: rain"\n    - 2: Headline of story 2\n' in written
    assert "note: |-\n  Good morning.\n\n  *Ed*\n" in written
    assert "  World: []\n" in written
    change = read(
        written.replace('"Once more: rain"', "").replace("subject:\n", "subject: 'Rain: the day after'\n"), "s", shown
    ).change
    assert change == Change(headlines={1: ""}, texts={"subject": "Rain: the day after"})
    assert read(written.replace("  Good morning.\n\n  *Ed*\n", ""), "s", shown).change == Change(texts={"note": ""})


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("- 1: Headline of story 1", "- 1: Headline: of story", "of story\n", "not YAML"),
        ("- 1: Headline of story 1", "- one: Headline", "- one", "not a story"),
        ("- 1: Headline of story 1", "- 1: 2026", "- 1: 2026", "quotes"),
        ("- 1: Headline of story 1", "- 2: Twice", "- 2: Headline", "article 2 stands twice, also on sheet.yaml:"),
        ("  National:", "  Nation:", "  Nation:", "no section 'Nation'. Did you mean 'National'?"),
        ("  Sport: []", "  Sport: 7", "  Sport: 7", "here stand stories"),
        ("subject:\n", "subjekt: Hello\n", "subjekt: Hello", "Did you mean 'subject'?"),
        ("subject:\n", "subject: [1]\n", "subject: [1]", "the subject is not text"),
        ("sections:", "sections: gone\nold:", "old:", "there is no 'old'"),
        ("lead: []\n", "lead:\n  - 6\n  - 7\n", "  - 7", "only one story leads"),
        ("missed:\n", "missed:\n  - 4\n", "  - 4", "article 4 cannot be put among what was missed"),
        ("  National:", "  Sport: []\n  National:", "  Sport: []\n\n", "stands here twice"),
    ],
)
def test_a_fault_in_the_sheet_names_its_line(old: str, new: str, at: str, words: str) -> None:
    made = (*sections(National=(1, 2), World=(3,)), EditionSection("", (5,), missed=True))
    shown = a_sheet(made, Edits())
    sheet = write(shown)
    assert sheet.count(old) == 1
    sheet = sheet.replace(old, new)
    with pytest.raises(UsageError) as caught:
        read(sheet, "sheet.yaml", shown)
    assert words in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    assert caught.value.where == f"sheet.yaml:{sheet[: sheet.index(at)].count(chr(10)) + 1}"


def test_sections_that_change_places_are_refused() -> None:
    shown = a_sheet(sections(National=(1,), World=(2,)), Edits())
    sheet = write(shown).split("sections:\n")[0] + "sections:\n  World:\n    - 2:\n  National:\n    - 1:\n"
    with pytest.raises(UsageError, match="'World' has moved"):
        read(sheet, "sheet.yaml", shown)


def test_a_newsletter_without_a_lead_has_none_in_its_sheet() -> None:
    shown = replace(a_sheet(sections(National=(1,)), Edits()), may_lead=False)
    assert "lead:" not in write(shown).replace("#   lead:", "").partition("\n\n")[2]
    with pytest.raises(UsageError, match="this newsletter has no lead"):
        read(f"lead: [1]\n{write(shown)}", "sheet.yaml", shown)
