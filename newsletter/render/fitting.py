"""An edition that would be larger than its newsletter's size budget -> the same with fewer stories, and which gave way.

It is rendered, measured from its pieces, what is over is taken out, and rendered again. Decided on the pool, once for
all readers and all rendered keys: what was missed gives way first, then briefs, then cards, each from the end, and what
an editor pinned last of all; a section keeps its first story. A send, a preview and the lint call ``fitted``, so that
all of them show the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from newsletter.config.models import Newsletter
from newsletter.model import Edition, EditionSection, JoinedKey, RenderedKey, Role
from newsletter.render.encoding import Slot, decoded_length
from newsletter.render.joining import Variants
from newsletter.render.pool import piece_name
from newsletter.render.slots import SLOTS, SlotKind

Pieces = Mapping[str, bytes]
Render = Callable[[Edition, RenderedKey], Pieces]
# What a slot is taken for before it is filled: longer than nearly all addresses, names and links of ours are.
_SLOT_BYTES = {SlotKind.TEXT: 60, SlotKind.URL: 160}


@dataclass(frozen=True, slots=True)
class Fitted:
    """An edition that fits, or of which nothing more can give way, with its pieces by rendered key.

    ``trimmed`` are the articles that gave way; ``size`` is what the largest mail had with them, in bytes of decoded
    HTML, and ``left`` what it has now.
    """

    edition: Edition
    pieces: Mapping[RenderedKey, Pieces]
    budget: int
    size: int
    left: int
    trimmed: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """Why stories gave way: ``112,345 bytes of HTML, size_budget is 100,000``."""
        return f"{self.size:,} bytes of HTML, size_budget is {self.budget:,}"


def fitted(
    edition: Edition,
    keys: Sequence[RenderedKey],
    newsletter: Newsletter,
    render: Render,
    *,
    there: Mapping[RenderedKey, Pieces] | None = None,
) -> Fitted:
    """``edition`` rendered for each of ``keys`` within ``newsletter.size_budget``. Blocking, as rendering is.

    ``there`` are the pieces of keys that are rendered already. Raises TemplateError.
    """
    pieces = {key: (there or {}).get(key) or render(edition, key) for key in keys}
    size = left = _largest(pieces)
    trimmed: list[int] = []
    while left > newsletter.size_budget:
        going = _give_way(edition, newsletter, pieces, left - newsletter.size_budget)
        if not going:
            break
        trimmed += going
        edition = replace(edition, sections=without(edition.sections, going))
        pieces = {key: render(edition, key) for key in keys}
        left = _largest(pieces)
    return Fitted(edition, pieces, newsletter.size_budget, size, left, tuple(trimmed))


def largest_html(pieces: Pieces) -> int:
    """Bytes of decoded HTML of the largest mail that can be joined of these pieces, whoever reads it.

    That is one with all sections and all promotions; whichever section comes first leads.
    """
    variants = Variants(pieces, kept=1)
    names = variants.section_names
    sizes = [0]
    for first in names or ("",):
        sections = (first, *(name for name in names if name != first)) if first else ()
        variant = variants.variant(JoinedKey(sections, variants.targets))
        if variant is not None:
            sizes.append(sum(_bytes(chunk) for chunk in variant.html))
    return max(sizes)


def without(sections: Sequence[EditionSection], gone: Collection[int]) -> tuple[EditionSection, ...]:
    """The sections without what gave way, each with how many that were; what was missed may go whole."""
    left = []
    lost = 0
    for section in sections:
        kept = tuple(article for article in section.article_ids if article not in gone)
        trimmed = section.trimmed + len(section.article_ids) - len(kept)
        if kept:
            left.append(replace(section, article_ids=kept, trimmed=trimmed))
        else:
            lost += trimmed
    if lost and left:
        left[-1] = replace(left[-1], trimmed=left[-1].trimmed + lost)
    return tuple(left)


def _give_way(
    edition: Edition, newsletter: Newsletter, pieces: Mapping[RenderedKey, Pieces], over: int
) -> tuple[int, ...]:
    """The stories that give way so that ``over`` bytes are saved in each document, the first of them first."""
    going = []
    for article, role in _in_turn(edition, newsletter):
        if over <= 0:
            break
        name = piece_name("html", f"{article}/{role}")
        over -= max(1, min((_length(made[name]) for made in pieces.values() if name in made), default=1))
        going.append(article)
    return tuple(going)


def _in_turn(edition: Edition, newsletter: Newsletter) -> Iterator[tuple[int, Role]]:
    """What may give way, in the order in which it does, as a reader of all sections has it."""
    cards = {section.name: section.cards for section in newsletter.sections}
    regular = [section for section in edition.sections if not section.missed and section.name]
    leads_alone = any(not section.name and not section.missed for section in edition.sections)
    found: dict[Role, list[int]] = {Role.BRIEF: [], Role.CARD: []}
    for number, section in enumerate(regular):
        shift = 1 if number == 0 and not leads_alone and newsletter.lead != "none" else 0
        for position, article in enumerate(section.article_ids[1:], start=1):
            role = Role.CARD if position - shift < cards.get(section.name, 2) else Role.BRIEF
            found[role].append(article)
    missed = [article for section in edition.sections if section.missed for article in section.article_ids]
    turns = ((Role.BRIEF, missed), (Role.BRIEF, found[Role.BRIEF]), (Role.CARD, found[Role.CARD]))
    in_turn = [(article, role) for role, listed in turns for article in reversed(listed)]
    pinned = {pin.article_id for pin in edition.edits.pinned}
    yield from sorted(in_turn, key=lambda one: one[0] in pinned)


def _largest(pieces: Mapping[RenderedKey, Pieces]) -> int:
    return max((largest_html(made) for made in pieces.values()), default=0)


def _length(packed: bytes) -> int:
    return decoded_length(packed.split(b"\0")[0::2])


def _bytes(chunk: bytes | Slot) -> int:
    return decoded_length([chunk]) if isinstance(chunk, bytes) else _SLOT_BYTES[SLOTS[chunk.name]]
