"""``editions``: which there were, why a story is in one, hold and release. What changes one is in ``editing``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.names import known, login_name
from newsletter.cli.options import Json, Limit, OnlyCount, options_of, print_json, print_rows
from newsletter.errors import NothingToDo, UsageError
from newsletter.model import EditionName, EditionSection, OccurrenceState, Reason, Stream, StreamName

if TYPE_CHECKING:
    from datetime import datetime

    from newsletter.config.reading import Configuration
    from newsletter.store import Store
    from newsletter.store.editions import EditionRow
    from newsletter.store.occurrences import OccurrenceRow

_COLUMNS = ("edition", "due", "state", "words")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    from newsletter.cli.correcting import correct
    from newsletter.cli.editing import approve, edit
    from newsletter.cli.mending import cancel, resume, retry, stop

    group = typer.Typer(name="editions", help="Occurrences and their editions.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("edit")(edit)
    group.command("approve")(approve)
    group.command("hold")(hold)
    group.command("release")(release)
    group.command("prune")(prune)
    for command in (stop, resume, cancel, retry, correct):
        group.command(command.__name__)(command)
    app.add_typer(group)


def list_(
    context: typer.Context,
    newsletter: Annotated[str, typer.Argument(metavar="[NEWSLETTER[:STREAM]]")] = "",
    state: Annotated[str, typer.Option("--state", help="planned, composed, approved, sending, sent, held …")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also the turns of breaking news, or of an every: 1h, that found nothing new")
    ] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List occurrences, the latest due first, with their state and its reason."""
    from newsletter.store import occurrences

    options = options_of(context)
    configuration = options.configuration()
    states = [OccurrenceState(known("state", state, [one.value for one in OccurrenceState]))] if state else []
    of = StreamName.parse(newsletter)
    stream = of.stream if ":" in newsletter else None  # of a newsletter, all of them
    with options.store(configuration) as store:
        looked_for = [] if everything or states else _matching(configuration.look_outs, of.newsletter, stream)
        found = store.read(
            occurrences.listing,
            newsletter=of.newsletter,
            stream=stream,
            states=states,
            looked_for=looked_for,
            limit=limit,
        )
        oldest = found[-1].due_at if len(found) == limit else None
        in_vain = 0 if as_json else store.read(occurrences.in_vain, looked_for, oldest)
    if newsletter and not found:
        configuration.named(of)
    rows = [plain_row(configuration, row) for row in found]
    print_rows(rows, as_json=as_json, columns=_COLUMNS, empty="No editions yet.")
    if in_vain:
        typer.echo(f"{in_vain:,} occurrences with nothing new are left out; --all lists them.")


def _matching(names: Iterable[StreamName], newsletter: str, stream: Stream | None) -> list[StreamName]:
    return [one for one in names if newsletter in ("", one.newsletter) and stream in (None, one.stream)]


def show(
    context: typer.Context,
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")],
    why: Annotated[bool, typer.Option("--why", help="Why each story is in it, or is not")] = False,
    as_json: Json = False,
) -> None:
    """Show one edition: its stories, its deliveries, what people did to it."""
    from newsletter.compose.explaining import explain
    from newsletter.store import articles, audit, deliveries, editions

    options = options_of(context)
    configuration = options.configuration()
    name = EditionName.parse(edition)
    with options.store(configuration) as store:
        row = find_row(configuration, store, name)
        cohorts = [one for one in store.read(editions.for_occurrence, row.id) if name.cohort in ("", one.cohort)]
        if name.cohort and not cohorts:
            raise UsageError(f"{row.name} has no edition for {name.cohort}")
        known_articles = store.read(articles.get_many, [number for one in cohorts for number in one.article_ids])
        headlines = {number: article.headline for number, article in known_articles.items()}
        counts = store.read(deliveries.counts, row.id)
        acts = store.read(audit.listing, subject=str(row.name))
        decided = store.read(editions.why, row.id) if why else []
        waits_until = _waits_for_its_seeds(configuration, store, row)
    facts = plain_row(configuration, row) | {
        "compose_at": row.compose_at,
        "by_hand": row.by_hand,
        "partial": row.partial,
        "edits": row.layer,
        "gates": plain_gates(row),
        "seeds_until": waits_until,
        "pruned_at": row.pruned_at,
        "editions": [plain_edition(one, headlines) for one in cohorts],
        "deliveries": [
            {"state": state, "reason": reason, "number": number} for (state, reason), number in sorted(counts.items())
        ],
        "audit": [{"at": one.at, "actor": one.actor, "action": one.action, "detail": one.detail} for one in acts],
    }
    if why:
        sections = [section.name for one in cohorts for section in one.sections]
        facts["why"] = [
            {
                "cohort": one.cohort,
                "article_id": one.article_id,
                "headline": one.headline,
                "section": one.section,
                "position": one.position,
                "reason": one.reason,
                "detail": one.detail,
                "words": one.words,
            }
            for one in explain([one for one in decided if name.cohort in ("", one.cohort)], sections)
        ]
    if as_json:
        print_json(facts)
        return
    _print(facts)


def prune(
    context: typer.Context,
    dry_run: OnlyCount = False,
    as_json: Json = False,
) -> None:
    """Forget what each reader got longer ago than `keep_deliveries`, and her copy; the editions are kept for ever."""
    from newsletter.schedule.pruning import prune_deliveries
    from newsletter.store import delivery_pruning

    options = options_of(context)
    configuration = options.configuration()
    now = options.clock()
    before = now - configuration.deliveries_kept
    with options.store(configuration) as store:
        if dry_run:
            number = store.read(delivery_pruning.prunable, before)
        else:
            number = prune_deliveries(store, before, now)
    if as_json:
        print_json({"deliveries": number, "before": before, "dry_run": dry_run})
        return
    deliveries = "1 delivery" if number == 1 else f"{number:,} deliveries"
    verb = "would be" if dry_run else "was" if number == 1 else "were"
    typer.echo(f"{deliveries} from before {before:%Y-%m-%d} {verb} forgotten")


def _waits_for_its_seeds(configuration: Configuration, store: Store, row: OccurrenceRow) -> datetime | None:
    """From when on an edition that only its seeds have may go to the rest."""
    from newsletter.schedule.seeding import Seeds

    if row.state is not OccurrenceState.SENDING or row.newsletter not in configuration.schedules.newsletters:
        return None
    return Seeds(configuration, store).follow_at(row)


def _print(facts: dict[str, Any]) -> None:
    typer.echo(f"{facts['edition']}, due {facts['due']}: {facts['words']}")
    if facts["seeds_until"]:
        typer.echo(
            f"The seeds have it; everybody else gets it from {facts['seeds_until']} on, unless somebody stops it."
        )
    for one in facts["editions"]:
        typer.echo(f"\nrevision {one['revision']}{', ' + one['cohort'] if one['cohort'] else ''}")
        for section in one["sections"]:
            typer.echo(f"  {section['label']}")
            for article in section["articles"]:
                typer.echo(f"    {article['id']}  {article['headline']}")
    if facts["edits"]:
        typer.echo("\nedited")
        for name, value in facts["edits"].items():
            typer.echo(f"  {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    if facts["gates"]["failed"]:
        typer.echo("\nheld by")
        for gate in facts["gates"]["failed"]:
            typer.echo(f"  {gate['gate']}: {gate['what']}\n    {gate['remedy']}.")
        typer.echo(f"`newsletter editions release {facts['edition']}` lets it go out despite that.")
    if facts["gates"]["overruled"]:
        typer.echo(f"\ngoes out despite {', '.join(facts['gates']['overruled'])}")
    if facts["deliveries"]:
        typer.echo("\ndeliveries")
        print_rows(facts["deliveries"], as_json=False)
    if facts["pruned_at"] is not None:
        typer.echo(f"\nWhat each reader got was forgotten on {facts['pruned_at']:%Y-%m-%d} (keep_deliveries).")
    if facts["audit"]:
        typer.echo("\nby hand")
        print_rows(facts["audit"], as_json=False)
    if "why" in facts and (facts["why"] or facts["pruned_at"] is None):
        typer.echo("\nwhy")
        print_rows(
            facts["why"],
            as_json=False,
            columns=("article_id", "section", "position", "words", "headline"),
            empty="Nothing was decided yet: it is composed at its compose_lead.",
        )


def hold(
    context: typer.Context,
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")],
    because: Annotated[str, typer.Option("--because", help="Why, for the others")] = "",
) -> None:
    """Hold an edition where it is: nothing more of it goes out until it is released."""
    from newsletter.store import decisions, occurrences

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        if not store.write(decisions.hold, row, actor=login_name(), detail=because, now=options.clock()):
            stands = store.read(occurrences.get, row.id) or row
            if stands.state is OccurrenceState.HELD:
                raise NothingToDo(f"{row.name} is held already")
            raise UsageError(f"{row.name} is {stands.state.value} and cannot be held any more")
    typer.echo(f"{row.name} is held. `newsletter editions release {row.name}` lets it go on.")


def release(
    context: typer.Context,
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")],
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Overrule no gate: what still speaks against it holds it again")
    ] = False,
) -> None:
    """Let a held edition go on where it was; one that gates hold, despite these gates."""
    from newsletter.schedule.planning import too_late
    from newsletter.store import decisions, gates, occurrences

    options = options_of(context)
    configuration = options.configuration()
    now = options.clock()
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        if row.state is OccurrenceState.HELD and row.reason is Reason.AWAITING_APPROVAL:
            remedy = f"`newsletter editions approve {row.name}` approves it"
            raise UsageError(f"{row.name} is held because {row.detail}", remedy=remedy)
        state = store.write(decisions.release, row, actor=login_name(), overrule=not recheck, now=now)
        despite = gates.overruled_of(store.read(occurrences.get, row.id) or row)
    if state is None:
        raise NothingToDo(f"{row.name} is not held, but {row.state.value}")
    typer.echo(f"{row.name} is {state.value} again.")
    if despite:
        typer.echo(f"It goes out despite {', '.join(gate.value for gate in gates.in_order(despite))}.")
    if {one.gate for one in gates.failed_of(row)} - despite:
        typer.echo("It is looked at again, and held where a gate still speaks against it.")
    known = row.newsletter in configuration.schedules.newsletters
    if known and state is not OccurrenceState.SENDING and too_late(row, configuration.of(row), now):
        typer.echo(f"Its catch_up is over, so the schedule will skip it; `newsletter send {row.name.of}` sends now.")


def whole(edition: str) -> EditionName:
    """The name of an occurrence. Raises UsageError where it names one cohort's edition."""
    name = EditionName.parse(edition)
    if name.cohort:
        raise UsageError(
            f"'{edition}' is one cohort's edition; what is done to it is done to all of them",
            remedy=f"Write {name.of}@{name.occurrence}",
        )
    return name


def find_row(configuration: Configuration, store: Store, name: EditionName) -> OccurrenceRow:
    """The occurrence of this name. Raises UsageError."""
    from newsletter.store import occurrences

    row = store.read(occurrences.find, *name.of, name.occurrence)
    if row is None:
        configuration.named(name.of)
        raise UsageError(
            f"there is no edition {name.of}@{name.occurrence}",
            remedy=f"`newsletter editions list {name.of}` shows them",
        )
    return row


def plain_row(configuration: Configuration, row: OccurrenceRow) -> dict[str, Any]:
    """An occurrence as it is listed."""
    from zoneinfo import ZoneInfo

    from newsletter.schedule.words import occurrence_words

    configured = row.newsletter in configuration.schedules.newsletters
    zone = configuration.zone(*row.name.of) if configured else configuration.schedules.site.timezone
    return {
        "edition": str(row.name),
        "newsletter": row.newsletter,
        "stream": row.stream,
        "occurrence": str(row.occurrence),
        "due": row.due_at.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes"),
        "due_at": row.due_at,
        "state": row.state,
        "reason": row.reason,
        "detail": row.detail,
        "words": occurrence_words(row),
        "changed_at": row.changed_at,
    }


def plain_gates(row: OccurrenceRow) -> dict[str, Any]:
    """The gates that hold an occurrence, and those that a person overruled."""
    from newsletter.store import gates

    failed = [{"gate": one.gate, "what": one.what, "remedy": one.remedy} for one in gates.failed_of(row)]
    return {"failed": failed, "overruled": gates.in_order(gates.overruled_of(row))}


def plain_edition(row: EditionRow, headlines: dict[int, str]) -> dict[str, Any]:
    """One cohort's edition as it is shown; ``headlines`` by article id."""
    return {
        "cohort": row.cohort,
        "due_at": row.due_at,
        "revision": row.revision,
        "composed_at": row.composed_at,
        "fanned_out_at": row.fanned_out_at,
        "sections": [
            plain_section(section)
            | {"articles": [{"id": one, "headline": headlines.get(one, "")} for one in section.article_ids]}
            for section in row.sections
        ],
    }


def plain_section(section: EditionSection) -> dict[str, Any]:
    """One section of an edition as it is shown: its articles by id."""
    return {
        "name": section.name,
        "label": section.label,
        "leads": section.leads,
        "missed": section.missed,
        "home": section.home,
        "trimmed": section.trimmed,
        "articles": section.article_ids,
    }
