"""``lint``: what is wrong with the message that a newsletter would send, or with a file; nothing is sent."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.options import Json, Options, options_of, print_json, print_rows, run_async
from newsletter.errors import NothingToSend, UsageError
from newsletter.model import SYSTEM, StreamName, SystemMail

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.deliver.linting import Linted
    from newsletter.errors import FetchError
    from newsletter.model import RenderedKey
    from newsletter.render.lint import Finding, Mail
    from newsletter.store import Store

_FILES = (".eml", ".html", ".htm")
_COLUMNS = ("severity", "rule", "where", "what", "remedy")


@dataclass(frozen=True, slots=True)
class _Result:
    """What was found in one edition (all its rendered keys together) or file; ``keys`` says of each in which keys."""

    name: str
    html_bytes: int
    keys: tuple[str, ...]
    findings: dict[Finding, tuple[str, ...]]


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("lint")(lint)


def lint(
    context: typer.Context,
    newsletters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NEWSLETTER…]", help="Which newsletters, or system; default: all"),
    ] = None,
    edition: Annotated[
        str, typer.Option("--edition", help="next, one that was composed (2026-11-01/1), or a .eml or .html file")
    ] = "next",
    links: Annotated[bool, typer.Option("--links", help="Ask every link whether it leads somewhere")] = False,
    spam: Annotated[bool, typer.Option("--spam", help="Ask SpamAssassin, where it is installed")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 for warnings too")] = False,
    as_json: Json = False,
) -> None:
    """Say what is wrong with the message NEWSLETTER would send now, with the template's file and line.

    Every language and plan is looked at, both parts. `system` stands for the mails that readers ask for: to confirm, to
    sign in, the welcome. Nothing is sent, nothing changes. Ends with 1 for any error.
    """
    options = options_of(context)
    configuration = options.configuration()
    names = newsletters or (
        [edition.partition("@")[0]] if "@" in edition else [*map(str, configuration.streams), SYSTEM]
    )
    notices: list[str] = []
    if edition.lower().endswith(_FILES):
        results = [_of_file(configuration, Path(edition), newsletters or [], links=links, spam=spam)]
    else:
        with options.store(configuration) as store:
            results = [
                result
                for name in names
                for result in _of_newsletter(
                    options, configuration, store, name, edition, notices, links=links, spam=spam, alone=len(names) == 1
                )
            ]
    if not results:
        raise NothingToSend("no newsletter has an edition to lint", remedy="Collect first (`newsletter collect`)")
    _print(results, notices, as_json=as_json)
    severities = {finding.severity.value for result in results for finding in result.findings}
    if "error" in severities or (strict and severities):
        raise typer.Exit(1)


def _of_newsletter(
    options: Options,
    configuration: Configuration,
    store: Store,
    name: str,
    edition: str,
    notices: list[str],
    *,
    links: bool,
    spam: bool,
    alone: bool,
) -> Iterator[_Result]:
    """The result of one newsletter; none where it has nothing to send: then its templates alone are checked."""
    from newsletter.render.document import check_newsletter
    from newsletter.render.rendering import templates_of

    if name == SYSTEM:
        yield from _of_system_mails(configuration, store, edition, links=links, spam=spam)
        return
    of = StreamName.parse(name)
    known = configuration.named(of)
    try:
        linted, of_edition = _linted(options, configuration, store, name, edition)
    except NothingToSend as error:
        check_newsletter(templates_of(configuration), of, known)
        if alone:
            raise
        notices.append(f"{name}: {error.what}; only its templates were checked")
        return
    notices.extend(f"{name}: {notice}" for notice in of_edition)
    yield _result(configuration, name, linted, links=links, spam=spam)


def _of_system_mails(
    configuration: Configuration, store: Store, edition: str, *, links: bool, spam: bool
) -> Iterator[_Result]:
    """A result for each kind, or for the one that ``edition`` names."""
    from newsletter.compose.keys import rendered_keys
    from newsletter.deliver.linting_on_request import lint_system_mail
    from newsletter.deliver.system_mails import kind_named, latest_editions
    from newsletter.schedule.logo import publish_logo

    wanted = edition.rpartition("@")[2]
    kinds = list(SystemMail) if wanted == "next" else [kind_named(wanted, "--edition")]
    latest, logo = latest_editions(configuration, store), publish_logo(configuration)
    keys = rendered_keys(configuration.languages(SYSTEM), configuration.schedules.plans)
    for kind in kinds:
        linted = [lint_system_mail(configuration, store, kind, key, latest, logo=logo) for key in keys]
        yield _result(configuration, f"{SYSTEM}@{kind}", linted, links=links, spam=spam)


def _result(configuration: Configuration, name: str, linted: Sequence[Linted], *, links: bool, spam: bool) -> _Result:
    refused = _refused(configuration, [one.mail for one in linted if one.mail]) if links else {}
    found: dict[Finding, list[str]] = {}
    for one in linted:
        for finding in (*one.findings, *_asked(one, refused, spam=spam)):
            found.setdefault(finding, []).append(str(one.key))
    return _Result(
        name,
        max(len(one.mail.html.encode()) for one in linted if one.mail),
        tuple(str(one.key) for one in linted),
        {finding: tuple(dict.fromkeys(keys)) for finding, keys in _errors_first(found).items()},
    )


def _linted(
    options: Options, configuration: Configuration, store: Store, name: str, edition: str
) -> tuple[list[Linted], tuple[str, ...]]:
    """What was found in each rendered key, and what is to be known of the edition itself."""
    from newsletter.cli.previewing import turns_to_send
    from newsletter.compose.keys import rendered_keys
    from newsletter.deliver.linting import lint_edition
    from newsletter.preview.choosing import choose_edition
    from newsletter.render.rendering import render_fitted, templates_of
    from newsletter.schedule.logo import publish_logo
    from newsletter.store import pieces

    of = StreamName.parse(name)
    pool = choose_edition(configuration, store, of, edition, options.clock(), turns_to_send)
    templates, logo = templates_of(configuration), publish_logo(configuration)
    stored = store.read(pieces.keys, *pool.stored.pieces_at) if pool.stored is not None else []
    linted = []
    made: Mapping[RenderedKey, Mapping[str, bytes]]
    edition_now = pool.edition
    if pool.stored is not None and stored:
        made = {key: store.read(pieces.load, *pool.stored.pieces_at, key) for key in stored}
    else:
        keys = rendered_keys(configuration.languages(of.newsletter), configuration.schedules.plans)
        fitted = render_fitted(configuration, pool.edition, pool.articles, keys, templates, logo=logo)
        made, edition_now = fitted.pieces, fitted.edition
    for key, these in made.items():
        one = lint_edition(configuration, edition_now, these, key, lambda: pool.articles, logo=logo)
        if one.mail is not None:
            linted.append(one)
    if not linted:
        raise NothingToSend(f"{pool.edition.name} holds no story")
    return linted, pool.notices


def _asked(one: Linted, refused: dict[str, FetchError], *, spam: bool) -> list[Finding]:
    """What only others can say: of links and of SpamAssassin."""
    from newsletter.deliver.spam import ask_spamassassin
    from newsletter.schedule.dead_links import dead_links

    found = one.place(dead_links(one.mail, refused)) if one.mail is not None else []
    return [*found, *(ask_spamassassin(one.message) if spam else ())]


def _refused(configuration: Configuration, mails: Sequence[Mail]) -> dict[str, FetchError]:
    from newsletter.net.client import Fetcher
    from newsletter.schedule.dead_links import addresses_of, ask

    async def work() -> dict[str, FetchError]:
        async with Fetcher(contact=str(configuration.schedules.site.url)) as client:
            return await ask(configuration, addresses_of(configuration, mails), client)

    return run_async(work())


def _of_file(
    configuration: Configuration, path: Path, newsletters: Sequence[str], *, links: bool, spam: bool
) -> _Result:
    """A file on its own: of what a newsletter expects, its clients and the postal address are known."""
    from newsletter.deliver.copies import parts_of
    from newsletter.deliver.spam import ask_spamassassin
    from newsletter.render.lint import Expected, Mail, lint_mail
    from newsletter.schedule.dead_links import dead_links

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"it cannot be read: {error.strerror}", where=str(path)) from None
    is_message = path.suffix.lower() == ".eml"
    known = configuration.named(StreamName.parse(newsletters[0])) if newsletters else None
    expected = Expected(
        unsubscribe_url=_unsubscribe(content) if is_message else "",
        postal_address=configuration.schedules.site.postal_address if is_message else "",
        clients=known.client_shares if known is not None else {},
    )
    html, text = parts_of(content) if is_message else (content.decode("utf-8", "replace"), "")
    mail = Mail(html, text, expected)
    found = [one for one in lint_mail(mail) if is_message or one.rule != "text"]
    found += dead_links(mail, _refused(configuration, [mail])) if links else []
    if spam and not is_message:
        raise UsageError("SpamAssassin reads whole messages", where="--spam", remedy="Name a .eml file")
    found += ask_spamassassin(content) if spam else []
    placed = [
        replace(one, where=f"{path}:{one.spot.line}" if one.spot.line and not is_message else str(path))
        for one in found
    ]
    return _Result(str(path), len(html.encode()), (), _errors_first({one: [] for one in placed}))


def _unsubscribe(message: bytes) -> str:
    """The https address of the List-Unsubscribe field (RFC 8058 section 3.1), '' without one."""
    parsed = email.message_from_bytes(message, policy=email.policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    found = re.search(r"<(https?://[^<>\s]+)>", str(parsed.get("List-Unsubscribe", "")))
    return found[1] if found else ""


def _errors_first(found: dict[Finding, list[str]]) -> dict[Finding, tuple[str, ...]]:
    ordered = sorted(found.items(), key=lambda one: one[0].severity.value != "error")
    return {finding: tuple(keys) for finding, keys in ordered}


def _print(results: Sequence[_Result], notices: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json(_facts(results, notices))
        return
    for notice in notices:
        typer.echo(f"newsletter: {notice}", err=True)
    for result in results:
        rows: list[dict[str, Any]] = []
        for finding, keys in result.findings.items():
            only = "" if set(keys) == set(result.keys) else f" (in {', '.join(keys)})"
            rows.append({name: getattr(finding, name) for name in _COLUMNS} | {"what": finding.what + only})
        typer.echo(f"{result.name}: {result.html_bytes:,} bytes of HTML, {_count(result)}")
        if rows:
            print_rows(rows, as_json=False, columns=_COLUMNS)


def _facts(results: Sequence[_Result], notices: Sequence[str]) -> dict[str, Any]:
    return {
        "results": [
            {
                "name": result.name,
                "keys": result.keys,
                "html_bytes": result.html_bytes,
                "findings": [
                    {name: getattr(finding, name) for name in _COLUMNS} | {"keys": keys}
                    for finding, keys in result.findings.items()
                ],
            }
            for result in results
        ],
        "errors": sum(_number(result, "error") for result in results),
        "warnings": sum(_number(result, "warning") for result in results),
        "notices": notices,
    }


def _number(result: _Result, severity: str) -> int:
    return sum(finding.severity.value == severity for finding in result.findings)


def _count(result: _Result) -> str:
    errors, warnings = _number(result, "error"), _number(result, "warning")
    if not errors and not warnings:
        return "nothing found"
    return f"{errors} {'error' if errors == 1 else 'errors'}, {warnings} {'warning' if warnings == 1 else 'warnings'}"
