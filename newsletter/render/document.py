"""One whole document per rendered key, cut into pieces.

An edition's pool, rendered with every story in every role it may take, goes through Jinja2 and premailer once; markers
in it say where each piece begins and ends. Pieces are encoded, and ``joining`` needs nothing else: the ``manifest``
piece tells it what the pool holds and carries the small texts (subject, preheader, summary) that read the joined facts.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.config.models import Images, Newsletter, Site
from newsletter.model import Access, Article, Edition, Picture, RenderedKey, Stream, StreamName
from newsletter.render import facts
from newsletter.render.blocks import Blocks, blocks_of
from newsletter.render.campaigns import campaign_of
from newsletter.render.pool import MANIFEST, PREHEADER, SUBJECT, Pool, pool_of
from newsletter.render.templates import Templates, compile_text, messages_of
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.whole import Whole
from newsletter.render.words import Words, direction_of, locale_of

_TEXT_PLACES = ("summary", "contents")


def render_pieces(
    edition: Edition,
    articles: Mapping[int, Article],
    newsletter: Newsletter,
    newsletter_name: str,
    site: Site,
    plans: Mapping[str, list[Access]],
    key: RenderedKey,
    web_base: str,
    templates: Templates,
    *,
    logo: Picture | None = None,
    images: Mapping[str, Images] | None = None,
    newsletters: Mapping[str, Newsletter] | None = None,
) -> dict[str, bytes]:
    """The pieces of ``edition`` for one rendered key, by name; equal input gives equal bytes.

    Takes 50 to 500 ms: call it off the event loop. ``articles`` holds at least those of the edition; ``logo`` is our
    own copy of the theme's, as under ``media/``; ``images`` is what each source says of pictures, by its name;
    ``newsletters`` are all there are, of which this one may offer some. Raises TemplateError at ``file:line``.
    """
    web_base = web_base.rstrip("/")
    own_language = newsletter.language or site.language
    language = key.language or own_language
    reads = plans.get(key.plan, [Access.FREE])
    headlines = dict(edition.edits.headlines)
    stories = {
        article: facts.story_view(
            replace(articles[article], headline=headlines.get(article, articles[article].headline)),
            language=language,
            own_language=own_language,
            reads=reads,
            web_base=web_base,
            fallback_url=str(site.url),
            images=(images or {}).get(articles[article].source),
        )
        for article in edition.article_ids
    }
    pool = pool_of(edition, stories, newsletter)
    blocks = blocks_of(
        edition, newsletter, newsletters or {}, language=language, own_language=own_language, plan=key.plan
    )
    words = templates.words(language)
    shared: dict[str, Any] = {
        "edition": facts.edition_view(edition),
        "newsletter": facts.newsletter_view(newsletter_name, newsletter),
        "site": facts.site_view(site, facts.picture_view(logo, web_base) if logo else None),
        "key": facts.KeyView(language, key.plan),
        TRANSLATIONS: words,
        "locale": locale_of(language),
        "zone": ZoneInfo(newsletter.schedule.timezone or site.timezone),
        "direction": direction_of(language),
        "note": blocks.note,
        "related": blocks.related,
    }
    design = newsletter.design
    templates.check(design)
    texts = _text_sources(templates, newsletter, edition.name.of, edition)
    campaign = campaign_of(newsletter, newsletter_name, str(edition.occurrence), str(site.url), web_base)
    said = [*(asdict(story) for story in stories.values()), asdict(shared["site"]), asdict(blocks), campaign.parameters]
    says_nothing = newsletter.when_empty == "send"
    pieces: dict[str, bytes] = {}
    for suffix in ("html", "txt"):
        whole = Whole(
            templates=templates,
            design=design,
            suffix=suffix,
            pool=pool,
            blocks=blocks,
            shared=shared,
            texts=frozenset(texts),
            nonce=unused_nonce(list(strings_in(said))),
            campaign=campaign,
            says_nothing=says_nothing,
        )
        pieces |= whole.pieces()
    pieces[MANIFEST] = _manifest(
        edition,
        pool,
        blocks,
        shared,
        words,
        texts,
        says_nothing=says_nothing,
        nothing_chosen=newsletter.nothing_chosen,
    )
    return pieces


def check_newsletter(templates: Templates, of: StreamName, newsletter: Newsletter) -> None:
    """Refuse a stream whose design, subject or preheader cannot be used. Raises TemplateError at ``file:line``."""
    templates.check(newsletter.design)
    _text_sources(templates, newsletter, of)


def _text_sources(
    templates: Templates, newsletter: Newsletter, of: StreamName, edition: Edition | None = None
) -> dict[str, tuple[str, str]]:
    """The small texts that read joined facts, by place: source and where it stands; an editor's in place of the
    newsletter's. Each is compiled once, to check."""
    here = f"newsletters.{of.newsletter}" + ("" if of.stream is Stream.EACH else f".streams.{of.stream}")
    sources = {
        SUBJECT: (newsletter.subject, f"{here}.subject"),
        PREHEADER: (newsletter.preheader, f"{here}.preheader"),
    }
    if edition is not None:
        edited = {SUBJECT: edition.edits.subject, PREHEADER: edition.edits.preheader}
        where = f"{edition.name.of}@{edition.occurrence}"
        sources |= {place: (text, f"{where}.{place}") for place, text in edited.items() if text is not None}
    for place in _TEXT_PLACES:
        if templates.has(newsletter.design, f"{place}.txt"):
            sources[place] = templates.source(newsletter.design, f"{place}.txt")
    for source, where in sources.values():
        compile_text(source, where)
    return sources


def _manifest(
    edition: Edition,
    pool: Pool,
    blocks: Blocks,
    shared: Mapping[str, Any],
    words: Words,
    texts: Mapping[str, tuple[str, str]],
    *,
    says_nothing: bool,
    nothing_chosen: str,
) -> bytes:
    manifest = {
        "edition": asdict(shared["edition"]) | {"date": edition.occurrence.local_date.isoformat()},
        "newsletter": asdict(shared["newsletter"]),
        "site": asdict(shared["site"]),
        "key": asdict(shared["key"]),
        "zone": shared["zone"].key,
        "words": words.only(key for source, _ in texts.values() for key in messages_of(source)).as_json(),
        "says_nothing": says_nothing,
        "nothing_chosen": nothing_chosen,
        "texts": {name: list(source) for name, source in texts.items()},
        "lead": pool.lead,
        "promotions": [promotion.after for promotion in blocks.promotions],
        "promotion_targets": [promotion.target for promotion in blocks.promotions],
        "sections": [
            {
                "name": section.name,
                "cards": section.cards,
                "missed": section.missed,
                "leads": section.leads,
                "home": section.home,
                "stories": [story.as_json() for story in section.stories],
            }
            for section in pool.sections
        ],
    }
    return json.dumps(manifest, ensure_ascii=False, sort_keys=True).encode("utf-8")


def unused_nonce(texts: Sequence[str], new: Callable[[], str] = lambda: secrets.token_hex(12)) -> str:
    """A nonce that nothing we print contains, so that no article can forge a marker."""
    while True:
        nonce = new()
        if not any(nonce in text for text in texts):
            return nonce


def strings_in(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        yield from strings_in(values.values())
    elif hasattr(values, "__iter__"):
        for value in values:
            yield from strings_in(value)
