"""The paragraphs of a page below its header -> what each is by form and voice; its place is weighed later. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from newsletter.collect.captions import captions_among
from newsletter.collect.dump_paragraphs import Paragraph, ends_sentence, words_in
from newsletter.collect.published_line import read_date_line
from newsletter.collect.site_voice import (
    LIKELY,
    PLAIN,
    READER,
    addresses_reader,
    heads_comments,
    heads_other_stories,
    heads_pointers,
    is_advertisement_mark,
    is_button,
    is_closing,
    is_pointer,
    is_prose,
    voice_of,
)

_FIRST = 3
_LOOKED_AT = 400  # paragraphs that may show what a story is about
_MOST_POINTERS = 3
_FEWEST_LINKS, _LONGEST_LINK = 3, 8
ADDRESS = re.compile(r"\S+@\S+\.\S+|(?:^|\s)@\w{3,}|https?://\S+|\bwww\.\S+")


class Shape(Enum):
    """What a paragraph is, before its place is weighed."""

    PROSE = auto()
    STANZA = auto()
    ITEM = auto()
    LABEL = auto()
    SITE = auto()  # the site speaks, or one of its buttons
    MARK = auto()  # of an advertisement, a pointer, a caption, a date: goes wherever it stands
    OTHERS = auto()  # heads other stories
    COMMENTS = auto()  # heads readers' comments


STORY = frozenset({Shape.PROSE, Shape.STANZA})


def shapes_of(paragraphs: Sequence[Paragraph], topics: frozenset[str], zone: str) -> list[Shape]:
    """What each paragraph is; ``topics`` are notions of sites the story itself is about."""
    texts = [one.text if not one.verse else "" for one in paragraphs]
    captions = captions_among(texts, within_story=True)
    shapes = [
        Shape.MARK if position in captions else _shape(one, topics, zone) for position, one in enumerate(paragraphs)
    ]
    for position, text in enumerate(texts):
        if heads_pointers(text):
            shapes[position] = Shape.MARK
            for at in range(position + 1, min(position + 1 + _MOST_POINTERS, len(shapes))):
                if shapes[at] not in {Shape.LABEL, Shape.ITEM} or words_in(texts[at]) < 3:
                    break
                shapes[at] = Shape.MARK
    for position in range(1, len(shapes) - 1):
        if shapes[position] is Shape.SITE and _could_be_subheading(texts, shapes, position, topics):
            shapes[position] = Shape.LABEL
    return shapes


def _could_be_subheading(texts: Sequence[str], shapes: Sequence[Shape], position: int, topics: frozenset[str]) -> bool:
    """Whether what might be a button stands as a subheading does: some words between paragraphs, asking for nothing."""
    voice = voice_of(texts[position])
    if words_in(texts[position]) < 3 or voice.manner or len(voice.concepts) > 1 or ends_sentence(texts[position]):
        return False
    before, after = texts[position - 1], texts[position + 1]
    return all(
        shapes[at] is Shape.PROSE and words_in(text) >= 8 and voice_of(text).strength(topics) < PLAIN
        for at, text in ((position - 1, before), (position + 1, after))
    )


def _shape(one: Paragraph, topics: frozenset[str], zone: str) -> Shape:
    text = one.text
    if is_advertisement_mark(text) or is_pointer(text) or _is_contact(text):
        return Shape.MARK
    if one.verse:
        links = any(is_button(line, topics) or heads_other_stories(line, topics) for line in one.lines)
        return Shape.SITE if links or voice_of(text).strength(topics) >= PLAIN else Shape.STANZA
    if _is_link_row(text):
        return Shape.SITE
    if heads_comments(text, topics):
        return Shape.COMMENTS
    if heads_other_stories(text, topics):
        return Shape.OTHERS
    if is_button(text, topics):
        return Shape.SITE
    if is_closing(text):
        return Shape.PROSE if voice_of(text).strength(topics) < LIKELY else Shape.SITE
    if voice_of(text).strength(topics) >= PLAIN:
        return Shape.SITE
    if not is_prose(text):
        dated = read_date_line(text, zone)
        if dated is not None and dated.labelled:
            return Shape.MARK
    if one.bullet:
        return Shape.ITEM
    return Shape.PROSE if is_prose(text) else Shape.LABEL


def _is_link_row(text: str) -> bool:
    """Whether ``text`` is a row of links: "Contact us | Advertise | Terms"."""
    parts = text.split(" | ")
    return (
        len(parts) >= _FEWEST_LINKS
        and all(words_in(part) <= _LONGEST_LINK for part in parts)
        and not ends_sentence(text)
    )


def recurring_topics(paragraphs: Sequence[Paragraph]) -> frozenset[str]:
    """Notions of sites that the first narrative paragraphs keep coming back to, in nobody's voice."""
    seen: list[str] = []
    told = 0
    none = frozenset[str]()
    for one in paragraphs[:_LOOKED_AT]:
        if is_button(one.text, none) or heads_comments(one.text, none) or heads_other_stories(one.text, none):
            break
        voice = voice_of(one.text)
        if is_pointer(one.text) or (voice.to_reader and voice.strength() >= LIKELY):
            continue
        if is_prose(one.text) and told < _FIRST and not voice.concepts:
            told += 1
            seen.extend([READER, READER] if addresses_reader(one.text) else [])
        if (
            words_in(one.text) >= 8
            and voice.manner <= 1
            and len(voice.concepts) <= 3
            and "rights" not in voice.concepts
        ):
            seen.extend(voice.concepts)
    return frozenset(concept for concept in seen if seen.count(concept) >= 2)


def is_loose(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape]) -> bool:
    """Whether the story itself is made of lines that are no sentences: a poem, a table, a list of results."""
    first_site = next(
        (n for n, shape in enumerate(shapes) if shape in {Shape.SITE, Shape.OTHERS, Shape.COMMENTS}), None
    )
    own = range(first_site or len(shapes))
    prose = sum(words_in(paragraphs[n].text) for n in own if shapes[n] in STORY)
    labels = sum(words_in(paragraphs[n].text) for n in own if shapes[n] is Shape.LABEL)
    return labels > 8 and labels > prose


def _is_contact(text: str) -> bool:
    """Whether ``text`` is little more than an address, a handle or a link."""
    if len(text) > 300 or not ADDRESS.search(text):
        return False
    return words_in(ADDRESS.sub(" ", text)) <= 8 and not ends_sentence(text)
