"""The size budget: what gives way, in which order, and that nobody's mail is larger than what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from newsletter.config.models import Newsletter
from newsletter.model import Edition, EditionSection, Edits, JoinedKey, Pin, RenderedKey
from newsletter.render.fitting import Fitted, fitted, largest_html
from newsletter.render.joining import Variants
from tests.render.mails import SLOTS, a_design, a_newsletter, an_edition, mail, pieces, variant

KEYS = (RenderedKey("en", "free"), RenderedKey("en", "member"))
POOL = {"National": range(1, 7), "World": range(11, 16), "Sport": range(21, 24)}
URL = "https://news.example/".ljust(160, "x")  # as long as a slot is taken for
LONG = "A headline of fourteen words is long enough to see what happens when space runs out"


def edition(**changes: Any) -> Edition:
    sections = [EditionSection(name, tuple(ids)) for name, ids in POOL.items()]
    sections.append(EditionSection("", (31, 32), missed=True))
    return replace(an_edition({}), sections=tuple(sections), **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A design without styles: what is tried here does not depend on them, and it is rendered many times."""
    return a_design(tmp_path_factory.mktemp("templates"))


@dataclass
class Fitting:
    """Fits one edition of the design in ``folder``; ``calls`` are the keys for which it was rendered."""

    folder: Path
    newsletter: Newsletter
    calls: list[RenderedKey] = field(default_factory=list)

    def rendered(self, one: Edition, key: RenderedKey) -> dict[str, bytes]:
        self.calls.append(key)
        return pieces(
            newsletter=self.newsletter,
            edition=one,
            key=key,
            folders=[self.folder],
            change=lambda article: replace(article, headline=LONG),
        )

    def within(self, budget: int, one: Edition | None = None) -> Fitted:
        newsletter = self.newsletter.model_copy(update={"size_budget": budget})
        return fitted(one or edition(), KEYS, newsletter, self.rendered)


@pytest.fixture
def fitting(folder: Path) -> Fitting:
    return Fitting(folder, a_newsletter(tuple(POOL), design="mine", missed={}))


@pytest.fixture(scope="module")
def whole_size(folder: Path) -> int:
    return Fitting(folder, a_newsletter(tuple(POOL), design="mine", missed={})).within(1_000_000).size


def test_an_edition_within_its_budget_is_rendered_once_for_each_key_and_stays_whole(fitting: Fitting) -> None:
    found = fitting.within(100_000)
    assert fitting.calls == list(KEYS)
    assert (found.trimmed, found.edition, found.size == found.left) == ((), edition(), True)
    assert "More stories on our site" not in mail(variant(found.pieces[KEYS[0]])).text


def test_what_was_missed_gives_way_first_then_briefs_then_cards_from_the_end(fitting: Fitting, whole_size: int) -> None:
    in_turn = (32, 31, 23, 15, 14, 13, 6, 5, 4, 22, 12, 3, 2)
    seen = set()
    for size in (whole_size - 1, whole_size // 2, 100):
        found = fitting.within(size)
        assert found.trimmed == in_turn[: len(found.trimmed)]
        assert found.left <= size or size == 100
        assert found.size == whole_size
        seen.add(len(found.trimmed))
    assert len(seen) == 3
    assert [section.article_ids for section in found.edition.sections] == [(1,), (11,), (21,)]
    assert sum(section.trimmed for section in found.edition.sections) == 13


def test_the_rest_says_that_there_is_more_and_names_no_story_that_gave_way(fitting: Fitting, whole_size: int) -> None:
    found = fitting.within(whole_size // 2)
    got = mail(variant(found.pieces[KEYS[0]]))
    for part in (got.html, got.text):
        assert part.count("More stories on our site") == 1
        for article in found.trimmed:
            assert f'/story-{article}"' not in part
            assert f"/story-{article}\r" not in part
    assert len(got.html.replace("\r\n", "\n").encode()) <= whole_size // 2


def test_what_an_editor_pinned_gives_way_last(fitting: Fitting, whole_size: int) -> None:
    edits = Edits(pinned=(Pin(23, "Sport", 3), Pin(6, "National", 6)))
    found = fitting.within(whole_size * 2 // 3, edition(edits=edits))
    assert {23, 6}.isdisjoint(found.trimmed)
    assert found.trimmed[:3] == (32, 31, 15)


def test_nobodys_mail_is_larger_than_what_was_measured() -> None:
    ads = [{"headline": "Coats " * 20, "url": "https://shop.example/", "after": 2}]
    made = pieces(
        newsletter=a_newsletter(tuple(POOL), promotions=ads, note="Hello"),
        edition=edition(),
        # As a lead it says more of this than as a card.
        change=lambda article: replace(article, standfirst="word " * 80) if article.id == 11 else article,
    )
    joined = Variants(made)
    sizes = []
    for sections in ((), ("Sport", "World", "National"), ("World", "National", "Sport"), ("World",), ("Sport",)):
        one = joined.variant(JoinedKey(sections))
        assert one is not None
        got = mail(one, slots=dict.fromkeys(SLOTS, URL) | {"address": "a" * 60}, unsubscribe_url=URL)
        sizes.append(len(got.html.replace("\r\n", "\n").encode()))
    assert sizes[2] == max(sizes) == largest_html(made)
