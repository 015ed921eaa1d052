"""Every error a person may see: one root, few leaves, each carrying the facts and what to do about them.

Rooms raise these where the facts are known; the CLI turns them into one line and an exit code, the web into a status.
"""

from __future__ import annotations

from collections.abc import Sequence


class NewsletterError(Exception):
    """Root of all errors of this package.

    ``what`` says what was wrong; ``where`` names the file, line, key or address; ``remedy`` says what to do.
    ``str(error)`` is the one line that the CLI prints.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join((f"{line}. {self.remedy}" if self.remedy else line).split())


class ConfigurationError(NewsletterError):
    """``schedules.yaml``, the environment or the site key cannot be used. ``where`` is ``file:line``.

    ``faults`` holds every fault that was found together with this one, itself included.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, where: str = "", remedy: str = "", faults: Sequence[ConfigurationError] = ()
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self._faults = tuple(faults)

    @property
    def faults(self) -> list[ConfigurationError]:
        return list(self._faults) or [self]


class UsageError(NewsletterError):
    """A command was given something that does not exist or does not fit."""

    exit_code = 2


class TargetError(UsageError):
    """A ``target:`` is not written as it must be, or names what there is not. ``column`` counts from 1."""

    def __init__(self, what: str, column: int, *, remedy: str = "") -> None:
        super().__init__(f"column {column}: {what}", remedy=remedy)
        self.column = column


class AddressError(UsageError):
    """An e-mail address, or a name or header value built from outside text, that must not be used."""


class AlreadySent(NewsletterError):
    """The occurrence asked for has been sent to everyone asked for; nothing was done."""

    exit_code = 3


class NothingToSend(NewsletterError):
    """There are too few new stories for an edition, or nobody to send it to; nothing was done."""

    exit_code = 3


class NothingToDo(NewsletterError):
    """What was asked for stands already, or there is nothing it applies to; nothing was done."""

    exit_code = 3


class OccurrenceHeld(NewsletterError):
    """The occurrence is held (by a gate, a template error or a person) and was not sent."""

    exit_code = 4


class StoreError(NewsletterError):
    """The database refused, is full, is locked, or is of another version."""

    exit_code = 5


class StoreFull(StoreError):
    """The disk (or quota, or RLIMIT_FSIZE) under the database is full."""


class StoreBusy(StoreError):
    """Another process held the database's write lock for longer than we wait."""


class UnreadableEdits(StoreError):
    """What editors changed of one occurrence is stored in a shape that this version does not know."""


class EditedMeanwhile(StoreError):
    """An editor changed the occurrence while it was composed, approved or edited here; nothing was written."""


class SenderLockLost(StoreError):
    """This process no longer holds its sender lock, so it must not put another message on the wire."""


class FetchError(NewsletterError):
    """A URL could not be fetched: refused address, size, time, status or network. ``where`` is the URL.

    ``status`` is the HTTP status where there was an answer, else 0; ``retry_after`` is what it asked for, in seconds;
    ``body`` is how the answer began, at most 64 KiB.
    """

    exit_code = 6
    status: int = 0
    retry_after: float | None = None
    body: bytes = b""


class LookupFailed(NewsletterError):
    """DNS did not answer, which is another thing than that there is no such record."""

    exit_code = 6


class SourceError(NewsletterError):
    """What a source gave is not what it should be. ``where`` is the source's name or URL, ``body`` how it began."""

    exit_code = 6
    body: bytes = b""


class TemplateError(NewsletterError):
    """A template is wrong. ``where`` is ``file:line``; ``remedy`` names the alternative."""

    exit_code = 7


class RelayError(NewsletterError):
    """A relay could not be used: refused, TLS invalid, authentication failed. ``where`` is the relay's name."""

    exit_code = 8


class IncompleteSend(NewsletterError):
    """A send ended with messages failed, deferred or in doubt; the ledger says which."""

    exit_code = 9


def first_of(several: BaseExceptionGroup[NewsletterError]) -> NewsletterError:
    """The first error of a group that tasks raised, however deep it stands."""
    error: BaseException = several
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, NewsletterError)
    return error
