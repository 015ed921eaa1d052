"""``newsletter snippet``: a form for a page of the publisher's own, without scripts and styles."""

from __future__ import annotations

from typing import Any

import lxml.html

from tests.support.console import Folder

TWO = """\
  weekend: {title: "Tea & <b>Cake</b>", from: "T <d@news.example>", languages: [ar], schedule: {at: "07:00"},
            sections: [{name: A}]}
  staff: {title: Staff, from: "T <d@news.example>", listed: false, schedule: {at: "07:00"}, sections: [{name: A}]}
"""


def form(html: str) -> Any:
    tree = lxml.html.fragment_fromstring(html)
    assert tree.tag == "form"
    assert not tree.xpath("//script | //style | //link")
    return tree


def test_the_form_offers_what_is_listed_or_one_newsletter_alone(folder: Folder) -> None:
    folder.edit("newsletters:\n", "newsletters:\n" + TWO)
    whole = form(folder.run("snippet").out)
    assert whole.get("action").endswith("/subscribe")
    assert whole.get("method") == "post"
    assert whole.xpath("//input[@type='checkbox']/@value")[0] == "weekend"
    assert "staff" not in whole.xpath("//input[@type='checkbox']/@value")
    assert "Tea & <b>Cake</b>" in whole.text_content()
    one = form(folder.run("snippet", "weekend", "--language", "ar").out)
    assert (one.get("dir"), one.get("lang")) == ("rtl", "ar")
    hidden = {field.get("name"): field.get("value") for field in one.xpath("//input[@type='hidden']")}
    assert hidden == {"newsletter": "weekend", "language": "ar"}


def test_what_cannot_be_offered_is_refused(folder: Folder) -> None:
    folder.edit("newsletters:\n", "newsletters:\n" + TWO)
    folder.run("snippet", "staff").refused(2, "'staff' is not listed")
    folder.run("snippet", "nothing").refused(2, "nothing")
    folder.run("snippet", "--language", "xx").refused(2, "no newsletter is made in 'xx'")
