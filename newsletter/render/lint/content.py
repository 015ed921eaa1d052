"""Rules on what both parts say: unfilled slots, unsubscribing, the postal address, the same stories in each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.render.lint.findings import NOWHERE, Finding, Spot, error, warning
from newsletter.render.lint.links import same, text_links
from newsletter.render.lint.mail import Mail, words

_UNFILLED = re.compile(r"\{\{|\}\}|\{%|x[0-9a-f]{24}[a-z]\d+x")
_NOT_SAID = re.compile(r"[\s\u200b\u200c\u200d\u00ad\u034f\ufeff]+")
_HEADLINES = ("h2", "h3", "h4", "h5", "h6")


def unfilled(mail: Mail) -> Iterator[Finding]:
    """Marks of a template that came out as they are."""
    for part, content in (("HTML", mail.html), ("text", mail.text)):
        if match := _UNFILLED.search(content):
            line = content.count("\n", 0, match.start()) + 1
            spot = _element_with(mail, match[0]) if part == "HTML" else Spot(words=match[0], line=line)
            yield error(
                "unfilled", f"the {part} part still has '{match[0]}'", "Look at the template that printed it", spot
            )


def required(mail: Mail) -> Iterator[Finding]:
    """A text part, and in both parts how to unsubscribe and who sent it."""
    expected = mail.expected
    if not mail.text.strip():
        yield error("text", "the text part is empty", "Look at the design's edition.txt")
    footer = "Include shared/footer.html"
    if expected.unsubscribe_url:
        links = {link for _, link in mail.links()}
        if expected.unsubscribe_url not in links:
            yield error("unsubscribe", "the HTML has no unsubscribe link", footer)
        if expected.unsubscribe_url not in mail.text:
            yield error("unsubscribe", "the text has no unsubscribe link", "Print slot.unsubscribe_url() in it")
    elif (
        expected.can_be_left and re.search(r'<html[^>]* lang="en', mail.html) and "unsubscribe" not in mail.html.lower()
    ):
        yield error("unsubscribe", "the HTML has no unsubscribe link", footer)
    if expected.postal_address:
        for part, said in (("HTML", mail.shown_text), ("text", mail.text)):
            if _squeezed(expected.postal_address) not in _squeezed(said):
                yield error(
                    "postal-address",
                    f"the {part} part lacks the postal address",
                    footer if part == "HTML" else "Include shared/footer.txt",
                )


def parting(mail: Mail) -> Iterator[Finding]:
    """What only one of the parts says: a story's headline or link (an error), any other link of the text."""
    if not mail.text.strip() or mail.root is None:
        return  # said already
    in_html, in_text = _squeezed(mail.shown_text), _squeezed(mail.text)
    html_links = {same(link) for _, link in mail.links()}
    text_urls = text_links(mail.text)
    text_has = {same(link) for link in text_urls}
    stories = dict.fromkeys((*mail.expected.stories, *_linked_headings(mail)))
    for headline, link in stories:
        said = _squeezed(headline)
        there = {
            "HTML": (said in in_html, same(link) in html_links),
            "text": (said in in_text, same(link) in text_has),
        }
        if not any(there["HTML"]) and not any(there["text"]):
            continue  # left out of both, as a story that is too much is
        for part, (has_headline, has_link) in there.items():
            if not (has_headline and has_link):
                lacks = "the headline" if has_link else "the link" if has_headline else "the headline and link"
                yield error(
                    "parts-differ",
                    f"the {part} part lacks {lacks} of '{headline[:60]}', which the other part has",
                    f"Print story.headline and story.url in the design's {'.html' if part == 'HTML' else '.txt'} files",
                    _story_spot(mail, link, part),
                )
    for link in dict.fromkeys(text_urls):
        if link == mail.expected.unsubscribe_url:
            continue  # ``required`` says it
        if same(link) not in html_links and _squeezed(link) not in in_html and not _of_story(link, stories):
            yield warning(
                "parts-differ",
                f"the text part points at {link[:120]}, and the HTML does not",
                "Point at it in both",
                mail.at_words(link),
            )


def _of_story(link: str, stories: dict[tuple[str, str], None]) -> bool:
    return any(same(link) == same(url) for _, url in stories)


def _linked_headings(mail: Mail) -> Iterator[tuple[str, str]]:
    for heading in mail.elements:
        if heading.tag in _HEADLINES:
            link = next((one for one in heading.iter("a") if one.get("href", "").startswith("http")), None)
            if link is not None and words(link):
                yield words(link), link.get("href", "").strip()


def _story_spot(mail: Mail, link: str, lacking: str) -> Spot:
    """In the part that lacks something, where its story stands; else where the other part has it."""
    at_text = next((mail.at_words(one) for one in text_links(mail.text) if same(one) == same(link)), NOWHERE)
    at_html = next((mail.at(element) for element, one in mail.links() if same(one) == same(link)), NOWHERE)
    first, second = (at_text, at_html) if lacking == "text" else (at_html, at_text)
    return second if first is NOWHERE else first


def _element_with(mail: Mail, found: str) -> Spot:
    """The innermost element that has ``found`` in its text or an attribute."""
    for element in reversed(mail.elements):
        said = [element.text or "", *(str(value) for value in element.values()), *(one.tail or "" for one in element)]
        if any(found in one for one in said):
            return mail.at(element)
    return NOWHERE


def _squeezed(text: str) -> str:
    return _NOT_SAID.sub("", text)
