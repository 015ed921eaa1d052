"""How alike two stories are, word by word: pure decisions on text. ``collect.identity`` asks whether two are one story,
``compose.collapsing`` whether a reader of the one has read the other.

A text is looked at as its *runs*: all sequences of four words. A *sketch* is the few of a text's runs that a fixed
order puts first, as 64-bit numbers: of two texts that share most of their runs, the sketches share some (bottom-k
sampling: Broder, "On the resemblance and containment of documents", 1997), so an index finds stored articles by them.

What a sketch finds is then compared whole. Much the same words are not yet the same story: what a template says each
day (weather, prices, results) differs in its numbers, a series in the number of its part, a column in its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from heapq import nsmallest
from unicodedata import normalize
from zlib import crc32

from newsletter.model import Article, IncomingArticle

_RUN = 4
_OF_THE_TEXT, _OF_THE_OPENING, _OF_THE_HEADLINE = 10, 4, 2
_MOST_WORDS = 1500
_MOST_CHARACTERS = 12_000
_SKETCHED_CHARACTERS = 3_000  # stories are cut from their end

# Published so far apart, two texts are of two days: only long ones, or all but equal ones, are then one story.
_SAME_DAY = timedelta(hours=18)
# Two summaries that say the same are one story within this time, a standing text of a column beyond it.
_SAME_SUMMARY = timedelta(hours=3)
_SAME_SUMMARY_ELSEWHERE = timedelta(hours=12)
_SUMMARY_WORDS = 12  # of headline and standfirst together
_STANDFIRST_WORDS = 6
_LONG_SUMMARY_WORDS = 25
_BODY_WORDS = 40
# Of the shorter one's runs; of summaries more, since those of two stories may follow one pattern.
_NEAR, _NEAR_SUMMARY = 0.5, 0.7
_FEW_RUNS, _SOME_RUNS, _MANY_RUNS = 30, 80, 150

# Letters with their marks (Python's \w leaves out the vowel signs of Indic scripts, Hebrew and Arabic points), and
# each character of scripts that put no spaces between words; a number is one word, with its separators.
_LETTER = r"[^\W\d_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]"
_MARK = r"[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0980-\u0dff]"
_WORD = re.compile(
    rf"[a-z]+(?:{_LETTER}|{_MARK})*"  # no more than what follows says, but found in half the time
    r"|\d(?:[\d.,:/\u2044']*\d)?"
    r"|[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
    rf"|(?:{_LETTER}+|{_MARK}+)+"
)
_ROMAN = re.compile(r"(?=[ivxl])(?:x[lc]|l?x{0,3})(?:i[xv]|v?i{0,3})")
# What tells parts and days apart in words, in the languages that most of our readers' papers are written in.
_COUNTING_WORDS = """
one two three four five six seven eight nine ten first second third fourth fifth sixth seventh final last
monday tuesday wednesday thursday friday saturday sunday morning noon afternoon evening night
eins zwei drei vier fünf sechs erster zweiter dritter erste zweite dritte vierte fünfte letzte
montag dienstag mittwoch donnerstag freitag samstag sonntag
un deux trois quatre cinq premier première deuxième troisième quatrième dernier dernière
lundi mardi mercredi jeudi vendredi samedi dimanche
uno dos tres cuatro cinco primera primero segunda segundo tercera tercero cuarta
lunes martes miércoles jueves viernes sábado domingo
"""
_COUNTING = frozenset(_COUNTING_WORDS.split())

Run = tuple[str, str, str, str]
Story = Article | IncomingArticle


def words(text: str) -> list[str]:
    """The words of a text, letter case, punctuation and typography aside."""
    return _WORD.findall(normalize("NFKC", text).casefold())


def sketch(story: Story) -> tuple[int, ...]:
    """What a story may be found by: signed 64-bit numbers, () where it has too few words."""
    headline = words(story.headline[:_MOST_CHARACTERS])
    opening = [*headline, *words(story.standfirst[:_MOST_CHARACTERS])]
    text = [*opening, *words(story.body_text[:_SKETCHED_CHARACTERS])]
    spelt = [word.encode("utf-8", "surrogatepass") for word in text]
    runs = list(map(b" ".join, zip(spelt, spelt[1:], spelt[2:], spelt[3:], strict=False)))
    # An order which is the same everywhere and looks like chance.
    ordered = list(zip(map(crc32, runs), runs, strict=True))
    parts = ((text, _OF_THE_TEXT), (opening, _OF_THE_OPENING), (headline, _OF_THE_HEADLINE))
    # Each part begins the next longer one, and so do its runs.
    chosen = {run for part, count in parts for run in _first(ordered[: max(len(part) - _RUN + 1, 0)], count)}
    return tuple(sorted(int.from_bytes(blake2b(run, digest_size=8).digest(), "big", signed=True) for run in chosen))


def resemblance(one: str, other: str) -> float:
    """Share of the runs of two texts that both have (Jaccard), 0 to 1; 0 where one has no run."""
    return _alike(_runs(words(one[:_MOST_CHARACTERS])), _runs(words(other[:_MOST_CHARACTERS])))


def templated(one: str, other: str) -> bool:
    """Whether two texts are much the same but for their numbers."""
    first, second = _Text.of(one), _Text.of(other)
    return _numbers_replaced(first, second) > 0 and _difference_in_numbers(first, second) >= 0.5


def same_story(one: Story, other: Story, apart: timedelta, *, elsewhere: bool) -> str:
    """Why these two, which share neither URL nor guid, are one story; '' where they are two.

    ``apart`` is how long the one was published after the other, ``elsewhere`` says that they are of two sources.
    """
    headlines = words(one.headline), words(other.headline)
    first, second = _Text.of(_whole(one)), _Text.of(_whole(other))
    if min(len(one.body_text.split()), len(other.body_text.split())) < _BODY_WORDS and not _unspaced(first, second):
        enough = not _numbered_apart(*headlines) and _same_summary(
            one, other, apart, first, second, elsewhere=elsewhere
        )
        return "the same headline and summary" if enough else ""
    fewer = min(len(first.runs), len(second.runs))
    if fewer < _FEW_RUNS:
        return ""
    contained, alike = len(first.runs & second.runs) / fewer, _alike(first.runs, second.runs)
    if _numbered_apart(*headlines) and not (alike >= 0.85 and fewer >= _MANY_RUNS):
        return ""
    if abs(apart) > _SAME_DAY:
        enough = alike >= (0.65 if fewer >= _MANY_RUNS else 0.95) and not _numbers_replaced(first, second)
    else:
        enough = (contained >= 0.7 and alike >= 0.4) or (contained >= 0.8 and headlines[0] == headlines[1])
        enough = enough and not _another_template(first, second, apart)
    return f"{contained:.0%} of its runs of words are the same" if enough else ""


def near_duplicate(one: Story, other: Story, apart: timedelta) -> str:
    """What two stories have in common, so that who has read the one has read the other; '' where she has not.

    Less is asked than of ``same_story``: half of the shorter one's words, as two papers make of one report, or the
    same paper of an earlier version. Parts of a series and a template filled in twice are two stories here too.
    """
    first, second = _Text.of(_whole(one)), _Text.of(_whole(other))
    fewer = min(len(first.runs), len(second.runs))
    if _numbered_apart(words(one.headline), words(other.headline)) or fewer + _RUN - 1 < _SUMMARY_WORDS:
        return ""
    short = min(len(one.body_text.split()), len(other.body_text.split())) < _BODY_WORDS
    summaries = short and not _unspaced(first, second)
    if summaries and _numbers_replaced(first, second):
        return ""
    contained = len(first.runs & second.runs) / fewer
    if contained < (_NEAR_SUMMARY if summaries else _NEAR) or _another_template(first, second, apart):
        return ""
    return f"{contained:.0%} of its runs of words are the same"


@dataclass(frozen=True, slots=True)
class _Text:
    """A text's words, its runs of them, and its numbers."""

    words: Sequence[str]
    runs: frozenset[Run]
    numbers: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Text:
        return _text(text[:_MOST_CHARACTERS])


@lru_cache(maxsize=32)  # an article is compared with several
def _text(text: str) -> _Text:
    found = words(text)[:_MOST_WORDS]
    return _Text(found, _runs(found), frozenset(word for word in found if word[0].isdigit()))


def _same_summary(one: Story, other: Story, apart: timedelta, first: _Text, second: _Text, *, elsewhere: bool) -> bool:
    """At most one of the two has its body: what the shorter one says is in the longer one, under one headline.

    Where two sources give it, the headline may be each one's own over a summary that is long enough to tell.
    """
    if abs(apart) > (_SAME_SUMMARY_ELSEWHERE if elsewhere else _SAME_SUMMARY) or _numbers_replaced(first, second):
        return False
    if not elsewhere and one.authors and other.authors and not set(one.authors) & set(other.authors):
        return False
    (short, fewer), (_, more) = sorted(((one, first), (other, second)), key=lambda each: len(each[1].words))
    summary = words(f"{short.standfirst}\n{short.body_text}")
    said = _runs(summary)
    if len(summary) < _STANDFIRST_WORDS or len(fewer.words) < _SUMMARY_WORDS or not said:
        return False
    inside = len(said & more.runs) / len(said)
    if words(one.headline) == words(other.headline):
        return inside >= 0.9 or (inside >= 0.6 and len(summary) >= _LONG_SUMMARY_WORDS)
    return elsewhere and inside >= 0.9 and len(summary) >= _LONG_SUMMARY_WORDS


def _another_template(first: _Text, second: _Text, apart: timedelta) -> bool:
    """Whether it is in their numbers that the two differ: a template filled in twice is two stories.

    A long text of which a few figures were brought up to date is one.
    """
    fewest, same = min(len(first.numbers), len(second.numbers)), len(first.numbers & second.numbers)
    replaced, fewer = _numbers_replaced(first, second), min(len(first.runs), len(second.runs))
    long = fewer >= _MANY_RUNS
    if long and same >= 2 * replaced:
        return False
    if fewest >= 3 and same < fewest / 2:
        return True
    if replaced == 1 and not long and (fewer < _SOME_RUNS or abs(apart) > _SAME_DAY / 2):
        return True
    return replaced > 0 and _difference_in_numbers(first, second) >= 0.4


def _numbers_replaced(first: _Text, second: _Text) -> int:
    """How many numbers stand in each of the two and not in the other; what one merely leaves out does not count."""
    return min(len(first.numbers - second.numbers), len(second.numbers - first.numbers))


def _difference_in_numbers(first: _Text, second: _Text) -> float:
    """Which share of the difference of two texts goes away when all numbers are taken for one."""
    masked = [_runs(["0" if word[0].isdigit() else word for word in text.words]) for text in (first, second)]
    alike = _alike(first.runs, second.runs)
    return (_alike(*masked) - alike) / (1 - alike) if alike < 1 else 0.0


def _numbered_apart(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two headlines count differently: parts 1 and 2, II and III, first and second day, Monday and Tuesday."""
    digits = [[word for word in headline if word[0].isdigit()] for headline in (first, second)]
    if all(digits) and digits[0] != digits[1]:
        return True
    changed = set(first) ^ set(second)
    return bool(changed) and all(word in _COUNTING or word[0].isdigit() or _ROMAN.fullmatch(word) for word in changed)


def _unspaced(first: _Text, second: _Text) -> bool:
    """Whether these are texts in a script without spaces, whose words cannot be counted by them."""
    return min(len(first.words), len(second.words)) > 4 * _BODY_WORDS


def _alike(first: frozenset[Run], second: frozenset[Run]) -> float:
    return len(first & second) / len(first | second) if first and second else 0.0


def _whole(story: Story) -> str:
    return f"{story.headline}\n{story.standfirst}\n{story.body_text}"


def _runs(found: Sequence[str]) -> frozenset[Run]:
    return frozenset(zip(found, found[1:], found[2:], found[3:], strict=False))


def _first(ordered: Iterable[tuple[int, bytes]], count: int) -> list[bytes]:
    """The ``count`` different runs that come first in their order."""
    by_place = dict(ordered)
    return [by_place[place] for place in nsmallest(count, by_place)]
