"""What clients lack: features are found where they stand, named once, and a design may use one with a reason."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from newsletter.config.layout import ClientName
from newsletter.errors import TemplateError
from newsletter.render.lint import Expected, Mail, lint_mail
from newsletter.render.lint.clients import CLIENTS, allowed, features_in, support
from newsletter.render.templates import shipped_templates
from tests.render.mails import a_newsletter

PAGE = "<!DOCTYPE html><html><head><style>{css}</style></head><body{attributes}>{body}</body></html>"


def page(body: str = "", css: str = "", attributes: str = "") -> str:
    return PAGE.format(body=body, css=css, attributes=attributes)


def warned(html: str, *clients: str, shares: dict[str, float] | None = None, allow: tuple[str, ...] = ()) -> list[str]:
    expected = Expected(clients=dict.fromkeys(clients) | (shares or {}), allowed=allow)
    return [finding.what for finding in lint_mail(Mail(html, "", expected)) if finding.rule == "client"]


@pytest.mark.parametrize(
    ("html", "slug"),
    [
        (page('<p style="border-radius:4px">'), "css-border-radius"),
        (page('<p style="padding-top:4px">'), "css-padding"),
        (page('<p style="display: flex">'), "css-display-flex"),
        (page('<p style="color: rgb(0,0,0)">'), "css-rgb"),
        (page('<p style="width: calc(100% - 8px)">'), "css-unit-calc"),
        (page('<p style="font-size:1.5rem">'), "css-unit-rem"),
        (page('<p style="width:min-content">'), "css-intrinsic-size"),
        (page(css="@media (orientation: portrait) { p { color: red } }"), "css-at-media-orientation"),
        (page(css="@font-face { font-family: X }"), "css-at-font-face"),
        (page(css="p:hover { color: red }"), "css-pseudo-class-hover"),
        (page(css="p::before { content: 'x' }"), "css-pseudo-element-before"),
        (page(css="p > a { color: red }"), "css-selector-child"),
        (page(css="[data-x] { color: red }"), "css-selector-attribute"),
        (page(css=".a.b { color: red }"), "css-selector-chaining"),
        (page(css="p { color: red !important }"), "css-important"),
        (page(css="p { a { color: red } }"), "css-nesting"),
        (page(css="p { color: var(--ink) }"), "css-variables"),
        (page("<svg></svg>"), "html-svg"),
        (page("<video></video>"), "html-video"),
        (page('<img srcset="a.png 2x">'), "html-srcset"),
        (page('<img src="https://x.example/a.webp?w=3">'), "image-webp"),
        (page('<img src="data:image/png;base64,AA==">'), "image-base64"),
        (page('<a href="#top">x</a>'), "html-anchor-links"),
        (page('<input type="text">'), "html-input-text"),
        (page(attributes=' background="a.png"'), "html-background"),
    ],
)
def test_a_feature_is_found(html: str, slug: str) -> None:
    assert slug in features_in(Mail(html, ""))


@pytest.mark.parametrize(
    ("html", "slug"),
    [
        (page('<p style="text-transform:uppercase">'), "css-transform"),
        (page('<p style="display:none">'), "css-display-flex"),
        (page("<p style=\"font-family:'X 2rem'\">"), "css-unit-rem"),
        (page('<p style="color:#1e3e4c">'), "css-unit-ex"),
        (page('<p style="background:url(https://x.example/max(1).png)">'), "css-function-max"),
        (page('<a href="https://x.example/#top">x</a>'), "html-anchor-links"),
    ],
)
def test_what_only_looks_like_a_feature_is_not_one(html: str, slug: str) -> None:
    assert slug not in features_in(Mail(html, ""))


def test_only_the_clients_of_the_newsletter_count() -> None:
    html = page('<p style="border-radius:4px">')
    (said,) = (what for what in warned(html, "outlook-windows") if what.startswith("border-radius:"))
    assert said.startswith("border-radius: not in Outlook for Windows: Round corners can be used in VML")
    assert not [what for what in warned(html, "apple-mail") if what.startswith("border-radius:")]
    assert warned(html) == []


def test_shares_are_told_and_order_what_is_found() -> None:
    html = page('<p style="border-radius:4px;accent-color:red">')
    found = warned(html, shares={"outlook-windows": 0.1, "gmail": 0.4})
    assert any(what.startswith("border-radius: not in Outlook for Windows (10% of the readers): ") for what in found)
    accent = next(number for number, what in enumerate(found) if what.startswith("accent-color: not in"))
    assert "(50% of the readers)" in found[accent]
    assert accent < next(number for number, what in enumerate(found) if what.startswith("border-radius"))


def test_a_design_uses_a_feature_on_purpose_if_it_says_why(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "allowed_features.txt"
    file.write_text("# ours\n\nborder-radius — square corners do no harm\n", encoding="utf-8")
    found = allowed([tmp_path, shipped_templates()], ["mine", "shared"])
    assert found["border-radius"] == "square corners do no harm"
    assert "@media" in found
    assert not warned(page('<p style="border-radius:4px">'), "outlook-windows", allow=tuple(found))
    file.write_text("border-radius\n", encoding="utf-8")
    with pytest.raises(TemplateError) as error:
        allowed([tmp_path], ["mine"])
    assert error.value.where == f"{file}:1"


def test_the_names_in_schedules_yaml_are_those_of_the_table() -> None:
    assert set(typing.get_args(ClientName)) == set(CLIENTS)
    known = {client for feature in support().features.values() for client in feature.support}
    assert {client for _, clients in CLIENTS.values() for client in clients} <= known
    assert a_newsletter().client_shares == dict.fromkeys(
        ["gmail", "apple-mail", "outlook-windows", "outlook.com", "yahoo", "samsung"]
    )
    assert a_newsletter(clients={"gmail": 0.5}).client_shares == {"gmail": 0.5}


def test_the_data_names_its_source_and_licence() -> None:
    assert support().source.startswith("caniemail 1.")
    licence = Path(__file__).parents[2] / "newsletter" / "render" / "lint" / "caniemail.LICENSE"
    assert "Permission is hereby granted, free of charge" in licence.read_text(encoding="utf-8")
