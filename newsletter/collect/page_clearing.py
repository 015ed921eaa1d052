"""A page's tree without what belongs to the site rather than to the story. Works on the tree, before extraction.

By structure first: navigation, dialogs, what is hidden, boxes around a form, lists and boxes of links, and what stands
in other containers after the story's own. Then by the words of class and id that themes use, which are English in any
language. No sentence of any site is known here. A rule that would take the story itself is not applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from lxml.html import HtmlElement

from newsletter.collect.html_tree import class_words, remove, text_of
from newsletter.collect.page_headline import plain_key

_NEVER_STORY = {
    "nav", "footer", "form", "dialog", "template", "button", "select", "input", "textarea", "script", "style", "menu",
    "noscript", "amp-ad", "amp-consent", "amp-sidebar", "amp-analytics", "amp-pixel", "svg", "canvas", "object",
}  # fmt: skip
_ROLES = {"navigation", "dialog", "alertdialog", "search", "complementary", "contentinfo", "menu", "toolbar", "banner"}
_OVERLAYS = {"dialog", "alertdialog"}
_CONSENT = {"consent", "cookiebanner", "gdpr", "cmp", "onetrust", "didomi", "cookieconsent"}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_FIXED = re.compile(r"position\s*:\s*fixed", re.IGNORECASE)
# Words of class and id. Each is about what stands beside a story; what might name a story's own part is left out.
_BESIDE = {
    "related", "recommended", "recommendations", "recommend", "recirculation", "recirc", "newsletter", "newsletters",
    "signup", "subscribe", "subscription", "subscribing", "promo", "promotion", "advert", "advertisement", "ads", "ad",
    "adslot", "advertising", "sponsored", "outbrain", "taboola", "share", "sharing", "sharebar", "social", "comments",
    "comment", "commenting", "disqus", "respond", "cookie", "cookies", "consent", "gdpr", "paywall", "regwall",
    "barrier", "breadcrumb", "breadcrumbs", "pagination", "trending", "popular", "masthead", "navbar", "sidebar",
    "toolbar", "login", "signin", "register", "donate", "donation", "yarpp", "jp", "tags", "taglist",
    "copyright", "disclaimer", "apps", "followus", "follow", "whatsapp", "telegram", "upnext", "teasers", "cta",
}  # fmt: skip
_TOGETHER = (
    {"read", "more"}, {"read", "next"}, {"also", "read"}, {"more", "stories"}, {"most", "read"}, {"more", "from"},
    {"sign", "up"}, {"sign", "in"}, {"up", "next"}, {"see", "also"}, {"author", "bio"}, {"about", "author"},
    {"author", "box"}, {"reading", "list"}, {"email", "form"}, {"top", "stories"}, {"more", "on"},
)  # fmt: skip
# Words of a container which make it the story's, whatever else its class says ("article-body ad-free").
_STORY = {"body", "story", "entry", "content", "main", "page", "root", "layout", "wrapper"}
_ALLOWED_BESIDE_BODY = {
    "correction", "corrections", "clarification", "editors", "footnote", "footnotes", "note", "update", "updates",
    "liveblog", "timeline", "factbox", "byline", "dateline", "figure",
}  # fmt: skip
_CONTAINERS = {"div", "section", "aside", "ul", "ol", "dl", "p", "table", "details", "center", "figure", "blockquote"}
_FRAMES = {"html", "body", "main", "article", "head", "header"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_LARGEST_SHARE = 0.4
_MOST = 0.6
_LINKED_SHARE = 0.7
_MAX_BOX = 600
_FEWEST_TO_JUDGE = 400  # characters of a page's paragraphs below which shares mean nothing


def core_of(tree: HtmlElement) -> tuple[HtmlElement | None, float]:
    """The element that holds the most words in paragraphs of its own, and its share of all such words."""
    sizes: dict[HtmlElement, int] = {}
    for part in tree.iter("p"):
        parent = cast("HtmlElement | None", part.getparent())
        if parent is not None:
            sizes[parent] = sizes.get(parent, 0) + len(text_of(part))
    total = sum(sizes.values())
    if total < _FEWEST_TO_JUDGE:
        return None, 0.0
    core = max(sizes, key=lambda element: sizes[element])
    return core, sizes[core] / total


def clear(tree: HtmlElement, kept: Callable[[HtmlElement], bool]) -> None:
    """Take out of ``tree`` what is not the story; what ``kept`` says yes to, and what holds it, stays."""
    spared = {one for element in tree.iter() if isinstance(element.tag, str) and kept(element) for one in _up(element)}
    total = sum(len(text_of(part)) for part in tree.iter("p"))
    for element in _elements(tree):
        if element.tag == "form" and (_holds_h1(element) or _paragraph_text(element) > _share(total)):
            element.tag = "div"  # some systems put the whole page into one form
    for box in _form_boxes(tree, total):
        if box not in spared and _paragraph_text(box) <= _share(total):
            remove(box)
    for element in _elements(tree):
        if element not in spared and _is_overlay(element) and next(element.iter("article", "main"), None) is None:
            total -= _paragraph_text(element)
            remove(element)
    for element in _elements(tree):
        if element not in spared and _is_gone(element) and _removable(element, total):
            _remove_with_heading(element)
    for element in _elements(tree):
        if element.tag in _CONTAINERS and element not in spared and _is_links(element) and _removable(element, total):
            _remove_with_heading(element)
    _cut_after_story(tree, spared)


def _is_gone(element: HtmlElement) -> bool:
    """Whether an element, by what it is, belongs to no story."""
    tag = element.tag
    if tag in _NEVER_STORY:
        return True
    if tag in _FRAMES and tag != "header":
        return False
    if element.attrib:
        if element.get("hidden") is not None or (element.get("role") or "").lower() in _ROLES:
            return True
        if element.get("aria-modal") == "true" or (element.get("aria-hidden") == "true" and tag in _CONTAINERS):
            return True
        style = element.get("style") or ""
        if style and (_HIDDEN.search(style) or _FIXED.search(style)):
            return True
        if tag in _CONTAINERS and (element.get("class") or element.get("id")):
            words = class_words(element)
            return not words & _STORY and bool(words & _BESIDE or any(pair <= words for pair in _TOGETHER))
    return tag == "aside" and not _is_quote(element)


def _is_overlay(element: HtmlElement) -> bool:
    """Whether an element lies over the page, as walls do that may be longer than the story."""
    if element.tag in _FRAMES:
        return False
    style = element.get("style") or ""
    lies_over = element.get("aria-modal") == "true" or (element.get("role") or "").lower() in _OVERLAYS
    lies_over = lies_over or bool(style and _FIXED.search(style)) or element.tag in {"dialog", "amp-consent"}
    return lies_over or (
        element.tag in _CONTAINERS and bool(class_words(element) & _CONSENT) and not _holds_h1(element)
    )


def _holds_h1(element: HtmlElement) -> bool:
    return next(element.iter("h1"), None) is not None


def _is_quote(element: HtmlElement) -> bool:
    return bool(class_words(element) & {"quote", "pullquote", "factbox", "facts", "infobox", "fact", "background"})


def _is_links(element: HtmlElement) -> bool:
    """Whether a container is nothing but a list of links, as under "Related" in any language."""
    if element.tag == "figure" or len(links := list(element.iter("a"))) < 2:
        return False
    text = plain_key(text_of(element))
    return 0 < len(text) < 3_000 and sum(len(plain_key(text_of(link))) for link in links) >= _LINKED_SHARE * len(text)


def _form_boxes(tree: HtmlElement, total: int) -> Iterator[HtmlElement]:
    """The outermost boxes that hold a form and little else: their words speak of the form."""
    for form in list(tree.iter("form", "input")):
        if form.getparent() is None or form.get("type") == "hidden":
            continue
        box: HtmlElement | None = None
        for parent in _up(form)[1:]:
            if parent.tag in _FRAMES or class_words(parent) & _STORY or parent.find(".//h1") is not None:
                break
            if len(text_of(parent)) > _MAX_BOX or _paragraph_text(parent) > _LARGEST_SHARE * total > 0:
                break
            box = parent
        if box is not None:
            yield box


def _cut_after_story(tree: HtmlElement, spared: set[HtmlElement]) -> None:
    """Drop what follows the container that holds most of the paragraphs, within the same article or page.

    Containers of the same make as the story's (its second half, a live blog's next entry), and corrections, stay.
    """
    core, share = core_of(tree)
    if core is None or share < _MOST or core.tag in _FRAMES:
        return
    size = _paragraph_text(core)
    make = (core.tag, core.get("class"))
    for level in _up(core):
        if level.tag in _FRAMES:
            return
        for after in list(level.itersiblings()):
            if after.tag not in _CONTAINERS or after.tag == "figure" or after in spared:
                continue
            alike = any((one.tag, one.get("class")) == make for one in after.iter() if isinstance(one.tag, str))
            if alike or class_words(after) & _ALLOWED_BESIDE_BODY or _paragraph_text(after) > 0.3 * size:
                continue
            if _has_words(after):
                remove(after)


def _has_words(element: HtmlElement) -> bool:
    """Whether it says something, rather than showing a picture of the story."""
    return element.tag != "p" and next(iter(element.iter("img", "figure", "iframe", "video")), None) is None


def _removable(element: HtmlElement, total: int) -> bool:
    return element.getparent() is not None and _paragraph_text(element) <= _share(total)


def _share(total: int) -> float:
    return _LARGEST_SHARE * total if total >= _FEWEST_TO_JUDGE else float(_FEWEST_TO_JUDGE)


def _paragraph_text(element: HtmlElement) -> int:
    return sum(len(text_of(part)) for part in element.iter("p"))


def _remove_with_heading(element: HtmlElement) -> None:
    """Take out a box, and the heading that stands over it outside if nothing else follows that heading."""
    before, after = element.getprevious(), element.getnext()
    says_more = bool((element.tail or "").strip())
    remove(element)
    if before is None or before.tag not in _HEADINGS or before.tag == "h1" or (before.tail or "").strip() or says_more:
        return
    if after is None or after.tag in _HEADINGS:
        remove(cast("HtmlElement", before))


def _elements(tree: HtmlElement) -> Iterable[HtmlElement]:
    """The elements that are still in the tree when their turn comes."""
    for element in list(tree.iter()):
        if isinstance(element.tag, str) and (element is tree or element.getparent() is not None):
            yield element


def _up(element: HtmlElement) -> list[HtmlElement]:
    """An element and what holds it, outwards."""
    return [element, *(cast("HtmlElement", one) for one in element.iterancestors())]
