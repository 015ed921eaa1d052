"""What a story embeds from elsewhere (videos, posts) -> a picture with a link, or a linked line. Pure; works on a tree.

A mail can show neither; the reader gets the address, and the picture where its address is known without asking anyone.
Iframes and media of no known kind are left as they are: ``sanitise`` drops them.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, urlsplit

from lxml.html import Element, HtmlElement

from newsletter.collect.html_tree import absolute, text_of
from newsletter.collect.plain_text import one_line

# Worth looking for embeds at all.
HAS_EMBEDS = re.compile(
    r"<(?:iframe|video|audio|amp-)|twitter-(?:tweet|video)|instagram-media|fb-(?:post|video)|tiktok-embed|bluesky-embed"
    r"|mastodon-embed|youtube",
    re.IGNORECASE,
)
_MARK = "▶"
_ID = re.compile(r"[\w-]{4,80}")
_YOUTUBE_HOSTS = {"youtube.com", "youtube-nocookie.com", "m.youtube.com", "youtu.be"}
_POSTS = re.compile(r"\b(?:twitter-tweet|twitter-video|instagram-media|tiktok-embed|bluesky-embed|mastodon-embed)\b")
_FACEBOOK = re.compile(r"\bfb-(?:post|video)\b")
_POST_HOSTS = {
    "twitter.com", "x.com", "instagram.com", "facebook.com", "tiktok.com", "bsky.app", "threads.net", "threads.com",
}  # fmt: skip
_SOUND_HOSTS = {"open.spotify.com", "w.soundcloud.com", "podcasts.apple.com", "embed.podcasts.apple.com"}
_MAX_EMBEDS = 100


def replace_embeds(tree: HtmlElement, base: str) -> list[HtmlElement]:
    """Put a picture with a link, or a linked line, where each known embed of ``tree`` stands; those elements.

    ``base`` is the page's own address, '' where it is not known; a video with a poster is linked there.
    """
    found: list[HtmlElement] = []
    for element in list(tree.iter()):
        if not isinstance(element.tag, str) or len(found) >= _MAX_EMBEDS:
            continue
        new = _replacement(element, base)
        if new is None or element.getparent() is None or any(one is element for one in found):
            continue
        new.tail = element.tail
        element.getparent().replace(element, new)
        found.append(new)
    return found


def _replacement(element: HtmlElement, base: str) -> HtmlElement | None:
    tag, named = element.tag, element.get("class") or ""
    if tag in {"iframe", "amp-iframe", "embed"}:
        source = element.get("src") or element.get("data-src") or element.get("data-lazy-src") or ""
        return _framed(absolute(source, base or "https://"), _title(element))
    if tag in {"video", "amp-video"}:
        return _video(element, base)
    if tag == "audio":
        source = element.get("src") or next((one.get("src") or "" for one in element.iter("source")), "")
        return _line(absolute(source, base), _title(element))
    if tag in {"amp-youtube", "lite-youtube", "youtube-video"}:
        return _youtube(element.get("data-videoid") or element.get("videoid") or "", _title(element))
    if tag == "amp-vimeo":
        return _vimeo(element.get("data-videoid") or "", _title(element))
    if tag == "amp-twitter":
        return _post_by_id("https://x.com/i/status/", element.get("data-tweetid"))
    if tag == "amp-instagram":
        return _post_by_id("https://www.instagram.com/p/", element.get("data-shortcode"))
    if tag == "amp-facebook" or (tag == "div" and _FACEBOOK.search(named)):
        return _line(absolute(element.get("data-href") or "", ""), _title(element))
    if tag in {"blockquote", "figure", "div"} and _POSTS.search(named):
        return _quoted_post(element)
    return None


def _framed(source: str, title: str) -> HtmlElement | None:
    """What an iframe of this address shows."""
    if not source:
        return None
    parts = urlsplit(source)
    host = (parts.hostname or "").removeprefix("www.")
    steps = [step for step in parts.path.split("/") if step]
    query = parse_qs(parts.query)
    if host in _YOUTUBE_HOSTS:
        return _youtube((query.get("v") or steps[-1:] or [""])[0], title)
    if host == "player.vimeo.com" and steps:
        return _vimeo(steps[-1], title)
    if host in {"dailymotion.com", "geo.dailymotion.com"}:
        video = (query.get("video") or steps[-1:] or [""])[0]
        at = f"https://www.dailymotion.com/video/{video}"
        return (
            _picture(at, f"https://www.dailymotion.com/thumbnail/video/{video}", title)
            if _ID.fullmatch(video)
            else None
        )
    if host == "platform.twitter.com" and query.get("id"):
        return _post_by_id("https://x.com/i/status/", query["id"][0])
    if host == "facebook.com" and "plugins" in steps[:1]:
        return _line(absolute((query.get("href") or [""])[0], ""), title)
    if host in _POST_HOSTS or host in _SOUND_HOSTS:
        address = f"https://{parts.hostname}{parts.path}"
        return _line((query.get("url") or [""])[0] or address.replace("/embed", ""), title)
    return None


def _youtube(video: str, title: str) -> HtmlElement | None:
    if not _ID.fullmatch(video) or video == "videoseries":
        return None
    return _picture(f"https://www.youtube.com/watch?v={video}", f"https://i.ytimg.com/vi/{video}/hqdefault.jpg", title)


def _vimeo(video: str, title: str) -> HtmlElement | None:
    return _line(f"https://vimeo.com/{video}", title) if video.isascii() and video.isdigit() else None


def _post_by_id(at: str, name: str | None) -> HtmlElement | None:
    return _line(at + name, "") if name and _ID.fullmatch(name) else None


def _video(element: HtmlElement, base: str) -> HtmlElement | None:
    source = element.get("src") or next((one.get("src") or "" for one in element.iter("source")), "")
    at = base or absolute(source, base)
    poster = absolute(element.get("poster") or element.get("data-poster") or "", base)
    title = _title(element)
    return _picture(at, poster, title) if poster and at else _line(absolute(source, base), title)


def _quoted_post(element: HtmlElement) -> HtmlElement | None:
    """A post's words, which sites put beside the script that draws it, with the link to it; or the link alone."""
    permalink = element.get("data-instgrm-permalink") or element.get("cite") or ""
    links = [link.get("href") or "" for link in element.iter("a")]
    own = [link for link in links if (urlsplit(absolute(link, "")).hostname or "").removeprefix("www.") in _POST_HOSTS]
    at = absolute(permalink, "") or absolute(own[-1] if own else (links or [""])[-1], "")
    said = [
        text_of(part)
        for part in element.iter("p")
        if part.find(".//a") is None or text_of(part) != text_of(part.find(".//a"))
    ]
    words = "" if element.get("data-instgrm-permalink") else one_line(" ".join(said), 1_000)
    if not at or not words:
        return _line(at, "")
    quoted, line = Element("blockquote"), Element("p")
    line.text = words
    after = Element("p")
    after.append(_link(at, _shown(at)))
    quoted.extend([line, after])
    return quoted


def _picture(at: str, picture: str, title: str) -> HtmlElement:
    figure, shown = Element("figure"), Element("img", src=picture, alt=title)
    link = Element("a", href=at)
    link.append(shown)
    figure.append(link)
    caption = Element("figcaption")
    caption.append(_link(at, title or _shown(at)))
    figure.append(caption)
    return figure


def _line(at: str, title: str) -> HtmlElement | None:
    if not at:
        return None
    line = Element("p")
    line.append(_link(at, title or _shown(at)))
    return line


def _link(at: str, words: str) -> HtmlElement:
    link = Element("a", href=quote(at, safe="%/:=&?~#+!$,;'@()*[]"))
    link.text = f"{_MARK} {words}"
    return link


def _shown(at: str) -> str:
    parts = urlsplit(at)
    return one_line(f"{(parts.hostname or '').removeprefix('www.')}{parts.path.rstrip('/')}", 80)


def _title(element: HtmlElement) -> str:
    title = element.get("title") or element.get("aria-label") or element.get("playlabel") or ""
    return "" if "player" in title.lower() else one_line(title, 200)
