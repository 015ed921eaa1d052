"""Text from outside made fit to store: no control characters, bounded, HTML turned into paragraphs."""

from __future__ import annotations

import re
from html import unescape

# Controls (PostgreSQL refuses NUL), lone surrogates (no UTF-8 for them), and overrides that reorder what follows.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\ufeff\ufffe\uffff]")
_PICTURES = re.compile(r"<figure\b.*?</figure>", re.DOTALL)
_BREAKS = re.compile(r"<br\b[^>]*>")
_BLOCK_ENDS = re.compile(r"</(?:p|h[1-6]|li|blockquote|pre|tr|table|ul|ol|div)>|<hr\b[^>]*>")
_TAGS = re.compile(r"<[^>]*>")
_SENTENCE = re.compile(r"(.+?[.!?…。！？])(?:\s|$)")


def clean(text: str) -> str:
    """``text`` without characters that no reader should get."""
    return _UNWANTED.sub("", text)


def one_line(text: str, limit: int) -> str:
    """``text`` on one line of at most ``limit`` characters, cut at a word and marked where cut."""
    line = " ".join(clean(text).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:-–—") + "…"


def paragraphs(html: str) -> str:
    """Sanitised HTML as plain paragraphs with an empty line between them; pictures and their captions left out."""
    text = _PICTURES.sub("", html)
    text = _BREAKS.sub("\n", " ".join(text.split()))
    text = unescape(_TAGS.sub("", _BLOCK_ENDS.sub("\n\n", text)))
    lines = (" ".join(line.split()) for line in clean(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def first_sentence(text: str, limit: int) -> str:
    """How ``text`` begins, fit to be a headline where there is none."""
    line = one_line(text, 2 * limit)
    match = _SENTENCE.match(line)
    return one_line(match[1] if match else line, limit)
