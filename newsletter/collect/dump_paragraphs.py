"""Text copied from a web page -> its paragraphs, whatever stood between them and however its lines were broken. Pure.

One paragraph a line or hard-wrapped, with empty lines or without, stanzas and bullets: what a paragraph is follows from
the lengths of the lines alone, in any script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from newsletter.collect.plain_text import clean

MAX_CHARACTERS = 150_000
MAX_LINES = 4_000
# Lines of wrapped text are about this long; a longer one is a paragraph of its own.
_NARROWEST, _WIDEST = 34, 110
_FEW = 3
_SHORT_VERSE = 64
_WORDS_OF_PROSE = 6
_MUCH = 4_000
_SURE_WIDTH = 50  # characters of a line that nothing but wrapping would have cut

_SPACES = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\u2066-\u2069\ufffc]")
_BULLET = re.compile(r"(?:[•‣▪◦●○■□⁃∙·►▶✓✔➤]|[*+-](?=\s))\s*(?=\S)")
_NUMBERED = re.compile(r"(?:\d{1,3}[.)]|\(\d{1,3}\)|#\d{1,3})\s+\S")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_SMALL_BYLINE = re.compile(r"(?:by|di|de|por|par|von|van|door|av|af|przez|oleh) [^\W\d_a-z]\S* [^\W\d_a-z]")
_BYLINE = re.compile(r"(?:By|Di|De|Por|Par|Von|Van|Door|Av|Af|Przez|Oleh) [^\W\d_a-z]\S* [^\W\d_a-z]")
_LONGEST_BYLINE = 6  # words
_CLOSERS = "\"'”’»›)]）」』】*_ "
_ENDS = ".!?…。！？।॥؟۔։።‽｡"
_WIDE_SIGNS = "）」』】》。！？、，：；"
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph on one line; ``lines`` are those of a stanza (otherwise just the one); ``bullet`` says that it is
    an item of a list, whose mark is not in ``text``; ``apart`` that an empty line stood before it."""

    text: str
    lines: tuple[str, ...]
    bullet: bool = False
    apart: bool = True

    @property
    def verse(self) -> bool:
        return len(self.lines) > 1


def paragraphs_of(text: str) -> list[Paragraph]:
    """The paragraphs of ``text`` in order, white space and invisible signs tidied; bounded (MAX_CHARACTERS)."""
    plain = _INVISIBLE.sub("", clean(text[:MAX_CHARACTERS]))
    plain = re.sub(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]", "\n", plain)
    blocks = _blocks(plain.split("\n"))
    width = _width([line for block in blocks for line in block])
    longest = max((len(line) for block in blocks for line in block), default=0)
    verse = width == 0 and _is_verse(blocks)
    perhaps = longest if not width and not verse and _NARROWEST < longest <= _WIDEST else 0
    found: list[Paragraph] = []
    for number, block in enumerate(blocks):
        if verse and number and _is_stanza(block) and not any(_opens_item(line) for line in block):
            found.append(Paragraph(" ".join(block), tuple(block)))
            continue
        for position, joined in enumerate(_joined(block, width, perhaps, first=number == 0)):
            mark = _BULLET.match(joined)
            plain_text = joined[mark.end() :] if mark else joined
            found.append(Paragraph(plain_text, (plain_text,), bool(mark), apart=position == 0))
    return found


def ends_sentence(text: str) -> bool:
    """Whether ``text`` ends as a sentence does, quotation marks and brackets aside."""
    bare = text.rstrip(_CLOSERS)
    return bool(bare) and bare[-1] in _ENDS


def words_in(text: str) -> int:
    """How many words ``text`` has; of scripts without spaces, two characters count as one."""
    if len(text) > _MUCH:  # a sample will do
        return words_in(text[:_MUCH]) * (len(text) // _MUCH)
    unspaced = len(_UNSPACED.findall(text))
    return len(text.split()) + unspaced // 2 if unspaced else len(text.split())


def is_numbered(text: str) -> bool:
    """Whether ``text`` begins with the number of a list's item."""
    return bool(_NUMBERED.match(text))


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """The lines that have words, in groups between empty ones; indentation begins a paragraph too."""
    blocks: list[list[str]] = []
    open_block = False
    count = 0
    indented = [line.startswith(("   ", "\t", "\u3000")) for line in lines]
    by_indent = sum(indented) * 2 < sum(1 for line in lines if line.strip())
    for line, indent in zip(lines, indented, strict=True):
        words = _SPACES.sub(" ", line).strip()
        if not words or not any(character.isalnum() for character in words):
            open_block = False
            continue
        if count >= MAX_LINES:
            break
        count += 1
        if open_block and not (indent and by_indent):
            blocks[-1].append(words)
        else:
            blocks.append([words])
        open_block = True
    return blocks


def _width(lines: Sequence[str]) -> int:
    """How wide the lines were wrapped, 0 where they were not.

    Wrapped lines crowd just below a limit that almost no line exceeds, and many break off in mid-sentence there.
    """
    long = sorted((len(line) for line in lines if len(line) >= _NARROWEST), reverse=True)
    if len(long) < _FEW:
        return 0
    # Some lines may be longer: a URL, a headline kept whole, what the page ends with.
    for widest in dict.fromkeys(long[: 1 + len(long) // 6]):
        if widest <= _WIDEST and _breaks_at(widest, lines):
            return widest
    return 0


def _breaks_at(width: int, lines: Sequence[str]) -> bool:
    """Whether many lines break off in mid-sentence just below ``width``."""
    uncased = not any(character.islower() for character in "".join(lines[:40]))
    broken = lower = 0
    for line, after in pairwise(lines):
        if ends_sentence(line) or _opens_item(after):
            continue
        broken += width * 0.8 <= len(line) <= width + 2
        lower += bool(after[:1].islower() or _UNSPACED.match(after[:1]))
    return broken >= max(_FEW, len(lines) // 5) and (lower * 3 >= broken or uncased)


def _joined(block: Sequence[str], width: int, perhaps: int, *, first: bool) -> list[str]:
    """The lines of one block with those put together that only wrapping had parted.

    ``perhaps`` is how wide they may have been wrapped where too few of them tell: a line that breaks off there in
    mid-sentence goes on then.
    """
    found: list[list[str]] = [[block[0]]]
    for line, after in pairwise(block):
        headline = first and len(found) == 1 and len(found[0]) == 1
        wide = width or (perhaps if _breaks_off(line, after, perhaps, headline=headline) else 0)
        if _goes_on(line, after, wide, headline=headline):
            found[-1].append(after)
        else:
            found.append([after])
    return [_one_line(lines) for lines in found]


def _breaks_off(line: str, after: str, perhaps: int, *, headline: bool) -> bool:
    """Whether ``line`` ends in mid-sentence where few lines tell how wide they were wrapped."""
    if ends_sentence(line) or not perhaps:
        return False
    if after[:1].islower() or not after[:1].isupper():
        return True
    return len(line) >= _SURE_WIDTH and (not headline or len(after) * 2 < perhaps)


def _goes_on(line: str, after: str, width: int, *, headline: bool) -> bool:
    if line == after:  # the same twice in a row is a caption, or a button
        return False
    if _BYLINE.match(after) and len(after.split()) <= _LONGEST_BYLINE and not ends_sentence(after):
        return False
    broken_off = width and not ends_sentence(line) and len(line) + 1 + len(after.split(" ", 1)[0]) > width
    if _BULLET.match(after) or (_NUMBERED.match(after) and not broken_off):
        return False
    lower = after[:1].islower()
    if not width:
        # Nothing was wrapped; still, a line that breaks off before a small letter goes on (but not in a byline).
        if _SMALL_BYLINE.match(after):
            return False
        return (
            lower
            and not ends_sentence(line)
            and len(line) < _WIDEST
            and (headline or len(after) >= _NARROWEST or ends_sentence(after))  # not the items of a menu
            and len(after.split()) > 1
            and not _is_small(line)
        )
    if (_UNSPACED.search(line[-1:]) or line[-1:] in _WIDE_SIGNS) and _UNSPACED.search(after[:1]):
        return len(line) >= width - 2 and not (headline and len(after) >= width - 2)
    if headline and not lower and len(after) > 0.8 * width:
        return False  # the tail of a wrapped headline is short: this is the paragraph below it
    first_word = after.split(" ", 1)[0]
    if len(line) + 1 + len(first_word) > width:
        return len(line) <= width + 2
    # Some programs wrap a little short of their limit.
    return lower and not ends_sentence(line) and len(line) >= 0.7 * width


def _one_line(lines: Sequence[str]) -> str:
    text = lines[0]
    for line in lines[1:]:
        unspaced = _UNSPACED.search(text[-1:]) and _UNSPACED.search(line[:1])
        text += line if unspaced else f" {line}"
    return text


def _is_verse(blocks: Sequence[Sequence[str]]) -> bool:
    """Whether the text opens with stanzas: blocks of several short lines that mostly do not end as sentences, with
    little else between them. (Lists of links at the end of a page look the same; but prose stands before them.)"""
    stanzas = [number for number, block in enumerate(blocks) if number and _is_stanza(block)]
    if not stanzas:
        return False
    lines = [line for number in stanzas for line in blocks[number]]
    before = [
        line
        for number, block in enumerate(blocks[: stanzas[-1]])
        for line in block
        if number and number not in stanzas and words_in(line) >= _WORDS_OF_PROSE
    ]
    return len(lines) > _FEW and sum(map(len, lines)) > 2 * sum(map(len, before))


def _is_stanza(block: Sequence[str]) -> bool:
    if len(block) < 2 or any(len(line) > _SHORT_VERSE or _YEAR.search(line) for line in block):
        return False
    open_ended = sum(1 for line in block[:-1] if not ends_sentence(line))
    return open_ended * 2 > len(block) - 1 and sum(map(words_in, block)) >= 3 * len(block)


def _opens_item(line: str) -> bool:
    return bool(_BULLET.match(line) or _NUMBERED.match(line))


def _is_small(line: str) -> bool:
    return words_in(line) < 2
