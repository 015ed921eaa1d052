"""What those may read of an article who may not read its body: words in, a teaser out. Pure."""

from __future__ import annotations

import re

from newsletter.collect.plain_text import one_line

MAX_TEASER = 1_200
# Where a language puts no spaces between words, two characters stand for one.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s)|[。！？।۔؟][」』”’»)\]]*")
# A sentence that ends earlier than this share of what is allowed would make too poor a teaser.
_FAIR_SHARE = 0.5


def teaser_of(standfirst: str, body_text: str, words: int) -> str:
    """The standfirst; where there is none the first ``words`` words of the body, cut at a sentence or a word.

    What was cut ends with "…"; a body that is no longer than ``words`` is given whole. One line, '' for no text.
    """
    if standfirst.strip():
        return one_line(standfirst, MAX_TEASER)
    text = " ".join(body_text[: 60 * max(words, 1)].split())
    end = _end_of(text, words)
    if end >= len(text):
        return one_line(text, MAX_TEASER) if len(text) <= MAX_TEASER else _cut(text, MAX_TEASER)
    return _cut(text, min(end, MAX_TEASER))


def _end_of(text: str, words: int) -> int:
    """Where the word number ``words`` of ``text`` ends."""
    budget = 2 * words  # half words: a spaced word is two, an unspaced character one
    position = 0
    for word in text.split(" "):
        unspaced = len(_UNSPACED.findall(word))
        cost = max(2, unspaced)
        if cost > budget:
            return position + budget if unspaced > 2 else max(position - 1, 0)
        budget -= cost
        position += len(word) + 1
    return len(text)


def _cut(text: str, end: int) -> str:
    """``text`` up to ``end`` or the last sentence before it, with a mark that more was there."""
    head = text[:end]
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, min(end + 1, len(text)))]
    if ends and ends[-1] >= _FAIR_SHARE * end:
        return f"{text[: ends[-1]].rstrip()} …"
    return head.rstrip(" ,;:-–—") + "…"
