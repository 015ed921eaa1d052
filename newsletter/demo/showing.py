"""The whole main job on one machine: a site is served, collected, composed, rendered, delivered and counted.

Everything is real but the addresses: HTTP from the sample site, SMTP to the sample mailboxes, the working example
``schedules.yaml``. All of it stands in one folder, which is a site's folder like any other afterwards.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from importlib import resources
from pathlib import Path

from newsletter.collect.parsing import Parser
from newsletter.config import site_key
from newsletter.config.reading import Configuration, load
from newsletter.deliver.configured import configured_sender
from newsletter.demo.mailboxes import Mailboxes
from newsletter.demo.site import DemoSite
from newsletter.errors import AlreadySent, NewsletterError, NothingToSend, StoreError, UsageError
from newsletter.members.consent import Evidence, Pause, PreferenceChange, change_preferences
from newsletter.members.exchange import import_subscribers
from newsletter.model import ConsentChannel, DeliveryState, Gate, Reason, StreamName
from newsletter.net import Fetcher
from newsletter.schedule import by_hand
from newsletter.schedule.logo import publish_logo
from newsletter.schedule.running import collect_due
from newsletter.schedule.work import Work
from newsletter.store import Store, deliveries, editions, senders, subscribers

HELD_BACK = "rail-strike-called-off"
PAUSED = "kabir.singh@readers.example"
MARK = ".newsletter-demo"
# The demo serves no pages: its mails are shown from disk.
UNSERVED = (Gate.WEB, Gate.LEAD_PICTURE)


@dataclass(frozen=True, slots=True)
class Line:
    """One newsletter in one round, as the table shows it. ``said`` is what the command line would have said."""

    round: int
    newsletter: str
    edition: str = ""
    articles: int = 0
    subscribers: int = 0
    sent: int = 0
    skipped: dict[Reason, int] = field(default_factory=dict)
    seconds: float = 0.0
    said: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo did. ``collected`` holds new articles per round; ``pages`` the mails to open in a browser."""

    lines: tuple[Line, ...]
    collected: tuple[int, ...]
    delivered: tuple[int, ...]
    mailboxes: Path
    pages: tuple[Path, ...]
    configuration: Path
    seconds: float


def prepare(folder: Path, example: Path) -> None:
    """Make ``folder`` anew from the working example. Raises UsageError where it holds something else."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise UsageError("this folder holds something else", where=str(folder), remedy="Name another with --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    shutil.copy(example, folder / "schedules.yaml")
    site_key.create(folder / site_key.FILE_NAME)


def show(folder: Path, example: Path, tell: Callable[[str], None]) -> Shown:
    """Run the demo in ``folder``. ``tell`` is given a line for each thing that is done. Raises NewsletterError."""
    began = time.perf_counter()
    prepare(folder, example)
    return asyncio.run(_show(folder, tell, began))


async def _show(folder: Path, tell: Callable[[str], None], began: float) -> Shown:
    async with Mailboxes(folder / "mailboxes") as mailboxes, DemoSite(held_back={HELD_BACK}) as site:
        environ = {"NEWSLETTER_DEMO_SITE": site.url, "NEWSLETTER_DEMO_SMTP_PORT": str(mailboxes.port)}
        (folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in environ.items()))
        configuration = load(folder / "schedules.yaml", {**os.environ, **environ})
        tell(f"The sample site is at {site.url}, its mail server at 127.0.0.1:{mailboxes.port}.")
        with Store.open(configuration.store_url) as store:
            _subscribe_readers(configuration, store)
            lines: list[Line] = []
            collected: list[int] = []
            delivered: list[int] = []
            for number in (1, 2):
                if number == 2:
                    site.publish(HELD_BACK)
                    tell("A second run: one more story has come out, and the newsletters are sent again.")
                before = mailboxes.count()
                # Sources are asked again no sooner than `every` says; the second run is an hour later.
                now = datetime.now(UTC) + timedelta(hours=number - 1)
                collected.append(await _collect(configuration, store, now, tell))
                lines += [
                    await _send(configuration, store, name, number) for name in configuration.schedules.newsletters
                ]
                delivered.append(mailboxes.count() - before)
        pages = tuple(_pages(folder, mailboxes.folder, configuration))
    return Shown(
        tuple(lines),
        tuple(collected),
        tuple(delivered),
        mailboxes.folder,
        pages,
        folder / "schedules.yaml",
        time.perf_counter() - began,
    )


def _subscribe_readers(configuration: Configuration, store: Store) -> None:
    evidence = Evidence(ConsentChannel.IMPORT, datetime.now(UTC))
    sample = resources.files("newsletter.demo") / "content" / "subscribers.csv"
    file = io.StringIO(sample.read_text(encoding="utf-8"))
    import_subscribers(
        store, file, schedules=configuration.schedules, site_keys=configuration.site_keys, evidence=evidence
    )
    person = store.read(subscribers.by_address, PAUSED)
    assert person is not None
    pause = [PreferenceChange("daily", pause=Pause(datetime.now(UTC) + timedelta(days=14)))]
    store.write(change_preferences, person.id, pause, evidence)


async def _collect(configuration: Configuration, store: Store, now: datetime, tell: Callable[[str], None]) -> int:
    async with Fetcher(contact=str(configuration.schedules.site.url)) as fetcher:
        with Parser() as parser:
            results = await collect_due(configuration, store, fetcher, parser, now)
    for result in results:
        if result.error:
            raise StoreError(result.error)
        found = f"{result.new} new, {result.changed} changed, {result.unchanged} known"
        tell(f"Collected {result.source}: {found} ({result.seconds:.1f} s).")
    return sum(result.new for result in results)


async def _send(configuration: Configuration, store: Store, name: str, number: int) -> Line:
    began = time.perf_counter()

    def clock() -> datetime:
        return datetime.now(UTC)

    try:
        plan = await asyncio.to_thread(
            by_hand.plan_send, configuration, store, StreamName(name), extra=False, now=clock()
        )
        work = Work(configuration, store, logo=publish_logo(configuration))
        row = await asyncio.to_thread(by_hand.begin, work, plan, [], clock(), actor="demo", despite=UNSERVED)
        async with senders.holding(store, clock) as lock:
            assert lock is not None, "nobody else sends in the demo"
            await configured_sender(configuration, store, lock, clock).run(asyncio.Event(), until_idle=True)
        work.complete(row, clock())
    except (AlreadySent, NothingToSend) as error:
        return Line(number, name, said=_kindly(error), seconds=time.perf_counter() - began)
    counts = store.read(deliveries.counts, row.id)
    [edition] = store.read(editions.for_occurrence, row.id)
    return Line(
        number,
        name,
        str(row.name),
        len(edition.edition.article_ids),
        sum(counts.values()),
        sum(n for (state, _), n in counts.items() if state is DeliveryState.SENT),
        {reason: n for (state, reason), n in counts.items() if state is DeliveryState.SKIPPED},
        time.perf_counter() - began,
    )


def _kindly(error: NewsletterError) -> str:
    return error.what


def _pages(folder: Path, mailboxes: Path, configuration: Configuration) -> Iterator[Path]:
    """One mail of each newsletter as a page whose pictures are on this disk, to be opened in any browser."""
    web = configuration.schedules.web
    assert web is not None
    shown: set[str] = set()
    (folder / "mails").mkdir(exist_ok=True)
    for path in sorted(mailboxes.glob("*/new/*")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        newsletter = str(message["List-Id"]).strip("<>").partition(".")[0]
        body = message.get_body(("html",))
        if body is None or newsletter in shown:
            continue
        shown.add(newsletter)
        page = folder / "mails" / f"{newsletter}.html"
        page.write_text(body.get_content().replace(f"{web.base}/media/", "../media/"), encoding="utf-8")
        (folder / "mails" / f"{newsletter}.eml").write_bytes(path.read_bytes())
        yield page
