"""``articles``: add one by hand, list them, show one (and what ``articles_ledger`` decides about them)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import articles_ledger
from newsletter.cli.names import known
from newsletter.cli.options import Json, Limit, Options, cell, options_of, print_json, print_rows, progress, run_async
from newsletter.errors import UsageError
from newsletter.model import Article

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.store import Store

BY_HAND = "by_hand"
_ELSEWHERE = ("headline", "standfirst", "authors", "body_html", "body_text", "images", "revisions", "merges", "blocks")
_COLUMNS = ("id", "source", "section", "published_at", "headline")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        name="articles", help="Stories: add, list, show, split, merge, block, mark as sent.", no_args_is_help=True
    )
    group.command("add")(add)
    group.command("list")(list_)
    group.command("show")(show)
    articles_ledger.add_to(group)
    app.add_typer(group)


def add(
    context: typer.Context,
    where: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="An .html, .txt, .md or .eml file, or a page's address")
    ],
    source: Annotated[
        str, typer.Option("--source", help="As an article of this source, with its section and language")
    ] = "",
    section: Annotated[str, typer.Option("--section", help="The section, where the article names none")] = "",
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Permit an address in a private network")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add one article from a file or a URL. It may be sent with the next edition."""
    options = options_of(context)
    configuration = options.configuration()
    if source:
        source = known("source", source, configuration.schedules.sources)
    with options.store(configuration) as store:
        article = run_async(_add(options, configuration, store, where, source, section, allow_private))
    if as_json:
        print_json(plain_article(article))
    else:
        typer.echo(f"Article {article.id}, revision {article.revision}: {article.headline}")


def list_(
    context: typer.Context,
    source: Annotated[str, typer.Option("--source", help="Only those of this source")] = "",
    section: Annotated[str, typer.Option("--section", help="Only those whose source says this section")] = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List articles, the one seen last first."""
    from newsletter.store import articles

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        found = store.read(articles.list_articles, source=source, section=section, limit=limit)
    if source and not found and source != BY_HAND:
        known("source", source, configuration.schedules.sources)
    rows = [plain_article(article) for article in found]
    print_rows(rows, as_json=as_json, columns=_COLUMNS, empty="No articles yet. Run `newsletter collect`.")


def show(
    context: typer.Context, article_id: Annotated[int, typer.Argument(metavar="ID")], as_json: Json = False
) -> None:
    """Show one article whole."""
    from newsletter.store import articles, blocking

    options = options_of(context)
    with options.store(options.configuration()) as store:
        article = store.read(articles.get, article_id)
        if article is None:
            raise UsageError(f"there is no article {article_id}", remedy="`newsletter articles list` shows them")
        revisions = [
            {"revision": one.revision, "kind": one.kind, "seen_at": one.seen_at}
            for one in store.read(articles.revisions, article_id)
        ]
        merges = articles_ledger.merges_of(store, article_id)
        blocks = [asdict(one) | {"words": one.words} for one in store.read(blocking.of_article, article_id)]
    facts = plain_article(article) | {"revisions": revisions, "merges": merges, "blocks": blocks}
    if as_json:
        print_json(facts)
        return
    for line in (article.headline, article.standfirst, ", ".join(article.authors)):
        if line:
            typer.echo(line)
    typer.echo()
    for name, value in facts.items():
        if name not in _ELSEWHERE and value not in ("", (), None):
            typer.echo(f"{name.replace('_', ' ')}: {cell(value)}")
    for image in article.images:
        typer.echo(" ".join(filter(None, ("image:", image.url, image.caption))))
    for one in revisions:
        typer.echo(f"revision {one['revision']}: {cell(one['kind'])}, seen {cell(one['seen_at'])}")
    for one in blocks:
        typer.echo(f"{one['words']} ({cell(one['at'])})")
    for one in merges:
        typer.echo(f"merge {one['merge']}: {one['words']}")
    if article.body_text:
        typer.echo(f"\n{article.body_text}")


def plain_article(article: Article) -> dict[str, Any]:
    """The article as JSON shows it; times are ISO 8601 UTC."""
    return asdict(article)


async def _add(
    options: Options,
    configuration: Configuration,
    store: Store,
    where: str,
    source: str,
    section: str,
    allow_private: bool,
) -> Article:
    from newsletter.collect.adding import add_article
    from newsletter.collect.parsing import Parser
    from newsletter.collect.source_facts import SourceFacts, source_facts
    from newsletter.net import Fetcher

    given = configuration.schedules.sources.get(source)
    zone = configuration.schedules.site.timezone
    name = source or BY_HAND
    facts = SourceFacts(name, zone=zone) if given is None else source_facts(name, given, zone=zone)
    with progress() as bar, Parser(1) as parser:
        bar.add_task(f"Reading {where}", total=None)
        async with Fetcher(contact=str(configuration.schedules.site.url)) as fetcher:
            return await add_article(
                where,
                replace(facts, section=section or facts.section),
                store=store,
                fetcher=fetcher,
                parser=parser,
                media_folder=configuration.media_folder,
                now=options.clock(),
                allow_private=allow_private or (given is not None and given.allow_private),
                copy_images=given is None or given.images.mode == "copy",
            )
