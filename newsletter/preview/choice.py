"""The whole choice of the workbench as it stands in the URL, and back: what is shown can be linked to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from newsletter.errors import UsageError
from newsletter.model import MailFormat, StreamName
from newsletter.preview.choosing import NEXT, KeyFacts
from newsletter.preview.looks import DESKTOP, PHONE, Look, Pane, panes_of
from newsletter.preview.scenarios import PREFIX

# The views by the key that shows them, 1 to 9.
VIEWS = {
    "html": "Mail",
    "inbox": "Inbox",
    "text": "Text",
    "reading": "Read aloud",
    "headers": "Headers",
    "structure": "Structure",
    "source": "Source",
    "inlining": "Inlining",
    "difference": "Difference",
}
SCENARIO_VIEW = "scenario"
_YEARS = range(1970, 2101)  # with room for reckoning back and forth
WITH_PANES = ("html", SCENARIO_VIEW, "reading")


@dataclass(frozen=True, slots=True)
class Choice:
    """``address`` is a subscriber's; where it is '', ``key`` is the reader. ``at`` is the wall clock of the newsletter,
    '' for now. The rest says how it is shown; ``wide``: without the lists at both sides."""

    newsletter: str
    edition: str = NEXT
    address: str = ""
    key: KeyFacts = field(default_factory=KeyFacts)
    at: str = ""
    view: str = "html"
    panes: tuple[Pane, ...] = (Pane(),)
    wide: bool = False

    @property
    def reader(self) -> str | KeyFacts:
        return self.address or self.key

    @property
    def scenario(self) -> str:
        """The name of the scenario shown, '' where it is a real edition."""
        return self.edition.removeprefix(PREFIX) if self.edition.startswith(PREFIX) else ""

    def now(self, clock: datetime, zone: str) -> datetime:
        """The time at which it is looked at, UTC. Raises UsageError for one that cannot be read."""
        if not self.at:
            return clock
        try:
            said = datetime.fromisoformat(self.at)
        except ValueError:
            said = None
        if said is None or said.year not in _YEARS:
            raise UsageError(
                f"'{self.at}' is not a time of {_YEARS[0]} to {_YEARS[-1]}",
                where="at",
                remedy="Write it like 2026-11-25T07:00",
            )
        return (said.replace(tzinfo=ZoneInfo(zone)) if said.tzinfo is None else said).astimezone(UTC)

    def with_pane(self, place: int, pane: Pane | None) -> Choice:
        """The same with another pane at ``place`` (beyond the last: one more), or without that one."""
        panes = [*self.panes[:place], *([pane] if pane is not None else []), *self.panes[place + 1 :]]
        return replace(self, panes=tuple(panes) or (Pane(),))

    def arranged(self, panes: tuple[Pane, ...]) -> Choice:
        return replace(self, panes=panes)

    def beside(self) -> Pane:
        """What another pane shows first: the other width, or the dark."""
        last = self.panes[-1]
        other = Pane(PHONE if last.width != PHONE else DESKTOP, last.look)
        return other if other not in self.panes else Pane(last.width, Look.DARK)

    def of_edition(self, edition: str) -> Choice:
        return replace(self, edition=edition)

    def showing(self, view: str) -> Choice:
        return replace(self, view=view)

    def query(self) -> str:
        """The query string of this choice; what is usual stays out of it."""
        values = [("newsletter", self.newsletter), ("edition", self.edition), ("as", self.address)]
        values += [("plan", self.key.plan), ("language", self.key.language)]
        values += [("section", section) for section in self.key.sections]
        values += [("format", "" if self.key.format is MailFormat.HTML else self.key.format.value)]
        values += [("at", self.at), ("view", "" if self.view == "html" else self.view)]
        values += [("pane", str(pane)) for pane in self.panes] if self.panes != (Pane(),) else []
        values += [("wide", "1" if self.wide else "")]
        return urlencode([(name, value) for name, value in values if value and (name, value) != ("edition", NEXT)])

    @property
    def of(self) -> StreamName:
        """The newsletter and stream that ``newsletter`` names. Raises UsageError."""
        return StreamName.parse(self.newsletter)

    @classmethod
    def of_query(cls, query: Iterable[tuple[str, str]], default_newsletter: str) -> Choice:
        """What a query string asks for; a view or pane there is not shows the usual one. Raises UsageError."""
        pairs = [(name, value.strip()) for name, value in query]
        values = dict(pairs)
        sections = tuple(value for name, value in pairs if name == "section" and value)
        view = values.get("view", "")
        return cls(
            newsletter=str(StreamName.parse(values.get("newsletter") or default_newsletter)),
            edition=values.get("edition") or NEXT,
            address=values.get("as", ""),
            key=KeyFacts(
                values.get("plan", ""), values.get("language", ""), sections, _format(values.get("format", ""))
            ),
            at=values.get("at", ""),
            view=view if view in VIEWS or view == SCENARIO_VIEW else "html",
            panes=panes_of(value for name, value in pairs if name == "pane"),
            wide=values.get("wide") == "1",
        )


def key_of(pairs: Iterable[str], section_names: Iterable[str]) -> KeyFacts:
    """``plan=member``, ``sections=World,National`` … as the command line gives them. Raises UsageError."""
    names = {name.casefold() for name in section_names}
    plan = language = mail_format = ""
    sections: list[str] = []
    for pair in pairs:
        name, _, value = (part.strip() for part in pair.partition("="))
        match name:
            case "plan":
                plan = value
            case "language":
                language = value
            case "format":
                mail_format = value
            case "sections":  # a section's name may itself hold a comma
                whole = value.casefold() in names
                sections += [value] if whole else [part.strip() for part in value.split(",") if part.strip()]
            case _:
                raise UsageError(
                    f"a reader has no '{name}'",
                    where="--key",
                    remedy="Write plan=…, language=…, sections=A,B or format=text",
                )
    return KeyFacts(plan, language, tuple(sections), _format(mail_format))


def _format(text: str) -> MailFormat:
    try:
        return MailFormat(text or MailFormat.HTML)
    except ValueError:
        raise UsageError(f"there is no format '{text}'", where="format", remedy="Write html or text") from None
