"""What recurs on several pages of one source is the site's, no story's: paragraphs in, those that recur out. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

# A paragraph is the site's on this many pages, and this share of them; fewer may be versions of one story.
FEWEST_PAGES = 3
_SHARE = 0.2

_DIGITS = re.compile(r"\d+")
_SIGNS = re.compile(r"[\W_]+")


def normalised(paragraph: str) -> str:
    """``paragraph`` as it is compared: without case, signs and white space, every number alike."""
    return _SIGNS.sub(" ", _DIGITS.sub("0", paragraph.casefold()[:1_000])).strip()


def repeated_paragraphs(pages: Iterable[Sequence[str]]) -> frozenset[str]:
    """The normalised paragraphs that recur on several pages of one source; each page is its paragraphs, headline first.

    Pages with the same headline are versions of one story and count once. Nothing recurs on fewer than three pages.
    """
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for page in pages:
        headline = " ".join(page[0].casefold().split()) if page else ""
        if not headline or headline in seen:
            continue
        seen.add(headline)
        counts.update({one for paragraph in page[1:] if (one := normalised(paragraph))})
    enough = max(FEWEST_PAGES, int(len(seen) * _SHARE))
    return frozenset(paragraph for paragraph, count in counts.items() if count >= enough)
