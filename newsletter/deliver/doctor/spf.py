"""SPF (RFC 7208): may this address send mail of this domain, and is the record one that receivers can use?

Evaluates ip4, ip6, a, mx, include, exists without macros, redirect and all, and counts what costs a look-up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from newsletter.deliver.doctor.verdict import Verdict, failed, passed, warning
from newsletter.net.dns_lookup import Dns

MOST_LOOKUPS = 10  # RFC 7208 §4.6.4, as are the next two
MOST_VOID_LOOKUPS = 2
MOST_EXCHANGERS = 10
_MECHANISMS = frozenset({"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"})
_TERM = re.compile(
    r"(?P<sign>[+?~-]?)(?P<name>[a-z]+[0-9]?)(?::(?P<value>.*?))?(?P<prefix>(?:/\d{1,3})?(?://\d{1,3})?)", re.IGNORECASE
)
_RESULTS = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass
class _Walk:
    """One evaluation under way: how many look-ups it cost, which found nothing, and what is wrong with a record."""

    dns: Dns
    lookups: int = 0
    void: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    uses_macros: bool = False


@dataclass(frozen=True, slots=True)
class SpfResult:
    """What a receiver would come to. ``result`` is pass, fail, softfail, neutral, none or permerror."""

    result: str
    lookups: int
    errors: tuple[str, ...]
    ends: str
    uses_macros: bool


async def records_of(dns: Dns, domain: str) -> list[str]:
    """The SPF records of a domain; a usable one has exactly one (RFC 7208 §4.5)."""
    return [text for text in await dns.txt(domain) if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


async def evaluate(dns: Dns, domain: str, address: str) -> SpfResult:
    """Whether ``address`` may send for ``domain`` (RFC 7208 §4). Raises LookupFailed."""
    walk = _Walk(dns)
    result, ends = await _evaluate(walk, domain, address, seen=())
    if walk.lookups > MOST_LOOKUPS:
        walk.errors.append(f"it costs {walk.lookups} look-ups, and receivers stop at {MOST_LOOKUPS}")
    if len(walk.void) > MOST_VOID_LOOKUPS:
        walk.errors.append(
            f"DNS has nothing for {', '.join(walk.void)}, and receivers stop at {MOST_VOID_LOOKUPS} such look-ups"
        )
    return SpfResult("permerror" if walk.errors else result, walk.lookups, tuple(walk.errors), ends, walk.uses_macros)


async def _evaluate(walk: _Walk, domain: str, address: str, *, seen: tuple[str, ...]) -> tuple[str, str]:
    """The result, and how its record ends for whom nothing else matched."""
    records = await records_of(walk.dns, domain)
    if len(records) != 1:
        if records:
            walk.errors.append(f"{domain} has {len(records)} SPF records instead of one")
        elif seen:
            walk.errors.append(f"{domain}, which it includes, has no SPF record")
        return "none", ""
    terms = records[0].split()[1:]
    modifiers = [name.lower() for name, equals, _ in (term.partition("=") for term in terms) if equals]
    for name in ("redirect", "exp"):
        if modifiers.count(name) > 1:  # RFC 7208 §6
            walk.errors.append(f"{domain} has more than one {name}=")
    redirect, result, ends = "", "", "neutral"
    for term in terms:
        name, equals, value = term.partition("=")
        if equals and name.lower() in ("redirect", "exp"):
            redirect = value if name.lower() == "redirect" else redirect
            continue
        match = _TERM.fullmatch(term)
        if match is None or match["name"].lower() not in _MECHANISMS:
            if not equals:  # an unknown modifier is passed over (RFC 7208 §6)
                walk.errors.append(f"{domain}: '{term}' is not a mechanism")
            continue
        if match["name"].lower() == "all":
            ends = _RESULTS[match["sign"]]
            redirect = ""
            result = result or ends
            break
        # Every mechanism is looked at, also after a match: the count of look-ups must hold for every sender.
        if await _matches(walk, match, domain, address, (*seen, domain)) and not result:
            result = _RESULTS[match["sign"]]
    if redirect:
        walk.lookups += 1
        if redirect in seen or walk.lookups > 2 * MOST_LOOKUPS:
            walk.errors.append(f"{domain} redirects in a circle")
            return "permerror", ends
        further, ends = await _evaluate(walk, redirect, address, seen=(*seen, domain))
        result = result or further
    return result or "neutral", ends


async def _matches(walk: _Walk, match: re.Match[str], domain: str, address: str, seen: tuple[str, ...]) -> bool:
    name, value = match["name"].lower(), match["value"] or ""
    if "%" in value:
        walk.uses_macros = True
        walk.lookups += 1
        return False
    if name in ("ip4", "ip6"):
        try:
            return ip_address(address) in ip_network(value + match["prefix"], strict=False)
        except ValueError:
            walk.errors.append(f"{domain}: '{match[0]}' is no network")
            return False
    walk.lookups += 1
    if walk.lookups > 2 * MOST_LOOKUPS:
        return False
    target = value or domain
    if name == "include":
        if target in seen:
            walk.errors.append(f"{target} is included in a circle")
            return False
        return (await _evaluate(walk, target, address, seen=seen))[0] == "pass"
    if name == "exists":
        return bool(await _addresses(walk, target, version=4))  # RFC 7208 §5.7: A, also for an IPv6 sender
    if name == "ptr":
        return False  # RFC 7208 §5.5: must not be used
    hosts = await _exchangers(walk, domain, target) if name == "mx" else [target]
    return any([await _is_of(walk, host, address, match["prefix"]) for host in hosts])


async def _exchangers(walk: _Walk, domain: str, target: str) -> list[str]:
    """The mail exchangers of an ``mx`` term, no more than receivers look at."""
    found = await walk.dns.mx(target)
    if not found:
        walk.void.append(f"MX of {target}")
    if len(found) > MOST_EXCHANGERS:
        walk.errors.append(
            f"{domain}: {target} has {len(found)} mail exchangers, and receivers stop at {MOST_EXCHANGERS}"
        )
    return found[:MOST_EXCHANGERS]


async def _addresses(walk: _Walk, host: str, *, version: int) -> list[str]:
    """The addresses of a host of the version that is asked for: one look-up, void where there are none."""
    found = [one for one in await walk.dns.addresses(host) if ip_address(one).version == version]
    if not found:
        walk.void.append(f"{'A' if version == 4 else 'AAAA'} of {host}")
    return found


async def _is_of(walk: _Walk, host: str, address: str, prefix: str) -> bool:
    """Whether the address is one of a host's, or in the networks of them that ``/24//64`` names."""
    four, _, six = prefix.lstrip("/").partition("//") if not prefix.startswith("//") else ("", "", prefix[2:])
    sender = ip_address(address)
    length = (four or "32") if sender.version == 4 else (six or "128")
    found = await _addresses(walk, host, version=sender.version)
    return any(sender in ip_network(f"{one}/{length}", strict=False) for one in found)


def judge_spf(domain: str, records: Sequence[str], results: dict[str, SpfResult]) -> list[Verdict]:
    """Verdicts on the record of an envelope sender's domain; ``results`` by the address of a relay."""
    check = f"SPF of {domain}"
    if not records:
        return [failed(check, "there is no record", f'{domain}. IN TXT "v=spf1 … -all", naming who sends for you')]
    if len(records) > 1:
        return [failed(check, f"there are {len(records)} records, and receivers then use none", "Join them into one")]
    errors = list(dict.fromkeys(error for result in results.values() for error in result.errors))
    if errors:
        return [failed(check, "; ".join(errors), "Correct the record (RFC 7208 §4.6)")]
    found: list[Verdict] = []
    ends = next((result.ends for result in results.values()), "")
    if ends == "pass":
        found.append(failed(check, "it ends with +all: anybody may send as you", "End it with -all"))
    elif ends in ("neutral", ""):
        found.append(warning(check, "it does not end with -all or ~all", "End it with -all"))
    for address, result in results.items():
        if result.result == "pass":
            found.append(passed(check, f"{address} may send ({result.lookups} look-ups)"))
        elif result.uses_macros:
            found.append(warning(check, f"it uses macros, so {address} cannot be judged from here", "Send a test"))
        else:
            found.append(
                warning(
                    check,
                    f"{address}, the address of your relay, is not in it ({result.result})",
                    "Right where the relay sends from other addresses; else add it",
                )
            )
    return found
