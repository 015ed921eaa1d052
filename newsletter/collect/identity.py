"""What makes two articles one: pure decisions on URLs, guids and text.

An article is known by its canonical URL and by its guid within its source; whichever comes back, whatever else changed,
it is the same article. What both say loses to evidence of re-use: a guid that arrives with another URL *and* other
words, a URL that is a home page or that several different stories of one collection share.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from unicodedata import normalize
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from newsletter.model import Article, IncomingArticle
from newsletter.store.articles import Identity, IdentityKind, Known, Remembrance

# A story whose guid and URL both changed is recognised by its words for this long after we first saw it.
SAME_WORDS_WINDOW = timedelta(days=14)
_FINGERPRINT_WORDS = 60
_TELLING_TEXT = 800  # characters that hold about as many words
_FEWEST_WORDS = 8
# Fewer words than this recur from week to week ("Letters to the editor"), so the date must agree as well.
_TELLING_WORDS = 40
_SAME_DATE = timedelta(days=1)
_SIMILAR = 0.6

_TRACKING_PREFIXES = ("utm_", "mc_", "at_", "pk_", "mtm_", "hsa_", "vero_")
_TRACKING = {
    "fbclid", "gclid", "dclid", "msclkid", "yclid", "twclid", "igshid", "cmpid", "ncid", "cmp", "ocid", "xtor",
    "wt_mc", "_ga", "_gl", "spm", "smid", "smtyp", "share", "s_cid", "ito", "rss", "ref_src", "feature",
}  # fmt: skip
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Letters with their marks (Python's \w leaves out the vowel signs of Indic scripts, Hebrew and Arabic points), and
# each character of scripts that put no spaces between words.
_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
    "|(?:[^\\W_\u3040-\u30ff\u3400-\u9fff]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0980-\u0dff])+"
)


def canonical_url(url: str) -> str:
    """``url`` with what does not tell articles apart removed; '' if it is not an http or https URL.

    Scheme and host lower-cased, default port, fragment, credentials and tracking parameters dropped; the order of what
    remains is kept. http and https are one, since sites move from one to the other.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host:
        return ""
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _tracks(name)]
    netloc = host if port in {None, _DEFAULT_PORTS[scheme]} else f"{host}:{port}"
    path = quote(unquote(parts.path, errors="surrogateescape"), safe="/~:@!$&'()*+,;=", errors="surrogateescape")
    return urlunsplit(("https", netloc, path.rstrip("/") or "/", urlencode(kept), ""))


def is_home_page(canonical: str) -> bool:
    """Whether a canonical URL names a site rather than one of its articles."""
    parts = urlsplit(canonical)
    return parts.path in {"", "/"} and not parts.query


def fingerprint(article: IncomingArticle) -> str:
    """A hash of the normalised headline, standfirst and first words; '' where there are too few to mean anything."""
    words = _words(_text_of(article)[:_TELLING_TEXT])[:_FINGERPRINT_WORDS]
    return _hashed(" ".join(words)) if len(words) >= _FEWEST_WORDS else ""


def to_remember(
    articles: Sequence[IncomingArticle], *, homes: Iterable[str] = (), newest_eligible: int | None = None
) -> tuple[Remembrance, ...]:
    """What one collection found, with what each article is known by; the same article twice is taken once.

    ``homes`` are URLs of the source itself, which are nobody's identity. ``newest_eligible`` is how many of the newest
    may be sent (a source's first collection), None for all.
    """
    urls = [canonical_url(article.url) for article in articles]
    guids = [article.guid for article in articles]
    headlines = [" ".join(_words(article.headline)) for article in articles]
    no_url = {canonical_url(home) for home in homes} | _shared(urls, guids, headlines) | {""}
    no_guid = _shared(guids, urls, headlines) | {""}
    seen: set[Identity] = set()
    found: list[IncomingArticle] = []
    identities: list[tuple[Identity, ...]] = []
    for article, url in zip(articles, urls, strict=True):
        by_url = url not in no_url and not is_home_page(url)
        known_by = [Identity(IdentityKind.URL, _hashed(url))] if by_url else []
        if article.guid not in no_guid:
            known_by.append(Identity(IdentityKind.GUID, _hashed(f"{article.source}\n{article.guid}")))
        if not by_url:  # a guid used again must not leave the second story without a name
            known_by.append(Identity(IdentityKind.GUID, _hashed(f"{article.source}\n\n{_text_of(article)}")))
        if seen.isdisjoint(known_by):
            found.append(article)
            identities.append(tuple(known_by))
        seen.update(known_by)
    eligible = _newest(found, newest_eligible)
    return tuple(
        Remembrance(article, known_by, fingerprint(article), index in eligible)
        for index, (article, known_by) in enumerate(zip(found, identities, strict=True))
    )


def same_story(incoming: Remembrance, known: Sequence[Known], now: datetime) -> Known | None:
    """Which of the stored articles found by URL, guid or words ``incoming`` is, None if it is new."""
    by_url = [one for one in known if one.by is IdentityKind.URL]
    if by_url:
        return by_url[0]
    for one in known:
        if one.by is IdentityKind.GUID and not _guid_used_again(incoming, one):
            return one
    for one in known:
        if one.by is IdentityKind.WORDS and _republished(incoming.article, one.article, now):
            return one
    return None


def _guid_used_again(incoming: Remembrance, known: Known) -> bool:
    """A guid came with another URL (or none was there to compare): it is another story if the words differ too."""
    new, old = incoming.article, known.article
    if canonical_url(new.url) == canonical_url(old.url) and not is_home_page(canonical_url(new.url) or "https://x/"):
        return False
    if _words(new.headline) == _words(old.headline):
        return False
    standfirst = _words(new.standfirst)
    if len(standfirst) >= _FEWEST_WORDS and standfirst == _words(old.standfirst):
        return False
    return _likeness(new.body_text, old.body_text) < _SIMILAR


def _republished(new: IncomingArticle, old: Article, now: datetime) -> bool:
    """The same words under another URL and guid: one story, unless they are few enough to recur."""
    if new.source != old.source or now - old.first_seen_at > SAME_WORDS_WINDOW:
        return False
    if len(_words(_text_of(new)[:_TELLING_TEXT])) >= _TELLING_WORDS:
        return True
    return abs((new.published_at or now) - old.published_at) <= _SAME_DATE


def _shared(values: Sequence[str], others: Sequence[str], headlines: Sequence[str]) -> set[str]:
    """Values that stand for more than one story of this collection: several ``others`` and several headlines."""
    with_others = Counter(value for value, _ in set(zip(values, others, strict=True)))
    with_headlines = Counter(value for value, _ in set(zip(values, headlines, strict=True)))
    return {value for value, count in with_headlines.items() if count > 1 and with_others[value] > 1}


def _newest(articles: Sequence[IncomingArticle], count: int | None) -> set[int]:
    """Positions of the ``count`` newest; those without a date keep the source's order, after those with one."""
    if count is None:
        return set(range(len(articles)))

    def age(index: int) -> tuple[bool, float, int]:
        published = articles[index].published_at
        return (published is None, -published.timestamp() if published else 0.0, index)

    return set(sorted(range(len(articles)), key=age)[:count])


def _tracks(parameter: str) -> bool:
    name = parameter.lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


def _words(text: str) -> list[str]:
    return _WORD.findall(normalize("NFKC", text).casefold())


def _text_of(article: IncomingArticle) -> str:
    return f"{article.headline} {article.standfirst} {article.body_text}"


def _likeness(one: str, other: str) -> float:
    """Share of words in common (Jaccard) of how two bodies begin; 0 where one is too short to tell."""
    first, second = _words(one[:3000])[:300], _words(other[:3000])[:300]
    if min(len(first), len(second)) < _TELLING_WORDS:
        return 0.0
    return len(set(first) & set(second)) / len(set(first) | set(second))


def _hashed(value: str) -> str:
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
