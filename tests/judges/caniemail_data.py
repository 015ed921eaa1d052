"""``python -m tests.judges.caniemail_data``: the npm package ``caniemail`` -> the data file the lint ships.

Run it after the package's version in tests/judges/package-lock.json was raised. It keeps, of each feature that a mail's
source can show, what it is found by and what each client makes of it; full support is left out.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent / "node_modules" / "caniemail"
_SHIPPED = Path(__file__).parents[2] / "newsletter" / "render" / "lint"

_LOGICAL = ("inline-start", "inline-end", "block-start", "block-end")
_SIDES = ("top", "right", "bottom", "left")
# What a feature is found by, where its title does not say it.
_FOUND_BY: dict[str, list[list[str]]] = {
    "css-at-media-device-pixel-ratio": [["media", "-webkit-device-pixel-ratio", "-webkit-min-device-pixel-ratio"]],
    "css-at-media-hover": [["media", "hover", "any-hover"]],
    "css-border": [["property", "border", *(f"border-{side}" for side in _SIDES)]],
    "css-margin": [["property", "margin", *(f"margin-{side}" for side in _SIDES)]],
    "css-padding": [["property", "padding", *(f"padding-{side}" for side in _SIDES)]],
    "css-block-inline-size": [["property", "block-size", "inline-size"]],
    "css-border-inline-block": [["property", "border-inline", "border-block"]],
    "css-border-inline-block-individual": [["property", *(f"border-{side}" for side in _LOGICAL)]],
    "css-border-inline-block-longhand": [
        ["property", *(f"border-{side}-{what}" for side in _LOGICAL for what in ("width", "style", "color"))]
    ],
    "css-border-radius-logical": [
        ["property", *(f"border-{block}-{inline}-radius" for block in ("start", "end") for inline in ("start", "end"))]
    ],
    "css-color-scheme": [["property", "color-scheme"]],
    "css-column-layout-properties": [["property", "columns", "column-width", "column-rule", "column-fill"]],
    "css-comments": [],
    "css-gap": [["property", "gap", "column-gap", "row-gap"]],
    "css-grid-template": [["property", *(f"grid-template{what}" for what in ("", "-columns", "-rows", "-areas"))]],
    "css-important": [["important"]],
    "css-intrinsic-size": [["word", "fit-content", "min-content", "max-content"]],
    "css-left-right-top-bottom": [["property", "left", "right", "top", "bottom"]],
    "css-modern-color": [["function", "lch", "oklch", "lab", "oklab"]],
    "css-nesting": [["nesting"]],
    "css-pseudo-class-lang": [["pseudo", "lang"]],
    "css-selector-adjacent-sibling": [["selector", "+"]],
    "css-selector-attribute": [["selector", "[]"]],
    "css-selector-chaining": [["selector", "chaining"]],
    "css-selector-child": [["selector", ">"]],
    "css-selector-class": [["selector", "class"]],
    "css-selector-descendant": [["selector", "descendant"]],
    "css-selector-general-sibling": [["selector", "~"]],
    "css-selector-grouping": [["selector", ","]],
    "css-selector-id": [["selector", "id"]],
    "css-selector-type": [["selector", "type"]],
    "css-selector-universal": [["selector", "*"]],
    "css-sytem-ui": [["word", "system-ui", "ui-serif", "ui-sans-serif", "ui-rounded", "ui-monospace"]],
    "css-unit-calc": [["function", "calc"]],
    "css-unit-initial": [["word", "initial"]],
    "css-unit-percent": [["unit", "%"]],
    "css-variables": [["function", "var"]],
    "html-address": [["element", "address"]],
    "html-anchor-links": [["link", "#"]],
    "html-comments": [],
    "html-doctype": [["doctype"]],
    "html-h1-h6": [["element", "h1", "h2", "h3", "h4", "h5", "h6"]],
    "html-image-maps": [["element", "map", "area"]],
    "html-lists": [["element", "ul", "ol", "dl"]],
    "html-mailto-links": [["link", "mailto:"]],
    "html-meta-color-scheme": [["with", "meta", "name", "color-scheme"]],
    "html-semantics": [
        ["element", "article", "aside", "details", "figcaption", "figure", "footer", "header", "main", "mark", "nav",
         "section", "summary", "time"]
    ],
    "html-srcset": [["attribute", "srcset", "sizes"]],
    "html-svg": [["element", "svg"]],
    "image-apng": [["picture", "apng"]],
    "image-base64": [["link", "data:"]],
    "image-heif": [["picture", "heif", "heic"]],
    "image-jpg": [["picture", "jpg", "jpeg"]],
    "image-mp4": [["picture", "mp4"]],
    "image-tiff": [["picture", "tif", "tiff"]],
}  # fmt: skip
# What no message's source shows (a DNS record, a part of another type).
_NOT_SHOWN = {"amp", "bimi"}


def main() -> None:
    package = json.loads((_PACKAGE / "package.json").read_text(encoding="utf-8"))
    data = json.loads((_PACKAGE / "data" / "caniemail.json").read_text(encoding="utf-8"))
    features = {one["slug"]: _feature(one) for one in data["data"] if one["slug"] not in _NOT_SHOWN}
    shipped = {
        "source": f"caniemail {package['version']} ({package['homepage']})",
        "license": "MIT, see caniemail.LICENSE",
        "updated": data["last_update_date"][:10],
        "features": {slug: feature for slug, feature in features.items() if feature["found_by"] and feature["support"]},
    }
    lines = json.dumps(shipped, ensure_ascii=False, separators=(",", ":")).replace(',"css-', ',\n"css-')
    text = lines.replace(',"html-', ',\n"html-').replace(',"image-', ',\n"image-')
    (_SHIPPED / "caniemail.json").write_text(text + "\n", encoding="utf-8")
    shutil.copyfile(_PACKAGE / "LICENSE", _SHIPPED / "caniemail.LICENSE")
    print(f"{len(shipped['features'])} features of {shipped['source']}, {len(text):,} characters")


def _feature(one: dict[str, Any]) -> dict[str, Any]:
    support: dict[str, str] = {}
    for family, platforms in one["stats"].items():
        for platform, versions in platforms.items():
            said = list(versions.values())[-1]  # oldest first; some name versions and years in one list
            if said[:1] in ("n", "a"):
                support[f"{family}.{platform}"] = said
    numbers = {number for said in support.values() for number in re.findall(r"#(\d+)", said)}
    notes = {number: note for number, note in (one["notes_by_num"] or {}).items() if number in numbers}
    return {"title": " ".join(one["title"].split()), "found_by": _found_by(one), "support": support, "notes": notes}


def _found_by(one: dict[str, Any]) -> list[list[str]]:
    slug, title = one["slug"], " ".join(one["title"].split())
    if slug in _FOUND_BY:
        return _FOUND_BY[slug]
    if found := re.fullmatch(r"<(\w+)(?: (\w+)=\"(\w+)\")?>(?: element)?", title):
        return [["with", *found.groups()]] if found[2] else [["element", found[1]]]
    if slug.startswith("html-") and (found := re.fullmatch(r"([\w-]+) attribute", title)):
        return [["attribute", found[1]]]
    if found := re.fullmatch(r"@media \(([\w-]+)\)", title):
        return [["media", found[1]]]
    if found := re.fullmatch(r"@([\w-]+)", title):
        return [["at", found[1]]]
    if found := re.fullmatch(r"::?([\w-]+)(?:\(\))?", title):
        return [["pseudo", found[1]]]
    if found := re.fullmatch(r"([\w-]+)\(\)", title):
        return [["function", found[1]]]
    if found := re.fullmatch(r"([\w-]+) unit", title):
        return [["unit", found[1]]]
    if found := re.fullmatch(r"([\w-]+): ?([\w-]+)", title):
        return [["value", found[1], found[2]]]
    if found := re.fullmatch(r"([\w-]+) & ([\w-]+)", title):
        return [["property", found[1], found[2]]]
    if slug.startswith("image-"):
        return [["picture", slug.removeprefix("image-")]]
    if found := re.fullmatch(r"([a-z-]+)(?: property| shorthand)?", title):
        return [["property", found[1]]]
    print(f"not found by anything: {slug} ({title})")
    return []


if __name__ == "__main__":
    main()
