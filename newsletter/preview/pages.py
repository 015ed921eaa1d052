"""What the page and its parts show: a choice and what was made of it -> the values of the workbench's templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.config.reading import Configuration
from newsletter.errors import ConfigurationError, NewsletterError, NothingToSend, UsageError
from newsletter.model import SYSTEM, MailFormat, Stream, SystemMail
from newsletter.preview import scenarios, showing
from newsletter.preview.choice import SCENARIO_VIEW, VIEWS, WITH_PANES, Choice
from newsletter.preview.choosing import NEXT, past_occurrences
from newsletter.preview.inspecting import check_headers, mime_tree
from newsletter.preview.looks import NARROWEST, PRESETS, PROFILES, WIDEST, WIDTHS, Pane
from newsletter.preview.numbering import numbers_of
from newsletter.preview.ruler import measure
from newsletter.preview.speaking import speak
from newsletter.preview.weighing import weigh
from newsletter.preview.workbench import COMING_DAYS, Kept, Workbench
from newsletter.render.lint import STYLE_DROPPED_BYTES, Mail
from newsletter.render.templates import shipped_templates

_LOCALE = "en"  # the workbench is for the desk, and speaks English as the command line does
MODULES = ("main", "panes", "inverting", "marks", "keys", "forms")
_TEMPLATE_LINES = 2


def environment() -> ImmutableSandboxedEnvironment:
    """Only what is shipped: a publisher's own templates must not break the tool that shows what is wrong in them."""
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(shipped_templates() / "preview"),
        autoescape=lambda name: name is None or name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["decimal"] = partial(format_decimal, locale=_LOCALE)
    made.filters["moment"] = partial(format_datetime, format="EEE d MMM, HH:mm", locale=_LOCALE)
    return made


def page(
    workbench: Workbench, choice: Choice, kept: Kept | None, error: NewsletterError | None, token: str
) -> dict[str, Any]:
    """What ``workbench.html`` shows. With an ``error``, ``kept`` is the last that was good."""
    configuration = workbench.configuration
    newsletters = configuration.schedules.newsletters
    on_request = choice.newsletter == SYSTEM
    of = choice.of
    there = configuration.newsletter(SYSTEM) if on_request else newsletters.get(of.newsletter)
    known = there.of(of.stream) if there is not None else None
    zone = ZoneInfo(configuration.zone(*of)) if known else configuration.schedules.site.zone
    values = {
        "choice": choice,
        "preview": kept.preview if kept else None,
        "stale": error is not None,
        "error": error,
        "faults": _faults(error),
        "excerpt": _excerpt(configuration, error) if error else None,
        "is_empty": isinstance(error, NothingToSend),
        "is_usage": isinstance(error, UsageError),
        "newsletters": {**_streams(configuration), SYSTEM: "Mails on request"},
        "on_request": [one.value for one in SystemMail] if on_request else [],
        "past": past_occurrences(workbench.store, of) if known and not on_request else [],
        "shelf": scenarios.shelf(configuration),
        "prefix": scenarios.PREFIX,
        "next": NEXT,
        "plans": list(configuration.schedules.plans),
        "language": configuration.language(of.newsletter) if known else "",
        "languages": configuration.languages(of.newsletter) if known else (),
        "sections": list(known.section_names) if known else [],
        "formats": [one.value for one in MailFormat],
        "views": VIEWS,
        "scenario_view": SCENARIO_VIEW,
        "with_panes": WITH_PANES,
        "widths": WIDTHS,
        "profiles": PROFILES,
        "presets": PRESETS,
        "new_pane": Pane,
        "narrowest": NARROWEST,
        "widest": WIDEST,
        "zone": zone,
        "times": _times(workbench.clock().astimezone(zone)),
        "recipients": workbench.test_recipients() if workbench.post is not None else (),
        "staging": configuration.schedules.environment.value == "staging",
        "token": token,
        "modules": MODULES,
        "elsewhere": showing.pictures_elsewhere(kept.preview.html, kept.preview.web_base) if kept else 0,
        "ruler": _ruler(kept) if kept else None,
    }
    if kept is not None and choice.view not in ("html", SCENARIO_VIEW):
        values |= view(workbench, kept, choice.view)
    if choice.scenario:
        values |= scenario(configuration, choice.scenario)
    return values


def view(workbench: Workbench, kept: Kept, name: str) -> dict[str, Any]:
    """What one part of the message shows. Raises NewsletterError."""
    preview = kept.preview
    values: dict[str, Any] = {"preview": preview, "choice": kept.choice}
    match name:
        case "inbox":
            values["coming"] = workbench.coming(kept.choice)
            values["coming_days"] = COMING_DAYS
        case "headers":
            values["checks"] = check_headers(preview.message, preview.unsubscribe_url)
        case "structure":
            values["mime"] = mime_tree(preview.message)
        case "reading":
            mail = Mail(preview.html, preview.text)
            numbers = numbers_of(mail)
            values["spoken"] = [(one, numbers.get(one.element, -1)) for one in speak(mail)]
        case "inlining":
            values["before"] = preview.uninlined if preview.html else ""
        case "difference":
            values["difference"] = workbench.difference(kept)
    return values


def _streams(configuration: Configuration) -> dict[str, str]:
    """What can be chosen of every newsletter, by name: its title, and what the title is of."""
    titles = {of: configuration.newsletter(*of).title for of in configuration.streams}
    return {str(of): title if of.stream is Stream.EACH else f"{title} ({of.stream})" for of, title in titles.items()}


def findings(workbench: Workbench, kept: Kept) -> dict[str, Any]:
    """What the lint says, heaviest first, each with its element's number and its template's lines."""
    configuration, preview = workbench.configuration, kept.preview
    newsletter = configuration.named(kept.choice.of)
    numbers = numbers_of(Mail(preview.html, preview.text)) if preview.findings else {}
    groups = weigh(preview.findings, newsletter.client_shares)
    return {
        "preview": preview,
        "groups": groups,
        "numbers": numbers,
        "number": sum(len(group.instances) + group.more for group in groups),
        "excerpt_of": lambda where: showing.excerpt(
            where, _folders(configuration), [configuration.file], around=_TEMPLATE_LINES
        ),
        "shares_known": any(share is not None for share in newsletter.client_shares.values()),
    }


def scenario(configuration: Configuration, name: str) -> dict[str, Any]:
    """What the editor of a scenario shows; its text also where it cannot be read."""
    try:
        text = scenarios.text_of(configuration, name)
    except NewsletterError:
        text = ""
    own = text != "" and scenarios.file_of(configuration, name).is_file()
    return {"scenario_text": text, "scenario_own": own, "scenario_folder": scenarios.FOLDER}


def _ruler(kept: Kept) -> Mapping[str, Any] | None:
    preview = kept.preview
    if not preview.html:
        return None
    measured = measure(preview.html, preview.links, preview.unsubscribe_url)
    most = max(measured.limit, measured.size)
    return {"measured": measured, "most": most, "styles_limit": STYLE_DROPPED_BYTES}


def _times(local: datetime) -> list[tuple[str, str]]:
    """Words and wall-clock time of moments worth looking at."""
    tomorrow = (local + timedelta(days=1)).date()
    return [
        ("Tomorrow 07:00", f"{tomorrow}T07:00"),
        ("Tomorrow, this time", f"{tomorrow}T{local:%H:%M}"),
        ("In a week", f"{(local + timedelta(days=7)).date()}T{local:%H:%M}"),
    ]


def _faults(error: NewsletterError | None) -> list[ConfigurationError]:
    """The further faults of a file that has several."""
    return error.faults[1:6] if isinstance(error, ConfigurationError) else []


def _folders(configuration: Configuration) -> tuple[Any, ...]:
    return (*configuration.template_folders, scenarios.folder_of(configuration))


def _excerpt(configuration: Configuration, error: NewsletterError) -> showing.Excerpt | None:
    own = sorted(scenarios.folder_of(configuration).glob("*.yaml"))
    named = showing.excerpt(error, _folders(configuration), [configuration.file])
    if named is None and error.where.startswith(f"{scenarios.FOLDER}/"):
        where = str(configuration.folder / error.where)
        named = showing.excerpt(where, _folders(configuration), own)
    return named
