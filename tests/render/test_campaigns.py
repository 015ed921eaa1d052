"""Campaign parameters: on links to the publisher's own site, where a newsletter wants them, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from newsletter.model import Article
from newsletter.render.campaigns import Campaign
from tests.render.mails import SLOTS, WEB, Mail, a_newsletter, mail, pieces, variant

MARKS = "utm_source=daily&utm_medium=email&utm_campaign=2026-11-23%2F1"


def received(change: Any = lambda article: article, **newsletter: Any) -> Mail:
    return mail(
        variant(pieces({"National": [1, 2]}, newsletter=a_newsletter(("National",), **newsletter), change=change))
    )


def test_links_to_the_own_site_have_them_in_both_parts_where_the_newsletter_says_so() -> None:
    got = received(
        utm=True, note="See [the archive](https://archive.news.example/a?b=1) and [them](https://x.example/)."
    )
    assert f'href="https://news.example/national/story-1?{MARKS.replace("&", "&amp;")}"' in got.html
    assert f"https://news.example/national/story-1?{MARKS}\r\n" in got.text
    for part in (got.html.replace("&amp;", "&"), got.text):
        assert f"https://archive.news.example/a?b=1&{MARKS}" in part
        assert "https://x.example/?" not in part
        for link in (SLOTS["preferences_url"], SLOTS["browser_url"]):
            assert link in part
            assert f"{link}?utm" not in part
    assert f"{WEB}/media/a.jpg?" not in got.html
    assert "utm_" not in received().html


def test_what_a_newsletter_names_differs_from_the_rest_and_what_a_link_has_stays() -> None:
    def tagged(article: Article) -> Article:
        return replace(article, url=f"{article.url}?utm_source=feed#top") if article.id == 2 else article

    got = received(tagged, utm={"campaign": "autumn", "content": "digest"})
    assert "story-1?utm_source=daily&utm_medium=email&utm_campaign=autumn&utm_content=digest\r\n" in got.text
    assert "story-2?utm_source=feed&utm_medium=email&utm_campaign=autumn&utm_content=digest#top" in got.text
    with pytest.raises(ValidationError):
        a_newsletter(utm={"campaign": "a&b"})
    with pytest.raises(ValidationError):
        a_newsletter(utm={"campain": "autumn"})


@pytest.mark.parametrize(
    "document",
    [
        "See https://news.example/a.", "(https://news.example/a)", "https://evilnews.example/a https://news.example.org/",
        "mailto:desk@news.example", "https://[bad/ https://",
    ],
)  # fmt: skip
def test_only_whole_links_of_the_site_are_touched(document: str) -> None:
    campaign = Campaign({"utm_source": "d"}, "news.example", "mail.news.example")
    wanted = document.replace("https://news.example/a", "https://news.example/a?utm_source=d")
    assert campaign.added(document, "txt") == wanted
    assert campaign.added(f"<a  title='>' href='{document}'>x</a>", "html").count("utm_source") == 0
    assert campaign.added("<img src='https://news.example/a'>", "html") == "<img src='https://news.example/a'>"
