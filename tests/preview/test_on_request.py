"""The preview of mails that somebody asked for: chosen like editions of a newsletter, as a send makes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from newsletter.errors import UsageError
from newsletter.members.links import Links
from newsletter.model import SYSTEM, SystemMail
from newsletter.preview.choice import VIEWS
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.on_request import make_system_preview
from newsletter.render.templates import shipped_templates
from newsletter.store import Store, subscribers
from tests.builders import NOW
from tests.preview.bench import READER, Bench, a_site, configuration_of
from tests.preview.pages import mail, ready


@pytest.mark.parametrize("kind", SystemMail)
def test_each_kind_is_shown_for_a_reader_and_its_button_leads_to_nothing(tmp_path: Path, kind: SystemMail) -> None:
    site = a_site(tmp_path)
    configuration = configuration_of(site)
    with Store.open(site.store_url) as store:
        ann = store.read(subscribers.by_address, READER)
        assert ann is not None
        made = make_system_preview(configuration, store, kind.value, reader=READER, now=NOW)
        again = make_system_preview(configuration, store, kind.value, reader=READER, now=NOW)
        test = make_system_preview(configuration, store, kind.value, reader=READER, now=NOW, to="desk@news.example")
        by_hand = make_system_preview(configuration, store, kind.value, reader=KeyFacts(language="en"), now=NOW)
    assert (made.sha256, made.subject != "") == (again.sha256, True)
    for part in (made.html, made.text):
        assert READER in part
    button = Links("http://127.0.0.1:8025")
    dead = {
        SystemMail.CONFIRM: button.confirm(0, ann.secret),
        SystemMail.SIGN_IN: button.sign_in(0, ann.secret),
        SystemMail.ALREADY: button.sign_in(0, ann.secret),
    }
    if kind in dead:
        assert dead[kind] in made.text
    assert READER not in test.html + test.text
    assert "desk@news.example" in test.html
    assert by_hand.reader == "somebody who reads en"


def test_a_kind_there_is_not_names_the_one_that_was_meant(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    with Store.open(site.store_url) as store, pytest.raises(UsageError, match=r"'sign-on'.*sign-in"):
        make_system_preview(configuration_of(site), store, "sign-on", reader=KeyFacts(), now=NOW)


def test_the_page_lists_the_kinds_and_shows_each_part_of_the_mail(running: Bench, page: Page) -> None:
    ready(page, running.url)
    base = f"{running.origin}/?newsletter={SYSTEM}&edition=sign-in"
    ready(page, base)
    kinds = page.locator("#edition option").all_inner_texts()
    assert kinds == [one.value for one in SystemMail]
    assert page.locator("#edition").input_value() == "sign-in"
    assert mail(page).get_by_role("link", name="Sign in").count() == 1
    for one in VIEWS:
        answer = running.ask(f"/?newsletter={SYSTEM}&edition=sign-in&view={one}")
        assert (answer.status, "Your link to sign in" in answer.body) == (200, True), one
        assert 'class="wrong"' not in answer.body, one


def test_what_lint_finds_is_shown_with_its_place_and_the_styles_before_inlining(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    shipped = (shipped_templates() / "system" / "confirm.html").read_text(encoding="utf-8")
    broken = shipped.replace("{{ slot.action_url() }}", "/confirm")
    assert broken != shipped
    own = tmp_path / "templates" / "system" / "confirm.html"
    own.parent.mkdir(parents=True)
    own.write_text(broken, encoding="utf-8")
    configuration = configuration_of(site)
    with Store.open(site.store_url) as store:
        confirm = make_system_preview(configuration, store, "confirm", reader=READER, now=NOW)
        welcome = make_system_preview(configuration, store, "welcome", reader=READER, now=NOW)
        assert any(one.rule == "relative-link" and "system/confirm.html:" in one.where for one in confirm.findings), (
            confirm.findings
        )
        assert not [one for one in welcome.findings if one.rule == "relative-link"]
    assert 'class="button" align="center">' in confirm.uninlined
    assert confirm.uninlined != confirm.html
