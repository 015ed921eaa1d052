"""What makes two articles one: pure decisions on URLs, guids and text.

An article is known by its canonical URL, then by its guid within its source, then, for some days, by its words
(``likeness``), also where another source brings them. What URL and guid say loses to evidence of re-use: a guid that
arrives with another URL *and* other words, a URL that is a home page or that several different stories share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from newsletter import likeness
from newsletter.likeness import words
from newsletter.model import Article, IncomingArticle
from newsletter.store.articles import Identity, IdentityKind, Known, Remembrance

# A story whose guid and URL both changed is recognised by its words for this long after we first saw it.
SAME_WORDS_WINDOW = timedelta(days=14)
_FEWEST_WORDS = 8
_SIMILAR = 0.35
_UNLIKE = 0.05
_SAME_TIME = timedelta(minutes=1)
_ANOTHER_DAY = timedelta(hours=18)
_MOST_COMPARED, _FEWEST_SHARED = 4, 2

_TRACKING_PREFIXES = ("utm_", "mc_", "at_", "pk_", "mtm_", "hsa_", "vero_")
_TRACKING = {
    "fbclid", "gclid", "dclid", "msclkid", "yclid", "twclid", "igshid", "cmpid", "ncid", "cmp", "ocid", "xtor",
    "wt_mc", "_ga", "_gl", "spm", "smid", "smtyp", "share", "s_cid", "ito", "rss", "ref_src", "feature",
}  # fmt: skip
_DEFAULT_PORTS = {"http": 80, "https": 443}


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


def url_identity(url: str) -> Identity | None:
    """What an article is known by for its URL; None where that is no http or https URL, or a home page."""
    canonical = canonical_url(url)
    return Identity(IdentityKind.URL, _hashed(canonical)) if canonical and not is_home_page(canonical) else None


def to_remember(
    articles: Sequence[IncomingArticle], *, homes: Iterable[str] = (), newest_eligible: int | None = None
) -> tuple[Remembrance, ...]:
    """What one collection found, with what each article is known by; the same article twice is taken once.

    ``homes`` are URLs of the source itself, which are nobody's identity. ``newest_eligible`` is how many of the newest
    may be sent (a source's first collection), None for all.
    """
    urls = [canonical_url(article.url) for article in articles]
    guids = [article.guid for article in articles]
    headlines = [" ".join(words(article.headline)) for article in articles]
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
    sketches = [likeness.sketch(article) for article in found]
    repeated = _repeated(found, sketches)
    eligible = _newest([index for index in range(len(found)) if index not in repeated], found, newest_eligible)
    return tuple(
        Remembrance(article, known_by, sketch, newest_eligible is None or index in eligible, index in repeated)
        for index, (article, known_by, sketch) in enumerate(zip(found, identities, sketches, strict=True))
    )


def same_story(incoming: Remembrance, known: Sequence[Known], now: datetime) -> Known | None:
    """Which of the stored articles found by URL, guid or words ``incoming`` is, None if it is new."""
    new = incoming.article
    if new.published_at == now:  # it had no date, or none that can be (``dating``): that tells no two stories apart
        new = replace(new, published_at=None)
    for one in known:
        if one.by is IdentityKind.URL and not _url_used_again(new, one.article):
            return one
    for one in known:
        if one.by is IdentityKind.GUID and not _guid_used_again(new, one.article):
            return one
    for one in known:
        if one.by is IdentityKind.WORDS and (why := _same_words(new, one.article, now)):
            return replace(one, detail=why)
    return None


def _url_used_again(new: IncomingArticle, old: Article) -> bool:
    """Whether a URL stands for whatever its source published last: nothing else of the two agrees."""
    if new.source != old.source or not new.guid or not old.guid or new.guid == old.guid:
        return False
    if words(new.headline) == words(old.headline) or new.published_at is None:
        return False
    if abs(new.published_at - old.published_at) <= _ANOTHER_DAY:
        return False
    return likeness.resemblance(_text_of(new), _text_of(old)) < _UNLIKE


def _guid_used_again(new: IncomingArticle, old: Article) -> bool:
    """A guid came with another URL (or none was there to compare): it is another story if the words differ too."""
    if canonical_url(new.url) == canonical_url(old.url) and not is_home_page(canonical_url(new.url) or "https://x/"):
        return False
    another_day = new.published_at is not None and abs(new.published_at - old.published_at) > _ANOTHER_DAY
    if new.body_text and old.body_text:
        if another_day and likeness.templated(new.body_text, old.body_text):
            return True
        if likeness.resemblance(new.body_text, old.body_text) >= _SIMILAR:
            return False
    elif _same_time(new, old) and _much_the_same_opening(new, old):
        return False
    headline, standfirst = words(new.headline), words(new.standfirst)
    if standfirst == words(old.standfirst) and len(standfirst) >= _FEWEST_WORDS:
        return False
    if headline != words(old.headline):
        return True
    # "Weather" under one guid is every day's; a headline of a few words is one story's.
    return another_day and (standfirst != words(old.standfirst) or len(headline) < _FEWEST_WORDS // 2)


def _same_time(new: IncomingArticle, old: Article) -> bool:
    return new.published_at is not None and abs(new.published_at - old.published_at) <= _SAME_TIME


def _much_the_same_opening(new: IncomingArticle, old: Article) -> bool:
    texts = [f"{one.headline} {one.standfirst}" for one in (new, old)]
    first, second = (set(words(text)) for text in texts)
    return len(first & second) >= _SIMILAR * len(first | second) and not likeness.templated(*texts)


def _same_words(new: IncomingArticle, old: Article, now: datetime) -> str:
    """Why these are the same words under another URL and guid, '' where they are not, or not soon enough."""
    if now - old.first_seen_at > SAME_WORDS_WINDOW:
        return ""
    apart = (new.published_at or now) - old.published_at
    return likeness.same_story(new, old, apart, elsewhere=new.source != old.source)


def _repeated(found: Sequence[IncomingArticle], sketches: Sequence[tuple[int, ...]]) -> set[int]:
    """Positions of articles that say, under another name, what an article before them in this collection says."""
    holders: defaultdict[int, list[int]] = defaultdict(list)
    repeated: set[int] = set()
    for index, (article, sketch) in enumerate(zip(found, sketches, strict=True)):
        shared = Counter(other for value in sketch for other in holders[value])
        for other, number in shared.most_common(_MOST_COMPARED):
            before = found[other]
            if number < _FEWEST_SHARED:
                continue
            apart = timedelta()
            if article.published_at is not None and before.published_at is not None:
                apart = article.published_at - before.published_at
            if likeness.same_story(article, before, apart, elsewhere=False):
                repeated.add(index)
                break
        else:
            for value in sketch:
                holders[value].append(index)
    return repeated


def _shared(values: Sequence[str], others: Sequence[str], headlines: Sequence[str]) -> set[str]:
    """Values that stand for more than one story of this collection: several ``others`` and several headlines."""
    with_others = Counter(value for value, _ in set(zip(values, others, strict=True)))
    with_headlines = Counter(value for value, _ in set(zip(values, headlines, strict=True)))
    return {value for value, count in with_headlines.items() if count > 1 and with_others[value] > 1}


def _newest(positions: Sequence[int], articles: Sequence[IncomingArticle], count: int | None) -> set[int]:
    """The ``count`` newest of these positions; those without a date keep the source's order, after those with one."""
    if count is None:
        return set(positions)

    def age(index: int) -> tuple[bool, float, int]:
        published = articles[index].published_at
        return (published is None, -published.timestamp() if published else 0.0, index)

    return set(sorted(positions, key=age)[:count])


def _tracks(parameter: str) -> bool:
    name = parameter.lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


def _text_of(article: IncomingArticle | Article) -> str:
    return f"{article.headline} {article.standfirst} {article.body_text}"


def _hashed(value: str) -> str:
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
