"""Her language: offered where her newsletters are made in several, stored, and spoken at once."""

from __future__ import annotations

from pathlib import Path

import lxml.html
import pytest
from aiohttp import ClientSession

from newsletter.members.links import Links
from newsletter.model import ConsentAction
from newsletter.store import Store, consents, subscribers
from tests.builders import add_subscribers
from tests.support.web_server import a_site, served
from tests.web.test_languages import in_several_languages


@pytest.mark.parametrize(("asked", "status"), [("de", 200), ("xx", 422)])
async def test_a_language_that_a_newsletter_is_made_in_can_be_chosen(
    store: Store, tmp_path: Path, asked: str, status: int
) -> None:
    (ann,) = add_subscribers(store, 1)
    person = store.read(subscribers.by_id, ann)
    assert person is not None
    a_site(tmp_path)
    async with served(in_several_languages(tmp_path), store) as base, ClientSession() as client:
        link = Links(base).preferences(ann, person.secret)
        async with client.get(link) as response:
            form = lxml.html.fromstring(await response.text()).forms[0]  # type: ignore[attr-defined]
        assert form.inputs["language"].value_options == ["", "hi", "ar", "ta", "en", "de"]
        assert form.inputs["language"].value == ""
        async with client.post(link, data=form.form_values()) as response:  # left as it is
            assert response.status == 200
        assert store.read(consents.history, ann) == []
        form.inputs["language"].value = "de"
        fields = [(name, asked if name == "language" else value) for name, value in form.form_values()]
        async with client.post(link, data=fields) as response:
            page = await response.text()
    after = store.read(subscribers.by_id, ann)
    assert after is not None
    assert response.status == status
    if status == 200:
        (entry,) = store.read(consents.history, ann)
        assert (entry.action, entry.detail, after.language) == (ConsentAction.CHANGED, "language", "de")
        assert 'lang="de"' in page
        assert "Ihre Auswahl ist gespeichert" in page
    else:
        assert (after.language, 'id="language-error"' in page) == ("", True)
