"""What a source that lists everything lists no more: its stories that are gone, and those that are back. Pure.

A story missing from a sitemap is retracted only if the list still holds neighbours that are older *and* newer than it:
a list drops what is old, and may be late with what is new. Many missing at once are no retractions but a list that
was cut or filtered.
"""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.store.article_listings import Gone, Listed

# Of one list at once, so many at most, or this share of what it lists.
_MOST_GONE = 3
_GONE_SHARE = 0.05


def gone_and_back(articles: Sequence[Listed]) -> Gone:
    """Which of a source's articles are gone from its list, and which of those that were are back."""
    there = [one.published_at for one in articles if one.is_listed]
    if not there:
        return Gone()
    missing = [
        one.article_id
        for one in articles
        if not one.is_listed and one.retracted_at is None and min(there) < one.published_at < max(there)
    ]
    back = [one.article_id for one in articles if one.is_listed and one.gone_from_listing]
    if len(missing) > max(_MOST_GONE, _GONE_SHARE * len(there)):
        return Gone(back=tuple(back), suspicious=len(missing))
    return Gone(tuple(missing), tuple(back))
