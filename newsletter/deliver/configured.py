"""A sender for the configured site: relays, routes and rules from ``schedules.yaml``."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from functools import partial

from newsletter.config.models import Environment
from newsletter.config.reading import Configuration
from newsletter.deliver import verp
from newsletter.deliver.assembling import Assembler, message_id
from newsletter.deliver.dkim import DkimSigner, load_key
from newsletter.deliver.failing import Threshold
from newsletter.deliver.leaving_out import LeavingOut
from newsletter.deliver.sending import Clock, Rules, Sender
from newsletter.members.addresses import parse_address
from newsletter.model import SYSTEM, Picture
from newsletter.store import Store
from newsletter.store.senders import SenderLock


def configured_sender(
    configuration: Configuration, store: Store, lock: SenderLock, clock: Clock, logo: Picture | None = None
) -> Sender:
    """A sender of every newsletter that has a relay, and of system mails, which show ``logo``, our copy of the theme's.

    Raises ConfigurationError.
    """
    schedules, clock = configuration.schedules, never_back(clock)
    routes: defaultdict[str, list[str]] = defaultdict(list)
    for newsletter in (*schedules.newsletters, SYSTEM):
        for relay in configuration.relays_of(newsletter):
            routes[relay].append(newsletter)

    def message_id_of(edition_key: str, subscriber_id: int) -> str:
        return message_id(configuration, edition_key.partition("/")[0], edition_key, subscriber_id)

    leaving_out = LeavingOut(configuration)
    rules = Rules(
        keep_in_doubt=frozenset(
            name for name, newsletter in schedules.newsletters.items() if newsletter.in_doubt == "keep"
        ),
        plans=tuple(schedules.plans),
        languages={name: configuration.languages(name) for name in schedules.newsletters},
        only_addresses=staging_addresses(configuration),
        message_id_of=message_id_of,
        failing={
            name: Threshold(newsletter.failing.share, newsletter.failing.after)
            for name, newsletter in schedules.newsletters.items()
            if newsletter.failing.share is not None
        },
        domain_limits=schedules.domain_limits,
        targets=configuration.targets,
        leave_out=leaving_out if leaving_out.needed else None,
        return_path_of=partial(verp.envelope_sender, keys=configuration.site_keys),
    )
    return Sender(
        store,
        lock,
        configuration.relays,
        routes,
        rules,
        Assembler(configuration, store, clock, dkim_signers(configuration), logo),
        clock,
    )


def never_back(clock: Clock) -> Clock:
    """The same clock, but standing still while it is behind what it has shown: where the machine's is put back an hour,
    what was due stays due."""
    latest: datetime | None = None

    def now() -> datetime:
        nonlocal latest
        found = clock()
        if latest is None or found > latest:
            latest = found
        return latest

    return now


def dkim_signers(configuration: Configuration) -> dict[str, DkimSigner]:
    """Who signs, by domain. Raises ConfigurationError for a key that cannot be used."""
    return {
        domain: DkimSigner(
            tuple(load_key(configuration.resolve(one.key), domain=domain, selector=one.selector) for one in dkim.keys),
            frozenset(name.lower() for name in dkim.unsigned),
        )
        for domain, dkim in configuration.schedules.dkim.items()
    }


def staging_addresses(configuration: Configuration) -> frozenset[str] | None:
    """The addresses that staging may mail; None in production, where everyone may be."""
    schedules = configuration.schedules
    if schedules.environment is Environment.PRODUCTION:
        return None
    return frozenset(parse_address(address) for address in schedules.staging_recipients)
