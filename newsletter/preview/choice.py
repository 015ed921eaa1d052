"""The whole choice of the workbench as it stands in the URL, and back: what is shown can be linked to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from newsletter.errors import UsageError
from newsletter.model import MailFormat
from newsletter.preview.choosing import NEXT, KeyFacts
from newsletter.preview.showing import Scheme

WIDTHS = {"phone": 375, "desktop": 800}
VIEWS = {"html": "Mail", "text": "Text", "headers": "Headers", "source": "HTML source", "message": "Message"}


@dataclass(frozen=True, slots=True)
class Choice:
    """``address`` is a subscriber's; where it is '', ``key`` is the reader. The last three say how it is shown."""

    newsletter: str
    edition: str = NEXT
    address: str = ""
    key: KeyFacts = field(default_factory=KeyFacts)
    view: str = "html"
    width: str = "desktop"
    scheme: Scheme = Scheme.LIGHT

    @property
    def reader(self) -> str | KeyFacts:
        return self.address or self.key

    def query(self, **changes: str) -> str:
        """The query string of this choice, with another view, width or scheme."""
        values = [("newsletter", self.newsletter), ("edition", self.edition), ("as", self.address)]
        values += [("plan", self.key.plan), ("language", self.key.language)]
        values += [("section", section) for section in self.key.sections]
        values += [("format", "" if self.key.format is MailFormat.HTML else self.key.format.value)]
        shown = {"view": self.view, "width": self.width, "scheme": self.scheme.value} | changes
        usual = ("html", "desktop", "light")
        values += [(name, value) for (name, value), same in zip(shown.items(), usual, strict=True) if value != same]
        return urlencode([(name, value) for name, value in values if value and (name, value) != ("edition", NEXT)])

    @classmethod
    def of_query(cls, query: Iterable[tuple[str, str]], default_newsletter: str) -> Choice:
        """What a query string asks for; a view, width or scheme there is not shows the usual one. Raises UsageError."""
        pairs = [(name, value.strip()) for name, value in query]
        values = dict(pairs)
        sections = tuple(value for name, value in pairs if name == "section" and value)
        return cls(
            newsletter=values.get("newsletter") or default_newsletter,
            edition=values.get("edition") or NEXT,
            address=values.get("as", ""),
            key=KeyFacts(
                values.get("plan", ""), values.get("language", ""), sections, _format(values.get("format", ""))
            ),
            view=values["view"] if values.get("view") in VIEWS else "html",
            width=values["width"] if values.get("width") in WIDTHS else "desktop",
            scheme=Scheme.DARK if values.get("scheme") == Scheme.DARK else Scheme.LIGHT,
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
