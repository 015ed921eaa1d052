"""A correction that a person writes: to whom it would go and what it would say; then its row, from which it is sent.

It introduces the rooms to each other: the pieces that went out -> render -> a correction's pieces -> the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from newsletter.compose.keys import rendered_keys, sections_for
from newsletter.config.reading import Configuration
from newsletter.deliver.addressed import Reader
from newsletter.deliver.assembling import message_for, message_id
from newsletter.deliver.configured import staging_addresses
from newsletter.errors import NothingToSend, UsageError
from newsletter.members.addresses import parse_address
from newsletter.members.links import Links
from newsletter.model import Edition, Edits, JoinedKey, Occurrence, OccurrenceState, Picture, RenderedKey
from newsletter.render.correcting import correction_pieces
from newsletter.render.joining import Variants
from newsletter.render.rendering import templates_of, web_base
from newsletter.store import Store, copies, corrections, editions, occurrences, pieces, subscribers
from newsletter.store.corrections import Audience, Issued
from newsletter.store.editions import EditionRow
from newsletter.store.had import decode as decode_had
from newsletter.store.occurrences import OccurrenceRow

Pieces = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Draft:
    """A correction of ``original`` that is not sent: its words, its documents, and to how many it would go.

    ``there`` is the one that says the same already, None where there is none.
    """

    original: OccurrenceRow
    occurrence: Occurrence
    edits: Edits
    documents: Mapping[RenderedKey, Pieces] = field(repr=False)
    audience: Audience
    there: OccurrenceRow | None = None


def draft(
    configuration: Configuration,
    store: Store,
    original: OccurrenceRow,
    *,
    note: str,
    subject: str | None = None,
    logo: Picture | None = None,
    now: datetime,
) -> Draft:
    """Write the correction of an occurrence of which no more goes out. Nothing is written to the store. Blocking.

    Raises UsageError where more may go out, NothingToSend where nobody has it, and TemplateError.
    """
    require_settled(original)
    _require_kept(original)
    earlier = store.read(corrections.of, original)
    number = max((one.occurrence.correction for one in earlier), default=0) + 1
    occurrence = replace(original.occurrence.corrected, correction=number)
    edits = Edits(note=note, subject=subject)
    audience = store.read(corrections.audience, original, now, staging_addresses(configuration))
    if not audience.readers:
        raise NothingToSend(f"nobody has {original.name}, so there is nobody to correct it for")
    documents = _documents(configuration, store, original, occurrence, edits, logo)
    return Draft(original, occurrence, edits, documents, audience, corrections.same_words(earlier, edits))


def issue(store: Store, written: Draft, *, again: bool, actor: str, now: datetime) -> Issued:
    """Make its row, from which ``work.fan_out`` and a sender go on; or find the one that says the same, unless
    ``again``. Raises UsageError where more of the original may go out by now."""
    issued = store.write(
        corrections.issue, written.original, written.edits, written.documents, again=again, actor=actor, now=now
    )
    if issued is None:
        _require_kept(store.read(occurrences.get, written.original.id) or written.original)
        require_settled(replace(written.original, state=OccurrenceState.SENDING))
    assert issued is not None
    return issued


def _require_kept(row: OccurrenceRow) -> None:
    if row.pruned_at is not None:
        raise NothingToSend(f"who got {row.name} is not kept any more (keep_deliveries)")


def require_settled(row: OccurrenceRow) -> None:
    """Raise UsageError unless it is settled who has an occurrence: it is sent, stopped, held or cancelled."""
    if row.occurrence.correction:
        raise UsageError(
            f"{row.name} is a correction itself",
            remedy=f"Correct {row.name.of}@{row.occurrence.corrected} once more, and say so in the note",
        )
    if row.state not in corrections.CORRECTABLE:
        remedies = {OccurrenceState.SENDING: f"`newsletter editions stop {row.name}` stops it first"}
        raise UsageError(
            f"{row.name} is {row.state.value}, so it is not settled who has it",
            remedy=remedies.get(row.state, f"`newsletter editions hold {row.name}` keeps it from going out"),
        )


def sample(configuration: Configuration, store: Store, written: Draft, address: str, now: datetime) -> bytes:
    """The message as the reader with this address would get it now. Blocking. Raises AddressError and UsageError."""
    name = written.original.newsletter
    person = store.read(subscribers.by_address, parse_address(address))
    copy = None
    if person is not None:
        copy = store.read(copies.find, person.id, written.original.name.of, written.original.occurrence)
    if person is None or copy is None:
        raise UsageError(
            f"{address} has not got {written.original.name}",
            where="--as",
            remedy=f"`newsletter deliveries list {written.original.name} --state sent` shows who has",
        )
    key = f"{name}/{written.original.stream}/{written.occurrence}"
    sections = sections_for(copy.sections, configuration.of(written.original))
    variant = Variants(written.documents[copy.rendered_key]).variant(JoinedKey(sections, had=decode_had(copy.had)))
    assert variant is not None, "a correction says something to everyone"
    return message_for(
        configuration,
        Edition(name, written.original.stream, written.occurrence, "", now, ()),
        variant,
        Reader(person.id, person.address, person.first_name, person.last_name, person.secret),
        message_id=message_id(configuration, name, key, person.id),
        mail_format=copy.format,
        links=Links(web_base(configuration), configuration.schedules.unsubscribe_mailbox or ""),
        now=now,
        in_reply_to=copy.message_id,
    )


def _documents(
    configuration: Configuration,
    store: Store,
    original: OccurrenceRow,
    occurrence: Occurrence,
    edits: Edits,
    logo: Picture | None,
) -> dict[RenderedKey, Pieces]:
    """The correction's pieces for each rendered key that its readers may have now, or had."""
    name = original.newsletter
    went_out: dict[RenderedKey, EditionRow] = {}
    for edition in store.read(editions.for_occurrence, original.id):
        for key in store.read(pieces.keys, *edition.pieces_at):
            went_out.setdefault(key, edition)
    if not went_out:
        raise UsageError(f"what {original.name} said is not kept any more", remedy="Write to its readers by hand")
    templates = templates_of(configuration)
    wanted = {*rendered_keys(configuration.languages(name), configuration.schedules.plans), *went_out}
    made: dict[RenderedKey, Pieces] = {}
    for key in sorted(wanted):
        nearest = _nearest(key, went_out)
        edition = went_out[nearest]
        made[key] = correction_pieces(
            store.read(pieces.load, *edition.pieces_at, nearest),
            occurrence,
            configuration.of(original),
            name,
            configuration.schedules.site,
            key,
            web_base(configuration),
            templates,
            note=edits.note or "",
            subject=edits.subject,
            logo=logo,
        )
    return made


def _nearest(key: RenderedKey, went_out: Mapping[RenderedKey, EditionRow]) -> RenderedKey:
    """The document that went out for a key, else one in its language, else any: a plan or language may be newer."""
    return min(went_out, key=lambda one: (one != key, one.language != key.language, one))
