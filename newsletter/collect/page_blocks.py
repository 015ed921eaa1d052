"""The blocks that were extracted from a page -> those that are the story: block by block, by structure. Pure decisions.

Dropped are: what repeats the headline, standfirst, byline or a caption; lines that are only a link elsewhere; a pull
quote or paragraph that was there before; boilerplate after the last paragraph; what the source's own patterns match;
and, where the page carries its ``articleBody``, paragraphs that are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from lxml.html import HtmlElement

from newsletter.collect.html_tree import text_of
from newsletter.collect.page_headline import plain_key
from newsletter.collect.published_line import read_date_line
from newsletter.collect.stated_times import read_time
from newsletter.model import Picture

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_MARK = "\ue000"
_INTRODUCES = re.compile(r"(?:^|[:\uff1a|»>→–—-])\s*$")
_SENTENCE = re.compile(r"[.!?…]\s+\w|[。！？।۔؟]")
_SHORT = 120
_LONG_ENOUGH_TO_TELL = 40
_COVERED = 0.75


@dataclass(frozen=True, slots=True)
class Known:
    """What a story's page says elsewhere, so that it need not be in the body as well."""

    headline: str = ""
    standfirst: str = ""
    authors: tuple[str, ...] = ()
    section: str = ""
    dateline: str = ""
    language: str = ""
    captions: frozenset[str] = frozenset()
    structured_body: str = ""

    def with_captions(self, pictures: Iterable[Picture]) -> Known:
        """The same, with the words that stand at ``pictures``."""
        words = {key for one in pictures for text in _captions(one) if len(key := plain_key(text)) > 8}
        return replace(self, captions=self.captions | words)

    def repeats(self, text: str) -> bool:
        """Whether a whole block says only what the headline, standfirst or a caption says."""
        key = plain_key(text)
        return key in {plain_key(self.headline), plain_key(self.standfirst)} - {""} or key in self.captions


def story_blocks(blocks: Sequence[HtmlElement], known: Known, ignored: Callable[[str], bool]) -> list[HtmlElement]:
    """Those of ``blocks`` that are the story, in order; ``ignored`` says whether a paragraph is none of it."""
    _drop_items(blocks, ignored)
    kept = [block for block in blocks if _has_mark(block) or not _is_noise(block, known, ignored)]
    kept = _without_opening(kept, known)
    kept = _without_repeats(kept)
    kept = _in_structured_body(kept, known.structured_body)
    kept = _without_ending(kept)
    return _without_lone_headings(kept)


def _captions(picture: Picture) -> tuple[str, ...]:
    return picture.caption, picture.credit, f"{picture.caption} {picture.credit}", picture.alt


def _has_mark(block: HtmlElement) -> bool:
    return _MARK in "".join(map(str, block.itertext()))


def _is_noise(block: HtmlElement, known: Known, ignored: Callable[[str], bool]) -> bool:
    text = text_of(block)
    if not any(character.isalnum() for character in text):
        return True
    if known.repeats(text) or (block.tag not in {"ul", "ol"} and ignored(text)):
        return True
    return _is_pointer(block, text)


def _is_pointer(block: HtmlElement, text: str) -> bool:
    """Whether a block only points elsewhere: "Also read: …", with the link last and a colon or nothing before it."""
    links = list(block.iter("a"))
    if not links or block.tag in {"blockquote", "table", "pre"}:
        return False
    linked = "".join(text_of(link) for link in links)
    if block.tag in {"ul", "ol"}:
        return len(linked) >= 0.7 * len(text)
    last = links[-1]
    if len(linked) < 0.25 * len(text) or any(character.isalnum() for character in last.tail or ""):
        return False
    before = text.replace(text_of(last), "") if len(links) == 1 else text[: text.find(text_of(links[0]))]
    return len(before) < 60 and _INTRODUCES.search(before.rstrip(" .")) is not None


def _without_opening(blocks: list[HtmlElement], known: Known) -> list[HtmlElement]:
    """Without byline, date and section lines over the first paragraph."""
    start = [block for block in blocks[:6] if _has_mark(block)]
    position = 0
    while position < len(blocks):
        block = blocks[position]
        if not _has_mark(block) and not _is_about(text_of(block), known):
            break
        position += 1
    kept = [block for block in blocks[:position] if _has_mark(block)]
    return kept + blocks[position:] if start or position else blocks


def _is_about(text: str, known: Known) -> bool:
    """Whether a line at the top says who, when or where in the paper, and nothing else."""
    if len(text) > _SHORT:
        return False
    rest = text
    for name in known.authors:
        rest = re.sub(re.escape(name), " ", rest, flags=re.IGNORECASE)
    if rest != text and len(plain_key(rest)) <= 40 and not _SENTENCE.search(rest):
        return True
    if plain_key(text) in {plain_key(known.section), plain_key(known.dateline)} - {""}:
        return True
    if read_date_line(text, "UTC", known.language) is not None:  # "Von Eva Groß 14. März 2024, 13:15 Uhr"
        return True
    words = plain_key(re.sub(r"\d+", "", text))
    if len(words) > 50 or words == plain_key(text) or _SENTENCE.search(text):
        return False
    return read_time(text, zone="UTC", language=known.language) is not None


def _without_repeats(blocks: list[HtmlElement]) -> list[HtmlElement]:
    """Each paragraph once, and no pull quote of what a paragraph says."""
    said = [plain_key(text_of(block)) for block in blocks]
    kept: list[HtmlElement] = []
    seen: set[str] = set()
    for number, (block, key) in enumerate(zip(blocks, said, strict=True)):
        if _has_mark(block) or len(key) < _LONG_ENOUGH_TO_TELL:
            kept.append(block)
            continue
        pulled = block.tag in {"blockquote", "h2", "h3"} and any(
            key in other for place, other in enumerate(said) if place != number and len(other) > len(key)
        )
        if key not in seen and not pulled:
            kept.append(block)
        seen.add(key)
    return kept


def _in_structured_body(blocks: list[HtmlElement], body: str) -> list[HtmlElement]:
    """Paragraphs that the page's ``articleBody`` has, if that is the whole story rather than its beginning."""
    whole = plain_key(body)
    if not whole:
        return blocks
    keys = [plain_key(text_of(block)) for block in blocks]
    inside = [key[:80] in whole for key in keys]
    if sum(len(key) for key, found in zip(keys, inside, strict=True) if found) < _COVERED * sum(map(len, keys)):
        return blocks
    return [
        block
        for block, found, key in zip(blocks, inside, keys, strict=True)
        if found or block.tag != "p" or _has_mark(block) or len(key) < 12
    ]


def _without_ending(blocks: list[HtmlElement]) -> list[HtmlElement]:
    """Without what stands after the last paragraph: headings, link lists, set-apart lines that lead elsewhere."""
    end = len(blocks)
    while end > 1 and not _has_mark(blocks[end - 1]):
        block, text = blocks[end - 1], text_of(blocks[end - 1])
        linked = sum(len(text_of(link)) for link in block.iter("a"))
        apart = _wholly(block, {"em", "i", "small", "strong", "b"}, text)
        if not (block.tag in _HEADINGS or (linked and (apart or linked >= 0.4 * len(text)))):
            break
        end -= 1
    return blocks[:end]


def _wholly(block: HtmlElement, tags: set[str], text: str) -> bool:
    """Whether all words of a block are set in one of ``tags``."""
    inner = sum(len(text_of(part)) for part in block if isinstance(part.tag, str) and part.tag in tags | {"a"})
    return any(part.tag in tags for part in block) and inner >= 0.95 * len(text)


def _without_lone_headings(blocks: list[HtmlElement]) -> list[HtmlElement]:
    """Without headings that nothing stands under any more."""
    kept: list[HtmlElement] = []
    for block in blocks:
        while kept and kept[-1].tag in _HEADINGS and block.tag in _HEADINGS and block.tag <= kept[-1].tag:
            kept.pop()
        kept.append(block)
    while kept and kept[-1].tag in _HEADINGS:
        kept.pop()
    return kept


def _drop_items(blocks: Sequence[HtmlElement], ignored: Callable[[str], bool]) -> None:
    """Take list items out that are none of the story."""
    for block in blocks:
        if block.tag in {"ul", "ol"}:
            for item in list(block):
                if ignored(text_of(item)):
                    block.remove(item)
