"""An edition is linted as a reader gets it, in every rendered key, and findings name their template; SpamAssassin."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.deliver.linting import Linted, lint_edition
from newsletter.deliver.spam import ask_spamassassin, read_report
from newsletter.errors import UsageError
from newsletter.model import Article, RenderedKey
from newsletter.render.lint import Mail, Severity, lint_mail
from newsletter.render.rendering import render_edition, templates_of
from newsletter.render.templates import Templates
from tests.builders import an_article
from tests.render.mails import PICTURE, an_edition
from tests.support.web_server import a_site

DESIGNS = [name for name in Templates().designs() if name != "preview"]
KEYS = [RenderedKey(language, plan) for language in ("en", "hi", "ar") for plan in ("free", "member")]


def configured(folder: Path, design: str = "daily", *, lint: bool = True) -> Configuration:
    configuration = a_site(folder, url="https://mail.news.example")
    text = configuration.file.read_text(encoding="utf-8")
    changed = text.replace("  daily:\n", f"  daily:\n    design: {design}\n    gates: {{lint: {str(lint).lower()}}}\n")
    configuration.file.write_text(changed, encoding="utf-8")
    return load(configuration.file, {}, keys=SiteKeys.of_one(b"k" * 32))


def linted(configuration: Configuration, key: RenderedKey = KEYS[0], *, errors_only: bool = False) -> Linted:
    """The lint of an edition of twelve stories, made as a send makes it."""
    edition = an_edition({"National": range(1, 7), "World": range(7, 11), "Sport & Games": [11, 12]})
    articles: dict[int, Article] = {number: an_article(number, images=(PICTURE,)) for number in edition.article_ids}
    made = render_edition(configuration, edition, articles, key, templates_of(configuration))
    return lint_edition(configuration, edition, made, key, lambda: articles, errors_only=errors_only)


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("design", DESIGNS)
def test_no_design_that_is_shipped_has_a_finding(tmp_path: Path, design: str, key: RenderedKey) -> None:
    found = linted(configured(tmp_path, design), key)
    assert found.key == key
    assert found.findings == ()


def test_what_a_publisher_breaks_is_named_at_his_own_file(tmp_path: Path) -> None:
    shared = tmp_path / "templates" / "shared"
    shared.mkdir(parents=True)
    shipped = Templates().folders[-1] / "shared" / "card.html"
    shared.joinpath("card.html").write_text(
        shipped.read_text(encoding="utf-8").replace("story.url", "'/a-story'"), encoding="utf-8"
    )
    found = linted(configured(tmp_path))
    assert {finding.rule for finding in found.errors} == {"relative-link", "parts-differ"}
    line = next(
        number
        for number, text in enumerate(shared.joinpath("card.html").read_text(encoding="utf-8").splitlines(), 1)
        if "<h3" in text
    )
    relative = {finding.where for finding in found.errors if finding.rule == "relative-link"}
    assert f"{shared / 'card.html'}:{line}" in relative
    assert all(where.startswith(str(shared / "card.html")) for where in relative)


def test_errors_alone_are_asked_for_before_a_send(tmp_path: Path) -> None:
    shared = tmp_path / "templates" / "shared"
    shared.mkdir(parents=True)
    shipped = Templates().folders[-1] / "shared" / "footer.html"
    text = (
        shipped.read_text(encoding="utf-8")
        .replace(' role="presentation"', "")
        .replace("slot.unsubscribe", "slot.browser")
    )
    shared.joinpath("footer.html").write_text(text, encoding="utf-8")
    configuration = configured(tmp_path)
    assert {(one.severity, one.rule) for one in linted(configuration).findings} == {
        (Severity.ERROR, "unsubscribe"),
        (Severity.WARNING, "role"),
    }
    assert [one.rule for one in linted(configuration, errors_only=True).findings] == ["unsubscribe"]


def test_linting_takes_little_time(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    mail = linted(configuration).mail
    assert mail is not None
    took = []
    for _ in range(3):
        started = time.process_time()
        lint_mail(Mail(mail.html, mail.text, mail.expected))
        took.append(time.process_time() - started)
    assert min(took) < 0.3


SPAM = """Content analysis details:   (6.2 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 0.0 HTML_MESSAGE           BODY: HTML included in message
 1.1 MIME_HTML_MOSTLY       BODY: Multipart message mostly text/html MIME
-0.1 DKIM_VALID             Message has at least one valid DKIM or DK signature
 5.2 GTUBE_LIKE             BODY: Something awful
"""


def test_a_report_of_spamassassin_is_read() -> None:
    assert [finding.what for finding in read_report(SPAM)] == [
        "SpamAssassin gives it 6.2 points, and 5.0 are spam",
        "SpamAssassin gives 1.1 points for MIME_HTML_MOSTLY: BODY: Multipart message mostly text/html MIME",
        "SpamAssassin gives 5.2 points for GTUBE_LIKE: BODY: Something awful",
    ]
    assert {finding.severity for finding in read_report(SPAM)} == {Severity.WARNING}
    assert read_report("1.1/5.0\n" + SPAM.partition("\n\n")[2].replace("5.2 GTUBE", "0.0 GTUBE"))[0].what.startswith(
        "SpamAssassin gives 1.1 points for MIME"
    )


def stand_in(folder: Path, name: str, report: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\ncat > {folder}/asked\ncat <<'END'\n{report}\nEND\n", encoding="utf-8")
    program.chmod(0o755)


def test_spamassassin_is_asked_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "spamassassin", SPAM)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert len(ask_spamassassin(b"Subject: x\r\n\r\nx\r\n")) == 3
    assert (tmp_path / "asked").read_bytes() == b"Subject: x\r\n\r\nx\r\n"
    stand_in(tmp_path, "spamassassin", "nothing of use")
    with pytest.raises(UsageError, match="nothing of a score"):
        ask_spamassassin(b"x")


def test_without_spamassassin_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="not on the PATH"):
        ask_spamassassin(b"x")
