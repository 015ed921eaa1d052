"""``articles split|merge|block|unblock|mark-sent|prune``: what an editor decides about which stories are one, kept out,
sent, or forgotten."""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.names import known, login_and_host, login_name
from newsletter.cli.options import Json, OnlyCount, cell, options_of, print_json
from newsletter.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.store import Store
    from newsletter.store.article_identities import Identity
    from newsletter.store.article_merges import MergeRow


def add_to(group: typer.Typer) -> None:
    """Add the commands of this module to those of ``articles``."""
    group.command("split")(split)
    group.command("merge")(merge)
    group.command("block")(block)
    group.command("unblock")(unblock)
    group.command("mark-sent")(mark_sent)
    group.command("prune")(prune)


def merges_of(store: Store, article_id: int) -> list[dict[str, Any]]:
    """What was taken for an article, as ``articles show`` tells it."""
    from newsletter.store import article_merges

    return [
        {
            "merge": one.id,
            "at": one.at,
            "by": one.by,
            "detail": one.detail,
            "source": one.source,
            "url": one.url,
            "guid": one.guid,
            "headline": one.headline,
            "split_at": one.split_at,
            "words": in_words(one),
        }
        for one in store.read(article_merges.listing, article_id)
    ]


def in_words(one: MergeRow) -> str:
    """One merge as a sentence."""
    by = {"url": "its URL", "guid": "its guid", "words": "its words", "editor": "an editor"}.get(one.by, one.by)
    because = f" ({one.detail})" if one.detail else ""
    undone = f"; split again on {cell(one.split_at)}" if one.split_at is not None else ""
    what = ", ".join(part for part in (one.url, f"“{one.headline}”", one.source) if part)
    return f"taken for this article by {by}{because} on {cell(one.at)}: {what}{undone}"


def split(
    context: typer.Context,
    merge_id: Annotated[int, typer.Argument(metavar="MERGE_ID", help="As `newsletter articles show ID` lists it")],
    as_json: Json = False,
) -> None:
    """Make an article of its own of what was taken for another; it is never taken for that one again."""
    from newsletter.cli.articles import plain_article
    from newsletter.store import article_merges

    options = options_of(context)
    with options.store(options.configuration()) as store:
        article = store.write(article_merges.split, merge_id, actor=login_name(), now=options.clock())
    if as_json:
        print_json(plain_article(article))
    else:
        typer.echo(f"Merge {merge_id} is article {article.id} now: {article.headline}")


def merge(
    context: typer.Context,
    article_id: Annotated[int, typer.Argument(metavar="ID", help="The article that is sent no more")],
    into_id: Annotated[int, typer.Argument(metavar="INTO_ID", help="The article that it is")],
    as_json: Json = False,
) -> None:
    """Take article ID for article INTO_ID: where either was sent, neither is sent again."""
    from newsletter.store import article_merges

    options = options_of(context)
    with options.store(options.configuration()) as store:
        held = store.write(article_merges.merge, article_id, into_id, actor=login_name(), now=options.clock())
    if as_json:
        print_json({"article": article_id, "merged_into": into_id, "held_by": held})
        return
    typer.echo(
        f"Article {article_id} is article {into_id} now; `newsletter articles show {into_id}` says how to undo it"
    )
    for edition in held:
        typer.echo(f"{edition} holds article {article_id} already and keeps it", err=True)


def block(
    context: typer.Context,
    article_ids: Annotated[list[int], typer.Argument(metavar="ID…")],
    newsletter: Annotated[
        list[str] | None, typer.Option("--newsletter", metavar="NAME", help="Only out of this one; may be repeated")
    ] = None,
    because: Annotated[str, typer.Option("--because", help="Why, for the others")] = "",
    as_json: Json = False,
) -> None:
    """Keep articles out of newsletters until they are unblocked; out of every one, also one to come, if none is named.

    An edition that holds one and is not being sent yet goes out without it.
    """
    from newsletter.store import article_merges, blocking
    from newsletter.store.article_merges import BEFORE_SENDING, IN_SENDING

    options = options_of(context)
    configuration = options.configuration()
    names = [known("newsletter", name, configuration.schedules.newsletters) for name in newsletter or ()]
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in because):
        raise UsageError("the reason holds a line break or control character", where="--because")
    facts: dict[str, Any] = {"actor": login_and_host(), "because": because.strip(), "now": options.clock()}
    holding: dict[str, set[str]] = {"held_by": set(), "sent_by": set()}
    with options.store(configuration) as store:
        made = store.write(blocking.block, article_ids, names, **facts)
        for article_id in article_ids:
            for what, states in (("held_by", BEFORE_SENDING), ("sent_by", IN_SENDING)):
                found = store.read(article_merges.unsent_editions, article_id, states)
                holding[what] |= {name for name in found if not names or name.partition("@")[0] in names}
    listed, where = _listed(article_ids), ", ".join(names) or "every newsletter"
    if not made:
        raise NothingToDo(f"{listed} {_are(article_ids)} blocked in {where} already")
    if as_json:
        print_json(
            {"articles": article_ids, "newsletters": names} | {what: sorted(held) for what, held in holding.items()}
        )
        return
    typer.echo(f"{listed} {_are(article_ids)} blocked in {where}.")
    for edition in sorted(holding["held_by"]):
        typer.echo(f"{edition} is composed with what is blocked now, and goes out without it.")
    for edition in sorted(holding["sent_by"]):
        typer.echo(
            f"{edition} is being sent with it; `newsletter editions hold {edition}` keeps the rest back", err=True
        )


def unblock(
    context: typer.Context,
    article_ids: Annotated[list[int], typer.Argument(metavar="ID…")],
    newsletter: Annotated[
        list[str] | None, typer.Option("--newsletter", metavar="NAME", help="Only into this one; may be repeated")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let blocked articles into newsletters again: from the next edition that is composed."""
    from newsletter.store import blocking
    from newsletter.store.article_uses import EVERY

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        there = _blocks(store, article_ids)
        # A newsletter that is no longer configured may still be named.
        known_names = [*configuration.schedules.newsletters, *(one for one in there if one != EVERY)]
        names = [known("newsletter", name, known_names) for name in newsletter or ()]
        lifted = store.write(blocking.unblock, article_ids, names, actor=login_and_host(), now=options.clock())
        left = _blocks(store, article_ids)
    listed, where = _listed(article_ids), ", ".join(names) or "any newsletter"
    if not lifted:
        if EVERY in left:
            remedy = "Leave out --newsletter, then block it where it is to stay out"
            raise NothingToDo(f"{listed} {_are(article_ids)} blocked in every newsletter", remedy=remedy)
        raise NothingToDo(f"{listed} {_are(article_ids)} not blocked in {where}")
    if as_json:
        print_json({"articles": article_ids, "newsletters": names, "lifted": lifted})
        return
    if EVERY in left:
        typer.echo(f"{listed} {_are(article_ids)} still blocked in every newsletter.")
    else:
        typer.echo(f"{listed} may be sent in {where} again.")


def _blocks(store: Store, article_ids: list[int]) -> list[str]:
    """The newsletters that these articles are blocked in."""
    from newsletter.store import blocking

    return [one.newsletter for number in article_ids for one in store.read(blocking.of_article, number)]


def mark_sent(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="URLS", help="A text file with one URL a line; - reads it from here"),
    ] = None,
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="All that was published before this day or time")
    ] = "",
    newsletter: Annotated[
        list[str] | None, typer.Option("--newsletter", metavar="NAME", help="Only for this one; may be repeated")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count articles that an old tool has sent as sent, so that the first edition repeats nothing.

    A URL that no source has brought yet is remembered for when it comes.
    """
    from newsletter.store import handing_over

    if (file is None) == (not before):
        raise UsageError("what was sent is not clear", remedy="Give either --file URLS or --before DATE")
    options = options_of(context)
    configuration = options.configuration()
    names = list(configuration.schedules.newsletters)
    wanted = [known("newsletter", name, names) for name in newsletter or ()] or names
    urls = _urls(file) if file is not None else {}
    day = _time(before, configuration.schedules.site.zone) if before else None
    facts: dict[str, Any] = {"actor": login_name(), "now": options.clock()}
    marked: set[int] = set()
    unknown, given, held = 0, len(urls), set[str]()
    with options.store(configuration) as store:
        pages = iter(urls.items())
        while chunk := dict(islice(pages, handing_over.PAGE)):
            page = store.write(handing_over.mark_urls, chunk, wanted, **facts)
            marked, unknown, held = marked | page.marked, unknown + page.unknown, held | set(page.held)
        after: int | None = 0
        while day is not None and after is not None:
            page = store.write(handing_over.mark_before, day, wanted, after=after, **facts)
            marked, held, after = marked | page.marked, held | set(page.held), page.after
    if as_json:
        print_json(
            {"marked": len(marked), "not_collected_yet": unknown, "newsletters": wanted, "held_by": sorted(held)}
        )
        return
    already = f"; {given - len(marked)} did so already" if given > len(marked) else ""
    to_come = f"; {unknown} of them not collected yet: they will, when they come" if unknown else ""
    counted = "1 article counts" if len(marked) == 1 else f"{len(marked)} articles count"
    typer.echo(f"{counted} as sent now by {', '.join(wanted)}{to_come}{already}")
    for edition in sorted(held):
        typer.echo(f"{edition} holds some of them already: `newsletter editions show {edition}`", err=True)


def prune(
    context: typer.Context,
    dry_run: OnlyCount = False,
    as_json: Json = False,
) -> None:
    """Forget the bodies of articles older than their source's `keep`; what they are known by is kept for ever."""
    from newsletter.schedule.pruning import kept_since, prune_articles

    options = options_of(context)
    configuration = options.configuration()
    now = options.clock()
    with options.store(configuration) as store:
        number = prune_articles(store, kept_since(configuration.schedules.sources, now), now, dry_run=dry_run)
    if as_json:
        print_json({"articles": number, "dry_run": dry_run})
    else:
        verb = "would lose" if dry_run else "lost"
        typer.echo(f"1 article {verb} its body" if number == 1 else f"{number} articles {verb} their bodies")


def _listed(article_ids: list[int]) -> str:
    numbers = ", ".join(map(str, article_ids))
    return f"Article {numbers}" if len(article_ids) == 1 else f"Articles {numbers}"


def _are(article_ids: list[int]) -> str:
    return "is" if len(article_ids) == 1 else "are"


def _urls(file: Path) -> dict[Identity, str]:
    """The URLs of a file by what an article is known by. Raises UsageError with the line of what is no article's."""
    from newsletter.collect.identity import url_identity

    found: dict[Identity, str] = {}
    for number, line in enumerate(_lines(file), start=1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        identity = url_identity(url)
        if identity is None:
            raise UsageError(
                f"'{url[:100]}' is not the address of an article",
                where=f"{file}:{number}",
                remedy="Write one http or https URL a line; nothing was marked",
            )
        found.setdefault(identity, url)
    return found


def _lines(file: Path) -> Iterator[str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"it cannot be read ({why})", where=str(file)) from None
    yield from text.splitlines()


def _time(text: str, zone: Any) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is not a date", where="--before", remedy="Write it like 2026-11-01 or 2026-11-01T07:00"
        ) from None
    return time if time.tzinfo is not None else time.replace(tzinfo=zone)
