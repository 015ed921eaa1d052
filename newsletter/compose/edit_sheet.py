"""An edition as a small YAML sheet that an editor changes in her own text editor, and back: the change she made. Pure.

``write`` shows what is composed; ``read`` compares what came back with it. A fault names its line, and is the whole
answer: nothing is half understood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from newsletter.compose.edits import TEXTS, Change, TextName
from newsletter.config.document import Document, parse
from newsletter.config.faults import suggestion
from newsletter.errors import ConfigurationError, UsageError
from newsletter.model import EditionSection, Edits, Pin

_HELP = """\
# {name} as it is composed. Change it, save and close; an unchanged sheet changes nothing.
#
#   other order      move the lines
#   drop a story     delete its line
#   pin a story      move its line to another section, or add one with its number (`newsletter articles list`): - 123:
#   retitle          change the headline, in this mail only; nothing after the colon: the story's own
#   lead             put one line under lead: that story leads for every reader, whatever her sections
#   subject, preheader, note (Markdown)    nothing after the colon: the newsletter's own; note: "" for none
#
# It is the same for every cohort. Where the edition was approved, it has to be approved again.
"""
# What YAML takes for text without quotes, whatever its version, unless it is one of these words.
_PLAIN = re.compile(r"[^\W\d_](?:[^:#]*[^\s:#])?")
_NOT_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_ESCAPED = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]|[\[{](?=\s*[\[{])")
_KEYS = (*TEXTS, "lead", "sections", "missed")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a sheet shows: the edited ``sections``, ``names`` of the newsletter's sections in order, the articles' own
    ``headlines``, and the edits so far.

    ``may_lead`` is False where the newsletter has no lead; ``composed_lead`` is the story that leads unless editors
    want otherwise.
    """

    name: str
    sections: tuple[EditionSection, ...]
    names: tuple[str, ...]
    headlines: Mapping[int, str]
    edits: Edits
    may_lead: bool = True
    composed_lead: int | None = None

    def listed(self) -> dict[str, tuple[int, ...]]:
        """The stories of every section that has or may have some, in order."""
        there = {section.name: section.article_ids for section in self.sections if section.name and not section.missed}
        return {name: there.get(name, ()) for name in (*self.names, *(one for one in there if one not in self.names))}

    def lead(self) -> tuple[int, ...]:
        """The story that leads for every reader, if there is one."""
        return tuple(article for section in self.sections if section.leads for article in section.article_ids)

    def missed(self) -> tuple[int, ...]:
        """What had no place elsewhere."""
        return tuple(article for section in self.sections if section.missed for article in section.article_ids)

    def headline(self, article_id: int) -> str:
        """The headline that the mail would show, in one line."""
        return " ".join((dict(self.edits.headlines).get(article_id) or self.headlines.get(article_id, "")).split())


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was read: the change, and the place (``FILE:LINE``) of each article that the sheet names."""

    change: Change
    places: Mapping[int, str]


def write(shown: Shown) -> str:
    """The sheet."""
    lines = [_HELP.format(name=shown.name)]
    lines += [_text(name, getattr(shown.edits, name)) for name in TEXTS]
    if shown.may_lead:
        lead = shown.lead()
        lines.append("\n# With none, the first story of each reader's first section leads.")
        lines.append("lead:" + ("" if lead else " []"))
        lines += [f"  - {article}: {_scalar(shown.headline(article))}" for article in lead]
    lines.append("\nsections:")
    for section, articles in shown.listed().items():
        lines.append(f"  {_scalar(section)}:" + ("" if articles else " []"))
        lines += [f"    - {article}: {_scalar(shown.headline(article))}" for article in articles]
    if missed := shown.missed():
        lines.append("\n# What had no place; move a line up to give it one.\nmissed:")
        lines += [f"  - {article}: {_scalar(shown.headline(article))}" for article in missed]
    return "\n".join(lines) + "\n"


def read(text: str, file: str, shown: Shown) -> Sheet:
    """What ``text``, the sheet of ``shown`` as it came back in ``file``, changes. Raises UsageError with the line."""
    try:
        document = parse(text, file)
    except ConfigurationError as error:
        raise UsageError(error.what, where=error.where, remedy=_unchanged(error.remedy)) from None
    if document.faults:
        fault = document.faults[0]
        raise UsageError(fault.what, where=fault.where, remedy=_unchanged(fault.remedy))
    return _Reading(document, shown).sheet()


class _Reading:
    """One sheet on its way to a change."""

    def __init__(self, document: Document, shown: Shown) -> None:
        self.document, self.data, self.shown = document, document.data, shown
        self.places: dict[int, str] = {}
        self.headlines: dict[int, str] = {}

    def sheet(self) -> Sheet:
        for key in self.data:
            if key not in _KEYS:
                raise self.fault(f"there is no '{key}' in a sheet", suggestion(key, _KEYS), key)
        before, lead, after = self.shown.listed(), self._lead(), self._sections()
        missed = self._missed(after)
        standing = {article for articles in after.values() for article in articles}.union(lead, missed)
        pins, order = self._places(before, after, lead)
        change = Change(
            drop=tuple(
                article
                for articles in (self.shown.lead(), *before.values(), self.shown.missed())
                for article in articles
                if article not in standing
            ),
            pin=tuple(pins),
            headlines=self.headlines,
            order=order,
            texts=self._texts(),
        )
        return Sheet(change, self.places)

    def _lead(self) -> list[int]:
        if not self.shown.may_lead and self.data.get("lead"):
            raise self.fault("this newsletter has no lead", "Its lead in schedules.yaml is: none", "lead")
        lead = self._articles(self.data.get("lead"), "lead")
        if len(lead) > 1:
            raise self.fault("only one story leads", "Move the others to a section", "lead", 1)
        return lead

    def _sections(self) -> dict[str, list[int]]:
        given, known = self.data.get("sections"), list(self.shown.listed())
        if not isinstance(given, dict):
            raise self.fault("the sections are gone", "`newsletter editions hold` holds an edition", "sections")
        for name in given:
            if name not in known:
                raise self.fault(f"there is no section '{name}'", suggestion(name, known), "sections", name)
        for name, other in zip(given, sorted(given, key=known.index), strict=True):
            if name != other:
                raise self.fault(
                    f"the section '{name}' has moved", "Sections keep the newsletter's order", "sections", name
                )
        return {name: self._articles(given.get(name), "sections", name) for name in known}

    def _missed(self, sections: Mapping[str, Sequence[int]]) -> list[int]:
        before = self.shown.missed()
        missed = self._articles(self.data.get("missed"), "missed")
        for at, article in enumerate(missed):
            if article not in before:
                raise self.fault(
                    f"article {article} cannot be put among what was missed", "Put it in a section", "missed", at
                )
        if missed != [article for article in before if article in missed]:
            raise self.fault("what was missed has no order to change", "Move a line to a section", "missed")
        return missed

    def _articles(self, given: Any, *path: str) -> list[int]:
        if given is None:
            return []
        if not isinstance(given, list):
            raise self.fault("here stand stories, one a line", "Write each like - 123: Its headline", *path)
        found: list[int] = []
        for at, item in enumerate(given):
            place: tuple[str | int, ...] = (*path, at)
            article, headline = self._item(item, *place)
            if article in self.places:
                raise self.fault(
                    f"article {article} stands twice, also on {self.places[article]}", "Delete one", *place
                )
            self.places[article] = self.document.where(*place)
            self._headline(article, headline, *place)
            found.append(article)
        return found

    def _item(self, item: Any, *path: str | int) -> tuple[int, Any]:
        number, headline = item, None
        if isinstance(item, dict) and len(item) == 1:
            number, headline = next(iter(item.items()))
        if isinstance(number, str) and number.isascii() and number.isdigit():
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise self.fault("this is not a story", "Write its number and headline like - 123: Its headline", *path)
        return number, headline

    def _headline(self, article: int, given: Any, *path: str | int) -> None:
        if given is not None and not isinstance(given, str):
            raise self.fault("the headline is not text", "Put it in quotes", *path)
        headline = " ".join((given or "").split())
        own = dict(self.shown.edits.headlines)
        if headline != (self.shown.headline(article) if headline else "") or (not headline and article in own):
            self.headlines[article] = headline

    def _places(
        self, before: Mapping[str, Sequence[int]], after: Mapping[str, Sequence[int]], lead: Sequence[int]
    ) -> tuple[list[Pin], dict[str, tuple[int, ...]]]:
        """What is to be pinned, and the order of sections, so that these come out as the sheet has them."""
        were_pinned = {pin.article_id for pin in self.shown.edits.pinned}
        pins = [Pin(article, leads=True) for article in lead if article not in self.shown.lead()]
        # Without another lead, what was composed to lead would do so again.
        composed = {self.shown.composed_lead} if self.shown.lead() and not lead else set()
        order: dict[str, tuple[int, ...]] = {}
        for name, articles in after.items():
            if list(articles) == list(before[name]) and composed.isdisjoint(articles):
                continue
            pinned = {
                article
                for article in articles
                if article in were_pinned or article not in before[name] or article in composed
            }
            pins += [Pin(article, name, at) for at, article in enumerate(articles, start=1) if article in pinned]
            rest = [article for article in articles if article not in pinned]
            if rest != [article for article in before[name] if article in rest]:
                order[name] = tuple(articles)
        return pins, order

    def _texts(self) -> dict[TextName, str | None]:
        changed: dict[TextName, str | None] = {}
        for name in TEXTS:
            given = self.data.get(name)
            if given is not None and not isinstance(given, str):
                raise self.fault(f"the {name} is not text", "Put it in quotes", name)
            text = given.strip() if given is not None else None
            text = None if text == "" and name != "note" else text
            if text != getattr(self.shown.edits, name):
                changed[name] = text
        return changed

    def fault(self, what: str, remedy: str, *path: str | int) -> UsageError:
        return UsageError(what, where=self.document.where(*path), remedy=_unchanged(remedy))


def _unchanged(remedy: str) -> str:
    return f"{remedy.removesuffix('.')}. Nothing was changed" if remedy else "Nothing was changed"


def _text(name: str, text: str | None) -> str:
    if text is None:
        return f"{name}:"
    lines = text.split("\n")
    if len(lines) > 1 and text == text.strip() and all(line.isprintable() for line in lines):
        return "\n".join((f"{name}: |-", *(f"  {line}" if line else "" for line in lines)))
    return f"{name}: {_scalar(text)}"


def _scalar(text: str) -> str:
    """``text`` as YAML: plain where it cannot be taken for anything else, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.isprintable() and text.casefold() not in _NOT_TEXT:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    # Many brackets look like a nest of lists to ``config.document``.
    return _ESCAPED.sub(lambda found: f"\\U{ord(found[0]):08x}", quoted)
