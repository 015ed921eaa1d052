"""The facts that one reader's mail depends on: rendered keys of an audience, sections of a subscription. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from newsletter.config.models import Newsletter
from newsletter.errors import ConfigurationError
from newsletter.model import Edition, EditionSection, RenderedKey

MOST_RENDERED_KEYS = 16


def rendered_keys(languages: Iterable[str], plans: Iterable[str]) -> tuple[RenderedKey, ...]:
    """Every rendered key of an audience, in order: one document is rendered for each.

    Raises ConfigurationError where they are more than 16.
    """
    keys = tuple(sorted({RenderedKey(language, plan) for language in set(languages) for plan in set(plans)}))
    if len(keys) > MOST_RENDERED_KEYS:
        raise ConfigurationError(
            f"languages times plans make {len(keys)} documents an edition, more than {MOST_RENDERED_KEYS}",
            remedy="Name fewer plans or fewer languages",
        )
    return keys


def sections_for(stored: str, newsletter: Newsletter) -> tuple[str, ...]:
    """The sections a reader chose, in her order and the newsletter's spelling; () means the newsletter's own.

    ``stored`` is the column ``sections`` of a subscription or delivery: a JSON array as text, or ''. A name that the
    newsletter no longer has is left out; where none is left, or the text cannot be read, she gets the newsletter's own
    sections: she asked for this newsletter, and a section renamed by its editors must not silence it. All the
    newsletter's sections in its own order are the same as no choice.
    """
    own = newsletter.section_names
    known = _by_folded_name(own)
    chosen = [known[folded] for name in _names(stored) if (folded := name.casefold()) in known]
    sections = tuple(dict.fromkeys(chosen))
    return () if sections == own else sections


def has_stories(stored: str, newsletter: Newsletter, edition: Edition) -> bool:
    """Whether an edition holds any story for a reader with these stored sections; ``when_empty: send`` always mails.

    For a story of other sections that leads alone nobody is mailed, unless the newsletter has ``nothing_chosen: lead``;
    for what was missed alone nobody at all.
    """
    if newsletter.when_empty == "send" or gets_lead_alone(stored, newsletter, edition):
        return True
    sections = sections_for(stored, newsletter)
    return any(section.article_ids and _is_hers(section, sections) for section in edition.sections)


def gets_lead_alone(stored: str, newsletter: Newsletter, edition: Edition) -> bool:
    """Whether a reader with these stored sections gets the lead and nothing else, as none of them holds a story."""
    if newsletter.nothing_chosen != "lead":
        return False
    sections = sections_for(stored, newsletter)
    there = [section for section in edition.sections if section.article_ids and not section.missed]
    return bool(there) and not any(_is_hers(section, sections) for section in there)


def stories_for(
    stored: str, newsletter: Newsletter, edition: Edition, had: Collection[int] = frozenset()
) -> tuple[int, ...]:
    """The ids of the stories that a reader with these stored sections gets of an edition, each once and without those
    she ``had``; none where it holds none for her."""
    if gets_lead_alone(stored, newsletter, edition):
        lead = next(section for section in edition.sections if section.article_ids and not section.missed)
        return tuple(one for one in lead.article_ids[:1] if one not in had)
    sections = sections_for(stored, newsletter)
    there = [section for section in edition.sections if any(one not in had for one in section.article_ids)]
    if not any(_is_hers(section, sections) for section in there):
        return ()
    hers = [section for section in there if not section.name or _is_hers(section, sections)]
    return tuple(dict.fromkeys(one for section in hers for one in section.article_ids if one not in had))


def _is_hers(section: EditionSection, sections: Collection[str]) -> bool:
    """Whether it is for a section of these that she chose, or of all; what leads is for the one that it comes from."""
    return not section.missed and (not sections or (section.name or section.home) in sections)


@lru_cache(maxsize=64)
def _by_folded_name(names: tuple[str, ...]) -> Mapping[str, str]:
    return {name.casefold(): name for name in names}


def _names(stored: str) -> list[str]:
    if not stored:
        return []
    try:
        names = json.loads(stored)
    except ValueError:
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
