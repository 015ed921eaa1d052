"""One web page's bytes -> an article. Pure; runs in a worker process (``parsing``).

bytes -> tree (``html_tree``) -> what the page says of its story (``page_facts``) and the story itself (``page_body``)
-> the words of the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml.html import HtmlElement

from newsletter.collect.datelines import dateline_of
from newsletter.collect.html_tree import parse_html
from newsletter.collect.page_blocks import Known
from newsletter.collect.page_body import StoryBody, story_body
from newsletter.collect.page_facts import PageFacts, closed_parts, page_facts
from newsletter.collect.page_headline import plain_key
from newsletter.collect.page_pictures import same_photograph, story_pictures
from newsletter.collect.plain_text import clean
from newsletter.collect.source_facts import SourceFacts
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
    facts: SourceFacts,
    *,
    url: str = "",
    guid: str = "",
    content_type: str = "",
) -> IncomingArticle:
    """The article of a page fetched from ``url`` ('' for a saved file, whose canonical link then says where it is).

    Raises SourceError if no story is found in it.
    """
    where = url or guid
    tree = parse_html(body, content_type, where)
    page = page_facts(tree, url=url, zone=facts.zone, language=facts.language)
    if not page.headline:
        raise SourceError("no story was found in this page", where=where)
    address = clean(page.url) or url
    story = _story(tree, page, address, facts.ignores)
    warning = ""
    if not story.text:
        if not (page.is_story and page.standfirst):
            raise SourceError("no story was found in this page", where=where)
        warning = "the page holds no text of the story"
    standfirst = "" if _begins(story.text, page.standfirst) else page.standfirst
    return IncomingArticle(
        source=facts.source,
        url=address,
        guid=guid,
        headline=page.headline,
        standfirst=standfirst,
        authors=page.authors,
        dateline=page.dateline or dateline_of(story.text.partition("\n")[0]),
        section=page.section or facts.section,
        tags=page.tags,
        language=page.language or facts.language,
        published_at=page.published_at,
        updated_at=page.updated_at,
        images=story.pictures,
        body_html=story.html,
        body_text=story.text[:_MAX_BODY_TEXT],
        access=page.access or Access.FREE,
        teaser=teaser_of(standfirst, story.text, facts.teaser_words),
        warning=warning,
    )


def _story(tree: HtmlElement, facts: PageFacts, address: str, ignored: Callable[[str], bool]) -> StoryBody:
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
    found = story_body(tree, base=base, url=address, known=known, ignored=ignored, kept=kept)
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
