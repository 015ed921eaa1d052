"""The paragraphs of a page below its header -> those of the story. Pure; no site's sentences are known here.

Three things decide: the shape of a paragraph (sentence, label, item), its voice (``site_voice``), and where it stands.
A page ends after the story: what follows the last narrative paragraph goes unless it clearly belongs (a closing credit,
a correction, the last items of a list, a signature as other letters had). Within the story only what is plain goes:
pointers to other stories, advertisement marks, captions, boxes in which the site speaks. A doubtful paragraph stays
between narrative ones, and goes after the last of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.collect.dump_page import authors_box, tells_of
from newsletter.collect.dump_paragraphs import Paragraph, ends_sentence, is_numbered, words_in
from newsletter.collect.dump_shapes import ADDRESS, STORY, Shape, is_loose, recurring_topics, shapes_of
from newsletter.collect.site_voice import LIKELY, READER, addresses_reader, is_label, is_prose, topics_of, voice_of
from newsletter.collect.site_words import OF_SITE

_FARTHEST = 400  # paragraphs in which a story may go on after the site's words
_FEW_WORDS = 5
_SURELY_SHARED, _SURELY_BELOW, _MOST_LOOKED = 2, 3, 6
_LONGEST_NAME = 3
_SENTENCE = 18
_ISOLATED = 4  # between narrative paragraphs, the site must be plainer still
_OPENING_QUOTES = '“«„"‘「—'
_TELLING_WORD = re.compile(r"[^\W\d_]{5,}|[\u3040-\u30ff\u3400-\u9fff]{2}")
_REACHES = re.compile(
    r"\b(?:reach|contact|e-?mail|follow|write to|call)(?:ed)? (?:him|her|them|me|us|the (?:author|writer|reporter)|"
    r"(?:reporter |editor )?[A-Z]\w+ [A-Z]\w+)\b",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"[-–—]{1,2}\s?\S")
_BYLINE_END = re.compile(
    r"^(?:[-–—(]{0,2}\s?)(?:PTI|ANI|IANS|UNI|AP|AFP|Reuters|REUTERS|dpa|EFE|ANSA|TASS|Xinhua|Kyodo|Bloomberg|Lusa|"
    r"APP|PA Media|Agencies)(?:\s?[/,]\s?\w+)*[)]?$"
)


_TITLES = {Shape.LABEL, Shape.ITEM, Shape.MARK, Shape.SITE}
_ENDS = {Shape.COMMENTS, Shape.OTHERS, Shape.SITE}


def story_of(
    paragraphs: Sequence[Paragraph], *, about: Sequence[str], authors: Sequence[str] = (), zone: str = "UTC"
) -> list[Paragraph]:
    """The paragraphs that belong to the story; ``about`` are its headline and standfirst."""
    paragraphs = paragraphs[: authors_box(paragraphs, authors)]
    topics = topics_of(about) | recurring_topics(paragraphs)
    shapes = shapes_of(paragraphs, topics, zone)
    if is_loose(paragraphs, shapes):
        shapes = [Shape.STANZA if shape is Shape.LABEL else shape for shape in shapes]
    end = _end(paragraphs, shapes, topics, about)
    kept = _within(paragraphs[:end], shapes[:end], topics)
    kept = _without_tail(paragraphs, shapes, kept, topics)
    # Who the author is stays where it closes the story, and goes where it stands apart from it.
    while len(kept) > 1 and kept[-2] != kept[-1] - 1 and tells_of(paragraphs[kept[-1]].text, authors):
        kept = _without_tail(paragraphs, shapes, kept[:-1], topics)
    return [paragraphs[position] for position in kept]


def is_subheading(paragraphs: Sequence[Paragraph], position: int) -> bool:
    """Whether the paragraph at ``position`` of a story heads what follows it."""
    one = paragraphs[position]
    between = 0 < position < len(paragraphs) - 1
    if not between or one.bullet or one.verse or not is_label(one.text) or words_in(one.text) > 10:
        return False
    before, after = paragraphs[position - 1], paragraphs[position + 1]
    return is_prose(before.text) and is_prose(after.text) and words_in(after.text) > words_in(one.text)


def _end(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], topics: frozenset[str], about: Sequence[str]) -> int:
    """Where the story has ended for certain: at its comments, at lists of other stories, at what a site closes with."""
    told = 0
    for position, shape in enumerate(shapes):
        if shape in STORY or shape is Shape.ITEM:
            told += words_in(paragraphs[position].text)
        elif told and shape in _ENDS and not _resumes(paragraphs, shapes, position, topics, about):
            return position
    return len(shapes)


def _resumes(
    paragraphs: Sequence[Paragraph],
    shapes: Sequence[Shape],
    position: int,
    topics: frozenset[str],
    about: Sequence[str],
) -> bool:
    """Whether the story goes on after the site's words at ``position``: narrative that is not that of other stories."""
    if shapes[position] is Shape.SITE and is_prose(paragraphs[position].text) and position + 1 < len(shapes):
        # One sentence that sounds like the site ends nothing if the story plainly follows.
        after = paragraphs[position + 1].text
        if shapes[position + 1] in STORY and words_in(after) >= 4 and not voice_of(after).strength(topics):
            return True
    if shapes[position] is Shape.COMMENTS:
        return _goes_on_below_rules(paragraphs, shapes, position, topics, about)
    others = False
    for at in range(position, min(len(shapes), position + _FARTHEST)):
        shape = shapes[at]
        if shape is Shape.COMMENTS:
            return _goes_on_below_rules(paragraphs, shapes, at, topics, about)
        others = others or shape is Shape.OTHERS
        if shape not in STORY or voice_of(paragraphs[at].text).strength(topics) >= LIKELY:
            continue
        run = _run(paragraphs, shapes, at, topics)
        if run >= 2 and not (others and _teasers(shapes, at)):
            return True
        shared = 0 if others and _teasers(shapes, at) else _shared_words(paragraphs, shapes, position, at, about)
        if shared >= (1 if paragraphs[at].text[:1] in _OPENING_QUOTES else 3):  # nobody is quoted in a teaser
            return True
        # A list of titles without their first sentences, then one of the story's before the next such list.
        titles = sum(1 for shape in shapes[position:at] if shape in {Shape.LABEL, Shape.ITEM})
        if shared and titles >= 2 and run == 1 and shapes[at + 1 : at + 2] and shapes[at + 1] not in STORY:
            return True
        if (
            not others
            and shapes[at - 1] is not Shape.LABEL
            and at - position <= 2
            and run == 1
            and at + 1 == len(shapes)
        ):
            return words_in(paragraphs[at].text) >= 8
    return False


def _goes_on_below_rules(
    paragraphs: Sequence[Paragraph],
    shapes: Sequence[Shape],
    position: int,
    topics: frozenset[str],
    about: Sequence[str],
) -> bool:
    """Whether the story goes on below a heading of comments and the site's rules for them, without any comment.

    A comment has a name or a date over it; the story's next paragraphs stand one below the other.
    """
    at = position + 1
    while at < len(shapes) and shapes[at] in {Shape.SITE, Shape.COMMENTS, Shape.MARK}:
        at += 1
    heads = at < len(shapes) and shapes[at] is Shape.LABEL and words_in(paragraphs[at].text) > _LONGEST_NAME
    at += heads
    if at == position + 1 + heads or _run(paragraphs, shapes, at, topics) < 1 + heads:
        return False
    below = [one for one in range(at, min(at + _MOST_LOOKED, len(shapes))) if shapes[one] in STORY]
    shared = sum(_shared_words(paragraphs, shapes, position, one, about) for one in below)
    return len(below) >= _SURELY_BELOW or (shared >= 1 and len(below) > 1) or shared >= _SURELY_SHARED


def _run(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], at: int, topics: frozenset[str]) -> int:
    """How many narrative paragraphs follow one another from ``at`` on."""
    run = 0
    for shape, one in zip(shapes[at : at + 4], paragraphs[at : at + 4], strict=True):
        if shape not in STORY or voice_of(one.text).strength(topics) >= LIKELY:
            break
        run += 1
    return run


def _teasers(shapes: Sequence[Shape], at: int) -> bool:
    """Whether from ``at`` on titles and single sentences take turns, as where a page lists other stories."""
    pairs, position = 0, at
    while position < len(shapes) and shapes[position] is Shape.PROSE and shapes[position - 1] is Shape.LABEL:
        pairs += 1
        position += 2
    return pairs >= 2


def _shared_words(
    paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], position: int, at: int, about: Sequence[str]
) -> int:
    """How many names and long words the paragraph at ``at`` shares with the story before ``position``."""
    before = " ".join(
        [*about, *(one.text for one, s in zip(paragraphs[:position], shapes, strict=False) if s in STORY)]
    )
    known = _telling(before[-20_000:])
    return len(_telling(paragraphs[at].text) & known)


def _telling(text: str) -> set[str]:
    return {word.casefold() for word in _TELLING_WORD.findall(text) if len(word) >= 6 or not word.islower()}


def _within(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], topics: frozenset[str]) -> list[int]:
    """Positions that stay of a story whose end is known; ``shapes`` may still call a narrative paragraph the site's."""
    kept: list[int] = []
    of_site = _site_lists(paragraphs, shapes, topics)
    position = 0
    while position < len(shapes):
        shape = shapes[position]
        if shape is Shape.OTHERS:  # with the titles under it
            position += 1
            while position < len(shapes) and (
                shapes[position] in _TITLES or _is_title_asking(paragraphs, shapes, position)
            ):
                position += 1
            continue
        if shape in STORY or (shape is Shape.LABEL and not _among_site(shapes, position)):
            if shape is not Shape.PROSE or not (
                _site_nearby(paragraphs, shapes, position, topics) or _in_box(paragraphs, shapes, position, topics)
            ):
                kept.append(position)
        elif (shape is Shape.ITEM and position not in of_site) or (
            shape is Shape.SITE and _is_isolated(paragraphs, shapes, position, topics)
        ):
            kept.append(position)
        position += 1
    return _without_link_runs(paragraphs, shapes, kept)


def _among_site(shapes: Sequence[Shape], position: int) -> bool:
    """Whether a label stands in one of the site's boxes: next to its words, with no narrative beside it."""
    before = shapes[position - 1] if position else None
    after = shapes[position + 1] if position + 1 < len(shapes) else None
    return Shape.SITE in {before, after} and not (before in STORY and after in STORY)


def _is_title_asking(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], position: int) -> bool:
    """Whether a question stands among titles of other stories, as one of them."""
    text = paragraphs[position].text
    among = shapes[position - 1] in _TITLES and position + 1 < len(shapes) and shapes[position + 1] in _TITLES
    return among and text.endswith("?") and words_in(text) <= 14


def _in_box(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], position: int, topics: frozenset[str]) -> bool:
    """Whether a line stands in one of the site's boxes: long and no sentence between its words, or a sentence below
    them to the reader, or a short question over them."""
    text = paragraphs[position].text
    if text.rstrip().endswith((":", "：")) or not 0 < position < len(shapes) - 1:
        return False
    before, after = shapes[position - 1], shapes[position + 1]
    if text.endswith("?") and words_in(text) <= _FEW_WORDS:  # "Enjoying this story?"
        return after is Shape.SITE
    if ends_sentence(text):
        at = position - 1
        while at > 0 and shapes[at] is Shape.LABEL:
            at -= 1
        return (
            shapes[at] is Shape.SITE and addresses_reader(text) and READER not in topics and words_in(text) <= _SENTENCE
        )
    return before is Shape.SITE and after is Shape.SITE


def _site_nearby(
    paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], position: int, topics: frozenset[str]
) -> bool:
    """Whether a sentence that may be the site's stands next to what is the site's."""
    if voice_of(paragraphs[position].text).strength(topics) < LIKELY:
        return False
    return Shape.SITE in shapes[max(0, position - 1) : position + 2]


def _is_isolated(
    paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], position: int, topics: frozenset[str]
) -> bool:
    """Whether what sounds like the site is one sentence between narrative ones, and not quite plain."""
    text = paragraphs[position].text
    around = [shapes[at] for at in (position - 1, position + 1) if 0 <= at < len(shapes)]
    if not ends_sentence(text) or len(around) < 2 or any(shape not in STORY for shape in around):
        return False
    voice = voice_of(text)
    return voice.strength(topics) < _ISOLATED and words_in(text) >= 10


def _site_lists(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], topics: frozenset[str]) -> set[int]:
    """Positions of the items of the site's lists: some of their items, or what introduces them, are in its voice."""
    found: set[int] = set()
    start = 0
    while start < len(shapes):
        end = start
        while end < len(shapes) and paragraphs[end].bullet and shapes[end] in {Shape.ITEM, Shape.SITE, Shape.PROSE}:
            end += 1
        items = range(start, end)
        introduced = start > 0 and shapes[start - 1] in {Shape.SITE, Shape.OTHERS}
        spoken = sum(1 for at in items if voice_of(paragraphs[at].text).strength(topics) >= LIKELY)
        if items and (introduced or spoken * 3 >= len(items)):
            found.update(items)
        start = max(end, start + 1)
    return found


def _without_link_runs(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], kept: list[int]) -> list[int]:
    """``kept`` without runs of three or more titles in a row, as a list of links leaves them."""
    found: list[int] = []
    run: list[int] = []
    for position in [*kept, -1]:
        linked = position >= 0 and shapes[position] is Shape.LABEL and _could_be_title(paragraphs[position].text)
        if linked and (not run or run[-1] == position - 1):
            run.append(position)
            continue
        introduced = bool(run) and found and paragraphs[found[-1]].text.rstrip().endswith((":", "："))
        if len(run) < 3 or introduced:
            found.extend(run)
        run = [position] if linked else []
        if position >= 0 and not linked:
            found.append(position)
    return found


def _could_be_title(text: str) -> bool:
    return words_in(text) >= 5 and not is_numbered(text) and not text[:1].isdigit()


def _without_tail(
    paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], kept: list[int], topics: frozenset[str]
) -> list[int]:
    """``kept`` up to the last paragraph that is the story's: labels and doubtful sentences after it go."""
    told = max((n for n in kept if shapes[n] in STORY and not paragraphs[n].text.endswith((":", "："))), default=0)
    signed = [n for n in kept if n < told and shapes[n] is Shape.LABEL and _is_signature(paragraphs[n].text)]
    kept = list(kept)
    while kept:
        last = kept[-1]
        text = paragraphs[last].text
        if shapes[last] is Shape.STANZA:
            break
        if shapes[last] is Shape.ITEM and (ends_sentence(text) or _list_belongs(paragraphs, shapes, kept)):
            break
        opens = text.rstrip().endswith((":", "：")) or _is_motto(text)  # what it led up to has gone
        if shapes[last] is Shape.PROSE and not opens and not _BYLINE_END.match(text) and not _tells_address(text):
            voice = voice_of(text)
            strength = voice.strength(topics)
            if last + 1 < len(shapes) and len(voice.concepts) >= 2 and voice.manner and not voice.personal:
                strength = LIKELY  # the site's, even in a story about such things: more of the page follows
            gap = len(kept) > 1 and any(shapes[n] is Shape.SITE for n in range(kept[-2] + 1, last))
            asks = text.endswith("?") and addresses_reader(text) and READER not in topics
            asks = asks and Shape.SITE in shapes[last + 1 : last + 2]  # "Would you like the news in your inbox?"
            if strength < LIKELY and not (gap and strength) and not asks:
                break
        closes = (bool(signed) and _is_signature(text)) or (_SIGNATURE.match(text) and not _BYLINE_END.match(text))
        beside = len(kept) > 1 and kept[-2] == last - 1 and shapes[last - 1] in STORY
        if shapes[last] is Shape.LABEL and closes and beside:
            break
        kept.pop()
        while shapes[last] is Shape.ITEM and kept and shapes[kept[-1]] is Shape.ITEM:
            if ends_sentence(paragraphs[kept[-1]].text):
                break
            kept.pop()  # the whole list goes
    return kept


def _is_motto(text: str) -> bool:
    """Whether ``text`` is a title in which the paper speaks of itself: "Our Standards: …"."""
    long = [word for word in text.split() if len(word) > 3]
    return words_in(text) <= 10 and bool(OF_SITE.search(text)) and not any(word[:1].islower() for word in long)


def _is_signature(text: str) -> bool:
    words = text.split()
    if text.isupper() or ":" in text or "：" in text:
        return False
    return len(words) <= 7 and not any(word[:1].islower() for word in words if len(word) > 3) and not is_numbered(text)


def _list_belongs(paragraphs: Sequence[Paragraph], shapes: Sequence[Shape], kept: Sequence[int]) -> bool:
    """Whether the list that ``kept`` ends with belongs to the story: a narrative paragraph leads up to it."""
    position = len(kept) - 1
    while position >= 0 and shapes[kept[position]] is Shape.ITEM:
        position -= 1
    return position >= 0 and any(shapes[kept[at]] in STORY for at in (position, max(position - 1, 0)))


def _tells_address(text: str) -> bool:
    """Whether ``text`` says how its author is reached."""
    return len(text) <= 600 and bool(ADDRESS.search(text)) and bool(_REACHES.search(text))
