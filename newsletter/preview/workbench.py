"""What the pages work on: a choice -> its preview, made afresh, and the last few kept by hash.

So the frames, the hash beside them and the downloaded ``.eml`` are one message. Templates and ``schedules.yaml`` are
read again only when they were saved: that is most of the time between a save and its picture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from newsletter.config.reading import Configuration
from newsletter.deliver.configured import staging_addresses
from newsletter.errors import NewsletterError, UsageError
from newsletter.members.addresses import parse_address
from newsletter.model import SYSTEM, OccurrenceState, StreamName, SubscriptionState
from newsletter.preview.choice import Choice
from newsletter.preview.choosing import Turns, past_occurrences
from newsletter.preview.comparing import Difference, Side, compare
from newsletter.preview.making import Logo, Preview, make_preview
from newsletter.preview.on_request import make_system_preview
from newsletter.render.templates import Templates
from newsletter.store import Store, subscribers

_KEPT = 24
_SUGGESTED = 30
COMING_DAYS = 7
"""How far ahead the inbox view shows what will come to a reader."""

Post = Callable[[Configuration, str, str, bytes], Awaitable[None]]
"""(configuration, newsletter, address, message): give one test message to the newsletter's relay."""


class Coming(Protocol):
    """One mail that comes to a reader, or does not; ``local`` is an ISO time with its offset."""

    @property
    def edition(self) -> str: ...
    @property
    def local(self) -> str: ...
    @property
    def comes(self) -> bool: ...
    @property
    def sentence(self) -> str: ...


Inbox = Callable[[Configuration, Store, str, datetime, int], Sequence[Coming]]
"""(configuration, store, address, now, days): what will come to a reader, by time."""


@dataclass(frozen=True)
class Kept:
    """A preview and the choice it is of."""

    choice: Choice
    preview: Preview


@dataclass
class Workbench:
    """``reload`` reads ``schedules.yaml`` again; ``configuration`` is the last that was valid.

    ``default`` is what is shown where the URL says nothing. ``post`` sends a test; without it none can be sent.
    ``inbox`` foretells what comes to a reader.
    """

    configuration: Configuration
    reload: Callable[[], Configuration]
    store: Store
    clock: Callable[[], datetime]
    default: Choice
    turns: Turns | None = None
    logo: Logo | None = None
    post: Post | None = None
    inbox: Inbox | None = None
    _kept: OrderedDict[str, Kept] = field(default_factory=OrderedDict, repr=False)
    _good: OrderedDict[tuple[object, ...], Kept] = field(default_factory=OrderedDict, repr=False)
    _stamp: object = field(default=None, repr=False)
    _templates: tuple[object, Templates] | None = field(default=None, repr=False)
    _one_at_a_time: Lock = field(default_factory=Lock, repr=False)

    def make(self, choice: Choice) -> Kept:
        """The preview of a choice, made now. Blocking. Raises NewsletterError."""
        with self._one_at_a_time:
            kept = Kept(choice, self._make(choice))
            _remember(self._kept, kept.preview.sha256, kept)
            _remember(self._good, _subject(choice), kept)
            return kept

    def kept(self, sha256: str) -> Kept | None:
        """What was made before, by its hash; None where that was too long ago."""
        return self._kept.get(sha256)

    def last_good(self, choice: Choice) -> Kept | None:
        """The last preview of the same edition and reader that could be made."""
        found = self._good.get(_subject(choice))
        return replace(found, choice=choice) if found is not None else None

    def now(self, choice: Choice) -> datetime:
        """The time at which a choice is looked at. Raises UsageError."""
        return choice.now(self.clock(), self.configuration.zone(*choice.of))

    def difference(self, kept: Kept) -> Difference | None:
        """What became of the last edition that was sent, for the same reader; None where there was none."""
        choice, shown = kept.choice, str(kept.preview.edition.occurrence)
        for row in past_occurrences(self.store, choice.of):
            earlier = row.due_at < kept.preview.due_at or choice.scenario
            if str(row.occurrence) == shown or not earlier or row.state is not OccurrenceState.SENT:
                continue
            before = self._earlier(replace(choice, edition=str(row.occurrence)))
            if before is not None:
                return compare(_side(before), _side(kept.preview))
        return None

    def readers(self, newsletter: str, search: str) -> list[str]:
        """Addresses of active readers that hold ``search``, in the order in which they came."""
        found = self.store.read(
            subscribers.page,
            newsletter=StreamName.parse(newsletter).newsletter,
            state=SubscriptionState.ACTIVE,
            search=search or None,
            limit=_SUGGESTED,
        )
        return [one.address for one in found]

    def coming(self, choice: Choice) -> Sequence[Coming] | None:
        """What will come to the reader chosen, of every newsletter; None for one put together by hand.

        Raises NewsletterError.
        """
        if self.inbox is None or not choice.address:
            return None
        return self.inbox(self.configuration, self.store, choice.address, self.now(choice), COMING_DAYS)

    def reader_beside(self, newsletter: str, address: str, *, after: bool) -> str:
        """The next (or previous) active reader; '' for the one put together by hand, who stands before the first."""
        newsletter = StreamName.parse(newsletter).newsletter
        person = self.store.read(subscribers.by_address, parse_address(address)) if address else None
        if after:
            start = person.id if person is not None else 0
            found = self.store.read(
                subscribers.page, after=start, newsletter=newsletter, state=SubscriptionState.ACTIVE, limit=1
            )
            return found[0].address if found else address
        if person is None:
            return ""
        before = self.store.read(subscribers.before, person.id, newsletter=newsletter)
        return before.address if before is not None else ""

    def test_recipients(self) -> tuple[str, ...]:
        """Whom a test may be sent to: ``test_recipients``, in staging ``staging_recipients``."""
        allowed = staging_addresses(self.configuration)
        if allowed is not None:
            return tuple(sorted(allowed))
        return tuple(parse_address(one) for one in self.configuration.schedules.test_recipients)

    def test_message(self, kept: Kept, address: str) -> bytes:
        """What is shown, made for a test address. Blocking. Raises UsageError for one that is not allowed."""
        if address not in self.test_recipients():
            raise UsageError(
                f"{address or 'nobody'} is not among those who get tests",
                where="test_recipients",
                remedy="Add it to test_recipients in schedules.yaml (in staging: to staging_recipients)",
            )
        with self._one_at_a_time:
            return self._make(kept.choice, to=address).message

    def refresh(self) -> Configuration:
        """The configuration, read again where a file it comes from was saved. Raises ConfigurationError."""
        folder = self.configuration.folder
        stamp = [_stamp(path) for path in (self.configuration.file, folder / ".env", folder / "site.key")]
        if stamp != self._stamp:
            self.configuration = self.reload()
            self._stamp = stamp
        return self.configuration

    def _make(self, choice: Choice, *, to: str = "") -> Preview:
        configuration = self.refresh()
        configuration.named(choice.of)
        if choice.newsletter == SYSTEM:
            return make_system_preview(
                configuration,
                self.store,
                choice.edition,
                reader=choice.reader,
                now=self.now(choice),
                logo=self.logo,
                templates=self._current_templates(configuration),
                to=to,
            )
        return make_preview(
            configuration,
            self.store,
            choice.of,
            reader=choice.reader,
            edition=choice.edition,
            now=self.now(choice),
            turns=self.turns,
            logo=self.logo,
            templates=self._current_templates(configuration),
            to=to,
        )

    def _earlier(self, choice: Choice) -> Preview | None:
        try:
            return self._make(choice)
        except NewsletterError:
            return None

    def _current_templates(self, configuration: Configuration) -> Templates:
        """The templates, kept as long as no file was added or removed: of saved ones Jinja2 itself takes notice."""
        folders = configuration.template_folders
        files = [frozenset(path for path in folder.rglob("*") if path.is_file()) for folder in folders]
        if self._templates is None or self._templates[0] != (folders, files):
            self._templates = ((folders, files), Templates(folders))
        return self._templates[1]


def _remember(kept: OrderedDict[Any, Kept], key: Any, value: Kept) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _subject(choice: Choice) -> tuple[object, ...]:
    return choice.newsletter, choice.edition, choice.reader


def _side(preview: Preview) -> Side:
    return Side(
        str(preview.edition),
        preview.subject,
        preview.preheader,
        preview.size,
        tuple(story.headline for story in preview.stories if story.shown),
        preview.text,
        preview.html,
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size, known.st_ino
