"""One web page's bytes -> an article. Pure; runs in a worker process (``parsing``).

bytes -> tree (``html_tree``) -> what the page says of its story (``page_facts``) and the story itself (``page_body``)
-> the words of the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lxml.html import HtmlElement

from newsletter.collect.datelines import dateline_of
from newsletter.collect.html_tree import parse_html
from newsletter.collect.page_blocks import Known
from newsletter.collect.page_body import StoryBody, story_body
from newsletter.collect.page_facts import PageFacts, closed_parts, page_facts
from newsletter.collect.page_headline import plain_key
from newsletter.collect.page_pictures import same_photograph, story_pictures
from newsletter.collect.plain_text import clean
from newsletter.collect.teaser import teaser_of
from newsletter.errors import SourceError
from newsletter.model import Access, IncomingArticle

_MAX_BODY_TEXT = 100_000
_LEADING_FIGURE = re.compile(
    r'\s*<figure>(?:(?!</figure>).)*?<img src="([^"]*)"(?:(?!</figure>).)*</figure>', re.DOTALL
)
_ENDS_CUT = re.compile(r"\s*(?:…|\.\.\.)$")


def read_page(
    body: bytes,
    *,
    url: str = "",
    guid: str = "",
    content_type: str = "",
    source: str,
    section: str = "",
    language: str = "",
    zone: str = "UTC",
    ignore: Iterable[str] = (),
    teaser_words: int = 40,
) -> IncomingArticle:
    """The article of a page fetched from ``url`` ('' for a saved file, whose canonical link then says where it is).

    ``section`` and ``language`` stand in where the page names none; times without a zone are in ``zone``; paragraphs
    that one of the ``ignore`` patterns matches are left out. Raises SourceError if no story is found in it.
    """
    where = url or guid
    patterns = _patterns(ignore, where)
    tree = parse_html(body, content_type, where)
    facts = page_facts(tree, url=url, zone=zone, language=language)
    if not facts.headline:
        raise SourceError("no story was found in this page", where=where)
    address = clean(facts.url) or url
    story = _story(tree, facts, address, patterns)
    warning = ""
    if not story.text:
        if not (facts.is_story and facts.standfirst):
            raise SourceError("no story was found in this page", where=where)
        warning = "the page holds no text of the story"
    standfirst = "" if _begins(story.text, facts.standfirst) else facts.standfirst
    return IncomingArticle(
        source=source,
        url=address,
        guid=guid,
        headline=facts.headline,
        standfirst=standfirst,
        authors=facts.authors,
        dateline=facts.dateline or dateline_of(story.text.partition("\n")[0]),
        section=facts.section or section,
        tags=facts.tags,
        language=facts.language or language,
        published_at=facts.published_at,
        updated_at=facts.updated_at,
        images=story.pictures,
        body_html=story.html,
        body_text=story.text[:_MAX_BODY_TEXT],
        access=facts.access or Access.FREE,
        teaser=teaser_of(standfirst, story.text, teaser_words),
        warning=warning,
    )


def _story(tree: HtmlElement, facts: PageFacts, address: str, ignore: list[re.Pattern[str]]) -> StoryBody:
    """The body without the lead picture over it, and all pictures of the story."""
    closed = closed_parts(facts.structured)

    def kept(element: HtmlElement) -> bool:
        return bool(closed) and bool(closed & {element.get("id"), *(element.get("class") or "").split()})

    known = Known(
        headline=facts.headline,
        standfirst=facts.standfirst,
        authors=facts.authors,
        section=facts.section,
        dateline=facts.dateline,
        language=facts.language,
        structured_body=str(facts.structured.story.get("articleBody") or "")[:_MAX_BODY_TEXT],
    )
    social = facts.social_pictures
    known = known.with_captions(story_pictures(facts.structured, social, (), facts.base))
    base = facts.base or address
    found = story_body(tree, base=base, url=address, known=known, ignore=ignore, kept=kept)
    pictures = story_pictures(facts.structured, social, found.pictures, base)
    html = found.html
    lead = _LEADING_FIGURE.match(html)
    if lead and pictures and found.pictures and _same(found.pictures[0].url, lead[1], pictures[0].url):
        html = html[lead.end() :].lstrip()
    return StoryBody(html, found.text, pictures)


def _same(first: str, shown: str, lead: str) -> bool:
    """Whether the figure that opens the body is the lead picture, perhaps in another size."""
    return same_photograph(shown.replace("&amp;", "&"), lead) and same_photograph(first, lead)


def _begins(text: str, standfirst: str) -> bool:
    """Whether a description is only how the body begins, as systems make one where nobody wrote it."""
    key = plain_key(_ENDS_CUT.sub("", standfirst))
    return len(key) > 20 and plain_key(text[: 3 * len(standfirst) + 200]).startswith(key)


def _patterns(ignore: Iterable[str], where: str) -> list[re.Pattern[str]]:
    try:
        return [re.compile(pattern) for pattern in ignore]
    except re.error as error:
        raise SourceError(f"an ignore pattern is no regular expression ({error})", where=where) from None
