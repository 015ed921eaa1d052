"""What the clients of a newsletter's readers make of a mail: features found in it, held against caniemail's tables.

``caniemail.json`` (MIT, ``caniemail.LICENSE`` beside it; made by ``python -m tests.judges.caniemail_data``) says of
each feature what it is found by and who lacks it, or a part of it. Everything here is a warning. What a design uses on
purpose stands in its ``allowed_features.txt`` with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from newsletter.errors import TemplateError
from newsletter.render.lint.css import Declaration, Rule, declarations
from newsletter.render.lint.findings import Finding, Spot, warning
from newsletter.render.lint.mail import Mail

ALLOWED_FILE = "allowed_features.txt"
_BETWEEN = " — "

# The names of ``clients:`` in schedules.yaml -> how they are called, and caniemail's clients that are meant.
CLIENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "gmail": ("Gmail", ("gmail.desktop-webmail", "gmail.ios", "gmail.android", "gmail.mobile-webmail")),
    "apple-mail": ("Apple Mail", ("apple-mail.macos", "apple-mail.ios")),
    "outlook-windows": ("Outlook for Windows", ("outlook.windows",)),
    "outlook.com": ("Outlook.com", ("outlook.outlook-com",)),
    "outlook-mac": ("Outlook for Mac", ("outlook.macos",)),
    "outlook-mobile": ("Outlook for phones", ("outlook.ios", "outlook.android")),
    "yahoo": ("Yahoo Mail", ("yahoo.desktop-webmail", "yahoo.ios", "yahoo.android")),
    "samsung": ("Samsung Email", ("samsung-email.android",)),
    "aol": ("AOL", ("aol.desktop-webmail", "aol.ios", "aol.android")),
    "thunderbird": ("Thunderbird", ("thunderbird.macos", "thunderbird.windows")),
    "protonmail": ("Proton Mail", ("protonmail.desktop-webmail", "protonmail.ios", "protonmail.android")),
    "fastmail": ("Fastmail", ("fastmail.desktop-webmail",)),
    "hey": ("HEY", ("hey.desktop-webmail",)),
    "gmx": ("GMX", ("gmx.desktop-webmail", "gmx.ios", "gmx.android")),
    "web.de": ("WEB.DE", ("web-de.desktop-webmail", "web-de.ios", "web-de.android")),
    "t-online": ("T-Online", ("t-online-de.desktop-webmail",)),
    "ionos": ("IONOS", ("ionos-1and1.desktop-webmail", "ionos-1and1.android")),
    "orange": ("Orange", ("orange.desktop-webmail", "orange.ios", "orange.android")),
    "sfr": ("SFR", ("sfr.desktop-webmail", "sfr.ios", "sfr.android")),
    "laposte": ("LaPoste.net", ("laposte.desktop-webmail", "laposte.ios", "laposte.android")),
    "free.fr": ("Free.fr", ("free-fr.desktop-webmail",)),
    "mail.ru": ("Mail.ru", ("mail-ru.desktop-webmail",)),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature that some client lacks (``n``) or has in part (``a``); notes by their number."""

    title: str
    support: Mapping[str, str]
    notes: Mapping[str, str]


@dataclass(frozen=True)
class Support:
    """caniemail's features, and which are found by what: ``("property", "gap")`` -> slugs."""

    source: str
    updated: str
    features: Mapping[str, Feature]
    found_by: Mapping[tuple[str, ...], Sequence[str]]


@lru_cache(maxsize=1)
def support() -> Support:
    """The data that is shipped."""
    data = json.loads(resources.files(__package__).joinpath("caniemail.json").read_text(encoding="utf-8"))
    features, found_by = {}, dict[tuple[str, ...], list[str]]()
    for slug, raw in data["features"].items():
        features[slug] = Feature(raw["title"], raw["support"], raw["notes"])
        for kind, *values in raw["found_by"]:
            whole = kind in ("with", "value") or not values
            for mark in [(kind, *values)] if whole else [(kind, value) for value in values]:
                found_by.setdefault(mark, []).append(slug)
    return Support(data["source"], data["updated"], features, found_by)


def clients(mail: Mail) -> Iterator[Finding]:
    """What some client of the newsletter's lacks; what most readers lose first, where shares are known."""
    if not mail.expected.clients:
        return
    table, found = support(), []
    for slug, spot in features_in(mail).items():
        feature = table.features[slug]
        if feature.title not in mail.expected.allowed and (said := _said(feature, mail.expected.clients)):
            found.append((*said, feature.title, spot))
    for share, lacking, note, title, spot in sorted(found, key=lambda one: (-one[0], one[3])):
        readers = f" ({share:.0%} of the readers)" if share else ""
        yield warning(
            "client",
            f"{title}: {lacking}{readers}{f': {note}' if note else ''}",
            f"Do without it, or say in {ALLOWED_FILE} why it may stand",
            spot,
            share=share,
        )


def _said(feature: Feature, shares: Mapping[str, float | None]) -> tuple[float, str, str] | None:
    """The share of readers whose client lacks it wholly, the words for all that lack any of it, a note."""
    without, partly, share = [], [], 0.0
    notes: dict[str, None] = {}
    for name in shares:
        called, platforms = CLIENTS[name]
        said = [feature.support.get(platform, "y") for platform in platforms]
        if all(one == "y" for one in said):
            continue
        if all(one[0] == "n" for one in said):
            without.append(called)
            share += shares[name] or 0
        else:
            partly.append(called)
        notes.update(dict.fromkeys(note for one in said for note in re.findall(r"#(\d+)", one)))
    if not without and not partly:
        return None
    phrases = [f"not in {', '.join(without)}"] if without else []
    phrases += [f"in part in {', '.join(partly)}"] if partly else []
    explained = next((_plain(feature.notes[number]) for number in notes if number in feature.notes), "")
    return share, "; ".join(phrases), explained


def _plain(note: str) -> str:
    """A note, which is Markdown, as text."""
    return " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", note).split()).rstrip(".")[:160]


def allowed(folders: Sequence[Path], names: Sequence[str]) -> dict[str, str]:
    """The features that a design uses on purpose, with the reason: ``allowed_features.txt`` of ``names`` (the design,
    ``shared``) in ``folders``, together. Raises TemplateError at ``file:line``."""
    found: dict[str, str] = {}
    for path in (folder / name / ALLOWED_FILE for folder in folders for name in names):
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            title, dash, reason = line.partition(_BETWEEN)
            if line.strip() and not line.startswith("#"):
                if not dash or not reason.strip():
                    raise TemplateError(
                        "a feature is allowed without a reason",
                        where=f"{path}:{number}",
                        remedy=f"Write: {title.strip() or 'display:flex'}{_BETWEEN}why those who lack it lose nothing",
                    )
                found.setdefault(title.strip(), reason.strip())
    return found


def features_in(mail: Mail) -> dict[str, Spot]:
    """The slug of every feature that ``mail`` uses, with the first place it does."""
    table = support().found_by
    found: dict[str, Spot] = {}
    for mark, spot in _marks(mail):
        for slug in table.get(mark, ()):
            found.setdefault(slug, spot)
    return found


def _marks(mail: Mail) -> Iterator[tuple[tuple[str, ...], Spot]]:
    if mail.html.lstrip()[:14].lower() == "<!doctype html":
        yield ("doctype",), Spot(element=0, line=1)
    for element in mail.elements:
        spot = mail.at(element)
        yield ("element", str(element.tag)), spot
        for name, value in element.items():
            yield ("attribute", str(name)), spot
            yield ("with", str(element.tag), str(name), str(value)), spot
        for mark in _declared(declarations(element.get("style") or "")):
            yield mark, spot
    for element, link in mail.links():
        spot = mail.at(element)
        yield ("link", "#" if link.startswith("#") else link.partition(":")[0] + ":"), spot
        if element.tag == "img":
            yield ("picture", urlsplit(link).path.rpartition(".")[2].lower()), spot
    for _, rule in mail.rules:
        spot = mail.at_rule(rule)
        for mark in (*_of_prelude(rule), *_declared(tuple(rule.declarations))):
            yield mark, spot
        if rule.rules and not rule.at:
            yield ("nesting",), spot


@lru_cache(maxsize=4096)
def _declared(declared: tuple[Declaration, ...]) -> tuple[tuple[str, ...], ...]:
    marks: list[tuple[str, ...]] = []
    for one in declared:
        value = re.sub(r"url\([^)]*\)|\"[^\"]*\"|'[^']*'", " ", one.value.lower())
        marks.append(("property", one.name))
        marks.append(("value", one.name, value.strip()))
        marks += [("function", name) for name in re.findall(r"([a-z-]+)\(", value)]
        marks += [("unit", unit) for unit in re.findall(r"(?<![#\w])[0-9.]+([a-z]+|%)", value)]
        marks += [("word", word) for word in re.findall(r"(?<![\w-])[a-z][a-z-]*(?![\w(-])", value)]
        if one.important:
            marks.append(("important",))
    return tuple(marks)


def _of_prelude(rule: Rule) -> Iterator[tuple[str, ...]]:
    if rule.at:
        yield "at", rule.at
        if rule.at == "media":
            for name in re.findall(r"\(\s*([a-z-]+)", rule.prelude.lower()):
                yield "media", name
        return
    bare = re.sub(r"\[[^\]]*\]", "[]", rule.prelude)
    for sign in ("[]", ",", ">", "+", "~", "*"):
        if sign in bare:
            yield "selector", sign
    for name in re.findall(r"::?([a-z-]+)", bare):
        yield "pseudo", name
    for one in re.split(r"\s*,\s*", re.sub(r"\([^)]*\)", "", bare)):
        compounds = re.split(r"\s*[>+~]\s*|\s+", one.strip())
        if re.search(r"[^\s>+~]\s+[^\s>+~]", one.strip()):
            yield "selector", "descendant"
        for compound in compounds:
            yield from _of_compound(compound)


def _of_compound(compound: str) -> Iterator[tuple[str, ...]]:
    if "." in compound:
        yield "selector", "class"
    if "#" in compound:
        yield "selector", "id"
    if re.match(r"[a-zA-Z]", compound):
        yield "selector", "type"
    if len(re.findall(r"\.[\w-]+", compound)) > 1:
        yield "selector", "chaining"
