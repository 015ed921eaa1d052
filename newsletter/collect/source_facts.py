"""What a source's configuration says of each of its articles: made once for a visit, handed to every reader.

It goes to the worker processes (``parsing``), so it is plain data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from newsletter.config.models import Source


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """``source`` is its name. ``section`` and ``language`` stand in where an article names none.

    ``zone`` says where times hang that name no zone, and what letters such as IST mean. ``ignore`` are regular
    expressions of paragraphs that belong to no story. ``teaser_words`` is for stories without a standfirst.
    """

    source: str
    section: str = ""
    language: str = ""
    zone: str = "UTC"
    ignore: tuple[str, ...] = ()
    teaser_words: int = 40

    def ignores(self, paragraph: str) -> bool:
        """Whether one of the ``ignore`` patterns is found in ``paragraph``, so that it belongs to no story."""
        return any(re.search(pattern, paragraph) for pattern in self.ignore)


def source_facts(name: str, source: Source, *, zone: str) -> SourceFacts:
    """The facts of a configured source; ``zone`` is the site's, for sources that say none."""
    return SourceFacts(
        source=name,
        section=source.section or "",
        language=source.language or "",
        zone=source.timezone or zone,
        ignore=tuple(source.ignore),
        teaser_words=source.teaser_words,
    )
