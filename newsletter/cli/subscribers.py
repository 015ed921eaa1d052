"""``subscribers``: add, list, show and remove one; ``exchanging`` has many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.consents import data, history, lift, subscriber_named, unsubscribe
from newsletter.cli.exchanging import export, import_
from newsletter.cli.names import known, login_name
from newsletter.cli.options import Json, Limit, options_of, print_json, print_rows, run_async
from newsletter.errors import NothingToDo, UsageError
from newsletter.model import ConsentChannel, MailFormat, Stream, SubscriptionState

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.members.subscribing import Enrolled, Enrolment, Wanted
    from newsletter.model import Subscriber, Subscription

_PAGE = 500
_COLUMNS = ("id", "address", "first_name", "last_name", "plan", "newsletters")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="subscribers", help="Readers: one by one, or many as CSV.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("history")(history)
    group.command("data")(data)
    group.command("unsubscribe")(unsubscribe)
    group.command("lift")(lift)
    group.command("remove")(remove)
    group.command("import")(import_)
    group.command("export")(export)
    app.add_typer(group)


def add(
    context: typer.Context,
    address: str,
    newsletters: Annotated[list[str], typer.Option("--newsletter", "-n", help="Which newsletter (repeatable)")],
    first_name: Annotated[str, typer.Option("--first-name")] = "",
    last_name: Annotated[str, typer.Option("--last-name")] = "",
    language: Annotated[str, typer.Option("--language", help="Like en or pt-BR")] = "",
    timezone: Annotated[str, typer.Option("--timezone", help="Like Asia/Kolkata")] = "",
    plan: Annotated[str, typer.Option("--plan", help="A plan of schedules.yaml; default: free")] = "",
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", help="A tag of schedules.yaml (repeatable): all that she has; - for none"),
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option("--attribute", metavar="NAME=VALUE", help="An attribute of schedules.yaml (repeatable)"),
    ] = None,
    sections: Annotated[
        str, typer.Option("--sections", help="Only these, in this order: 'World,Sport'; default: the newsletter's own")
    ] = "",
    mail_format: Annotated[
        str, typer.Option("--format", help="html (with a text part), or text alone")
    ] = MailFormat.HTML.value,
    hour: Annotated[
        str, typer.Option("--hour", help="At this hour, HH:MM, of those that the newsletter offers; default: its own")
    ] = "",
    stream: Annotated[
        str, typer.Option("--stream", help="At this frequency of those offered: each, daily, weekly, breaking")
    ] = Stream.EACH.value,
    wording: Annotated[str, typer.Option("--wording", help="Which version of what words this reader agreed to")] = "",
    as_json: Json = False,
) -> None:
    """Subscribe ADDRESS, whose consent you have. Who unsubscribed or is suppressed stays so."""
    options = options_of(context)
    configuration = options.configuration()
    wanted = _wanted(configuration, newsletters, sections, mail_format, hour, stream)
    enrolment = replace(
        _enrolment(configuration, address, wanted, first_name, last_name, language, timezone, plan),
        tags=_tags(configuration, tags),
        attributes=_attributes(configuration, attributes or ()),
    )
    from newsletter.members.consent import Evidence
    from newsletter.members.subscribing import subscribe

    with options.store(configuration) as store:
        (result,) = store.write(subscribe, [enrolment], Evidence(ConsentChannel.CLI, options.clock(), wording=wording))
    if as_json:
        print_json(
            {
                "address": result.address,
                "created": result.created,
                "corrected": result.corrected,
                "subscribed": result.subscribed,
                "already": result.already,
                "unsubscribed_before": result.ended_before,
                "suppressed": sorted(result.suppressed),
            }
        )
    _report_added(result, as_json=as_json)


def _tags(configuration: Configuration, given: Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None or list(given) == ["-"]:
        return None if given is None else ()
    return tuple(known("tag", tag, configuration.schedules.tags) for tag in given)


def _attributes(configuration: Configuration, given: Sequence[str]) -> dict[str, str]:
    from newsletter.members.addresses import parse_attribute

    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise UsageError(f"'{one}' is not NAME=VALUE", where="--attribute", remedy="Write city=Pune")
        name = known("attribute", name, configuration.schedules.attributes)
        found[name] = parse_attribute(value)
    return found


def _report_added(result: Enrolled, *, as_json: bool) -> None:
    """Say what was done. Raises NothingToDo where she stays without what was asked for."""
    if result.suppressed:
        scopes = ", ".join(sorted(result.suppressed))
        raise NothingToDo(
            f"{result.address} is suppressed ({scopes}) and stays so",
            remedy="Only the reader can come back, by a link in a mail already sent",
        )
    if result.ended_before:
        raise NothingToDo(
            f"{result.address} has unsubscribed from {', '.join(result.ended_before)} and stays so",
            remedy="Only the reader can come back, by the link in a mail already sent",
        )
    if as_json:
        return
    if result.subscribed:
        typer.echo(f"{result.address} is subscribed to {', '.join(result.subscribed)}.")
    if result.already:
        typer.echo(f"{result.address} was subscribed to {', '.join(result.already)} already.")
    if result.corrected:
        typer.echo("The profile was corrected.")


def _wanted(
    configuration: Configuration, newsletters: list[str], sections: str, mail_format: str, hour: str, stream: str
) -> tuple[Wanted, ...]:
    from newsletter.members.exchange import offered
    from newsletter.members.subscribing import Wanted

    chosen = MailFormat(known("format", mail_format, [one.value for one in MailFormat]))
    found: list[Wanted] = []
    for name in dict.fromkeys(newsletters):
        known_sections = configuration.newsletter(name).section_names
        named = [part for part in (part.strip() for part in sections.split(",")) if part]
        picked = tuple(dict.fromkeys(known(f"section of {name}", part, known_sections) for part in named))
        at = offered(stream, hour, name, configuration.newsletter(name))
        found.append(Wanted(name, () if picked == known_sections else picked, chosen, *at))
    return tuple(found)


def _enrolment(
    configuration: Configuration,
    address: str,
    wanted: tuple[Wanted, ...],
    first_name: str,
    last_name: str,
    language: str,
    timezone: str,
    plan: str,
) -> Enrolment:
    from newsletter.members.addresses import (
        address_hashes,
        parse_address,
        parse_language,
        parse_name,
        parse_timezone,
    )
    from newsletter.members.subscribing import Enrolment

    parsed = parse_address(address)
    return Enrolment(
        parsed,
        address_hashes(parsed, configuration.site_keys),
        wanted,
        first_name=parse_name(first_name),
        last_name=parse_name(last_name),
        language=parse_language(language),
        timezone=parse_timezone(timezone),
        plan=known("plan", plan, configuration.schedules.plans) if plan else "",
    )


def list_(
    context: typer.Context,
    newsletter: Annotated[str, typer.Option("--newsletter", "-n", help="Only those with a subscription to it")] = "",
    state: Annotated[str, typer.Option("--state", help="active, pending or unsubscribed")] = "",
    plan: Annotated[str, typer.Option("--plan", help="Only those on this plan")] = "",
    search: Annotated[str, typer.Option("--search", help="Only addresses that contain this")] = "",
    after: Annotated[int, typer.Option("--after", min=0, help="Only ids above this: the next page")] = 0,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List subscribers by id, without the erased."""
    from newsletter.store import subscribers, subscriptions

    options = options_of(context)
    configuration = options.configuration()
    if newsletter:
        configuration.newsletter(newsletter)
    wanted = SubscriptionState(known("state", state, [one.value for one in SubscriptionState])) if state else None
    plan = known("plan", plan, configuration.schedules.plans) if plan else ""
    rows: list[dict[str, Any]] = []
    with options.store(configuration) as store:
        while len(rows) < limit:
            page = store.read(
                subscribers.page,
                after=rows[-1]["id"] if rows else after,
                limit=min(_PAGE, limit - len(rows)),
                newsletter=newsletter or None,
                state=wanted,
                plan=plan or None,
                search=search or None,
            )
            if not page:
                break
            theirs = store.read(subscriptions.of_many, [person.id for person in page])
            rows += [_plain(person, theirs.get(person.id, [])) for person in page]
    print_rows(rows, as_json=as_json, columns=_COLUMNS, empty="No subscribers.")


def show(context: typer.Context, address: str, as_json: Json = False) -> None:
    """Show what is kept about ADDRESS: profile, subscriptions, suppressions and every consent."""
    from newsletter.members.disclosing import consents_of
    from newsletter.store import subscribers, subscriptions, suppressions

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        person = subscriber_named(store, address)
        theirs = store.read(subscriptions.of, person.id)
        hashes = store.read(subscribers.address_hashes, [person.id])
        stands = store.read(suppressions.entries_of, list(hashes.values()))
        history = store.read(consents_of, person.id)
    facts = _plain(person, theirs) | {
        "subscriptions": [
            {
                "newsletter": one.newsletter,
                "state": one.state,
                "stream": one.stream,
                "hour": one.hour,
                "sections": one.sections,
                "format": one.format,
                "paused_until": one.paused_until,
            }
            for one in theirs
        ],
        "suppressions": [{"scope": one.scope, "reason": one.reason, "since": one.created_at} for one in stands],
        "consents": history,
    }
    if as_json:
        print_json(facts)
        return
    facts["attributes"] = [f"{name}: {value}" for name, value in person.attributes.items()]
    profile = [{key: facts[key] for key in _plain(person, theirs)}]
    print_rows(profile, as_json=False)
    for title in ("subscriptions", "suppressions", "consents"):
        if facts[title]:
            typer.echo(f"\n{title}")
            print_rows(facts[title], as_json=False)


def remove(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An address, or a reader's number")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
) -> None:
    """Erase what is kept about ADDRESS. A keyed hash stays, so that no import mails this reader again."""
    from newsletter.members.consent import Evidence
    from newsletter.members.erasing import erase

    options = options_of(context)
    configuration = options.configuration()
    _ = configuration.site_keys
    with options.store(configuration) as store:
        person = subscriber_named(store, address)
        if not yes and not typer.confirm(f"Erase {person.address} for good?", default=False, err=True):
            raise typer.Abort
        evidence = Evidence(ConsentChannel.CLI, options.clock())
        off_the_wire = run_async(erase(store, person.id, evidence, actor=login_name()))
    typer.echo(f"{person.address} was erased.")
    if not off_the_wire:
        typer.echo("newsletter: a message was on its way at that moment and may still arrive", err=True)


def _plain(person: Subscriber, theirs: list[Subscription]) -> dict[str, Any]:
    """A subscriber as listings show her: never the secret."""
    return {
        "id": person.id,
        "address": person.address,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "language": person.language,
        "timezone": person.timezone,
        "plan": person.plan,
        "tags": person.tags,
        "attributes": person.attributes,
        "newsletters": tuple(one.newsletter for one in theirs if one.state is SubscriptionState.ACTIVE),
        "created_at": person.created_at,
    }
