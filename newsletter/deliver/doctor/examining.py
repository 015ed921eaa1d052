"""Examines a From domain as a large mailbox provider would: what DNS says, how the relays answer, what mails hold.

Facts are asked for here and judged by ``spf``, ``dmarc`` and the functions below; a look-up that gets no answer costs
its own line alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from newsletter.config.models import Relay
from newsletter.config.reading import Configuration
from newsletter.deliver.assembling import from_address
from newsletter.deliver.configured import dkim_signers
from newsletter.deliver.dkim import DkimSigner, SigningKey, dns_record, signer_for
from newsletter.deliver.doctor import dmarc, spf
from newsletter.deliver.doctor.verdict import Health, Verdict, failed, passed, warning
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import LookupFailed, RelayError
from newsletter.net.dns_lookup import Dns


@dataclass(frozen=True, slots=True)
class Mailing:
    """How one From domain sends: by which relays, with which envelope sender's domains."""

    from_domain: str
    relays: Mapping[str, Relay]
    envelope_domains: tuple[str, ...]
    signer: DkimSigner | None


def mailings_of(configuration: Configuration, domain: str) -> list[Mailing]:
    """The From domains of newsletters that are ``domain`` or below it; the domain itself where no newsletter is.

    Raises ConfigurationError for a DKIM key that cannot be used.
    """
    signers = dkim_signers(configuration)
    routes: dict[str, list[tuple[str, str, Relay]]] = {}
    for name in configuration.schedules.newsletters:
        address = from_address(configuration, name)
        of = address.rpartition("@")[2].lower()
        if (of == domain or of.endswith(f".{domain}")) and configuration.schedules.relays:
            routes.setdefault(of, []).append((address, *configuration.relay(name)))
    if not routes:
        routes[domain] = [(f"@{domain}", name, relay) for name, relay in configuration.relays.items()]
    return [
        Mailing(
            of,
            {name: relay for _, name, relay in used},
            tuple(
                dict.fromkeys((relay.envelope_sender or sender).rpartition("@")[2].lower() for sender, _, relay in used)
            ),
            signer_for(signers, of),
        )
        for of, used in routes.items()
    ]


async def examine(configuration: Configuration, domain: str, dns: Dns) -> list[Verdict]:
    """Every check of every From domain at or below ``domain``, in the order of a message's way."""
    found: list[Verdict] = []
    for mailing in mailings_of(configuration, domain):
        of = mailing.from_domain
        found += await _asked(f"MX of {of}", _mail_exchangers(dns, of))
        found += await _asked(f"DMARC of {of}", _policy(dns, mailing))
        found += await _asked(f"DKIM of {of}", _signatures(dns, mailing))
        for envelope in mailing.envelope_domains:
            found += await _asked(f"SPF of {envelope}", _senders(dns, envelope, mailing))
        for name, relay in mailing.relays.items():
            found += await _asked(f"names of relay {name}", names(dns, name, relay))
            found.append(await _tls(name, relay))
    if not configuration.schedules.relays:
        found.append(failed("relays", "there is none to send through", "Add relays to schedules.yaml"))
    return list(dict.fromkeys([*found, judge_one_click(configuration)]))


async def _asked(check: str, answers: Awaitable[list[Verdict]]) -> list[Verdict]:
    try:
        return await answers
    except LookupFailed as error:
        return [Verdict(check, Health.UNKNOWN, error.what, error.remedy)]


async def _mail_exchangers(dns: Dns, domain: str) -> list[Verdict]:
    check = f"MX of {domain}"
    exchangers = await dns.mx(domain)
    if exchangers == ["."]:
        return [failed(check, "it says that it takes no mail (RFC 7505)", "Readers reply: give it a mail exchanger")]
    if exchangers:
        return [passed(check, f"mail goes to {exchangers[0]}")]
    if await dns.addresses(domain):
        return [warning(check, "there is none; its address is used (RFC 5321 §5.1)", "Add an MX record")]
    return [failed(check, "it takes no mail, and some receivers refuse such senders", "Add an MX record")]


async def _policy(dns: Dns, mailing: Mailing) -> list[Verdict]:
    walked = await dmarc.walk(dns, mailing.from_domain)
    exists = await dns.exists(mailing.from_domain)
    return [*dmarc.judge_dmarc(walked, exists=exists), *judge_alignment(mailing, walked)]


def judge_alignment(mailing: Mailing, walked: dmarc.TreeWalk) -> list[Verdict]:
    """Does what DKIM and SPF vouch for align with From (RFC 9989 §4.4)? DKIM is what survives forwarding."""
    of = mailing.from_domain
    check = f"alignment of {of}"
    tags = walked.policy or dmarc.DmarcRecord(of, {})
    organization = walked.organization
    signing = {key.domain for key in mailing.signer.keys} if mailing.signer else set()
    by_dkim = [
        one for one in signing if dmarc.aligned(of, one, organization=organization, strict=tags.tag("adkim") == "s")
    ]
    by_spf = [
        one
        for one in mailing.envelope_domains
        if dmarc.aligned(of, one, organization=organization, strict=tags.tag("aspf") == "s")
    ]
    if by_dkim:
        return [passed(check, f"DKIM signs as {by_dkim[0]}")]
    fix = f"Sign: `newsletter dkim keygen {of}`; or let your relay sign as {of}"
    if signing:
        return [failed(check, f"DKIM signs as {min(signing)}, which does not align", fix)]
    if len(by_spf) == len(mailing.envelope_domains):
        return [warning(check, "only by SPF, which breaks when mail is forwarded", fix)]
    other = next(one for one in mailing.envelope_domains if one not in by_spf)
    return [failed(check, f"nothing is signed here, and the envelope sender's {other} does not align", fix)]


async def _signatures(dns: Dns, mailing: Mailing) -> list[Verdict]:
    check = f"DKIM of {mailing.from_domain}"
    if mailing.signer is None:
        fix = f"Sign: `newsletter dkim keygen {mailing.from_domain}`; or see that your relay does"
        return [warning(check, "mail is not signed here", fix)]
    found: list[Verdict] = []
    for key in mailing.signer.keys:
        name = f"{key.selector}._domainkey.{key.domain}"
        found.append(judge_key(key, name, await dns.txt(name)))
    if not any(key.algorithm == "rsa-sha256" for key in mailing.signer.keys):
        found.append(warning(check, "there is no RSA key, and many receivers know no Ed25519", "Add one of --type rsa"))
    return found


def judge_key(key: SigningKey, name: str, records: list[str]) -> Verdict:
    """Is the public half of this key what stands in DNS (RFC 6376 §3.6.1)?"""
    check = f"DKIM {name}"
    fix = f"`newsletter dkim show {key.domain}` prints what DNS must hold"
    if not records:
        return failed(check, "there is no record, so its signatures fail", fix)
    if len(records) > 1:
        return failed(check, f"there are {len(records)} records (RFC 6376 §3.6.2.2)", "Leave one")
    tags = _tags(records[0])
    wrong = _why_unusable(tags, _tags(dns_record(key.private)))
    if wrong:
        return failed(check, wrong, fix)
    if "y" in tags.get("t", "").split(":"):
        return warning(check, "t=y: receivers treat it as a test", "Take t=y out of the record")
    if getattr(key.private, "key_size", 2048) < 2048:
        return warning(check, f"an RSA key of {key.private.key_size} bits", "Use one of 2048")  # type: ignore[union-attr]
    return passed(check, f"{key.algorithm}, and DNS holds its public half")


def _tags(record: str) -> dict[str, str]:
    """The tags of a key record in their order, without white space (RFC 6376 §3.2)."""
    pairs = (part.partition("=") for part in record.split(";") if part.strip())
    return {tag.strip(): "".join(value.split()) for tag, _, value in pairs}


def _why_unusable(found: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Why verifiers find no key for our signatures in a record (RFC 6376 §3.6.1, §6.1.2; RFC 8463 §3); '' where they
    do."""
    if not found.get("p"):
        return "the key is revoked (p= is empty)"
    if found.get("v", ours["v"]) != ours["v"] or ("v" in found and next(iter(found)) != "v"):
        return f"v= is not {ours['v']}, or not the first tag, so that receivers throw the record away"
    kind = found.get("k", "rsa")
    if kind != ours["k"]:
        told = f"k={kind}" if "k" in found else "there is no k=, which means rsa"
        return f"{told}, and the key that signs is k={ours['k']}"
    if "sha256" not in found.get("h", "sha256").split(":"):
        return f"h={found['h']} leaves out sha256, with which mail is signed"
    if not {"email", "*"} & set(found.get("s", "*").split(":")):
        return f"s={found['s']} leaves out email"
    return "" if found["p"] == ours["p"] else "DNS holds another key than the one that signs"


async def _senders(dns: Dns, envelope: str, mailing: Mailing) -> list[Verdict]:
    addresses = [address for relay in mailing.relays.values() for address in await _public(dns, relay)]
    results = {address: await spf.evaluate(dns, envelope, address) for address in dict.fromkeys(addresses)}
    if not results:  # the record itself can be judged
        results = {"192.0.2.1": await spf.evaluate(dns, envelope, "192.0.2.1")}
        records = await spf.records_of(dns, envelope)
        found = [one for one in spf.judge_spf(envelope, records, results) if "192.0.2.1" not in one.says]
        says = "the relay has no public address, so whether it may send cannot be told from here"
        return found or [warning(f"SPF of {envelope}", says, "Send a test to a mailbox elsewhere and read its headers")]
    return spf.judge_spf(envelope, await spf.records_of(dns, envelope), results)


async def _public(dns: Dns, relay: Relay) -> list[str]:
    """The public addresses of a relay; none where it is in our own network."""
    try:
        found = [str(ip_address(relay.host.strip("[]")))]
    except ValueError:
        found = await dns.addresses(relay.host)
    return [one for one in found if ip_address(one).is_global]


async def names(dns: Dns, name: str, relay: Relay) -> list[Verdict]:
    """Forward and reverse DNS of the relay's addresses, as bulk senders' rules ask."""
    check = f"names of relay {name}"
    addresses = await _public(dns, relay)
    if not addresses:
        says = f"{relay.host} has no public address, so its reverse DNS cannot be told from here"
        return [warning(check, says, "See that the machine it sends from has forward and reverse DNS")]
    found: list[Verdict] = []
    for address in addresses:
        names = await dns.pointers(address)
        if not names:
            found.append(failed(check, f"{address} has no reverse DNS", f"Add a PTR record for {address}"))
            continue
        back = [one for one in names if address in await dns.addresses(one)]
        if back:
            found.append(passed(check, f"{address} is {back[0]}, and back"))
        else:
            says = f"{address} is called {names[0]}, which does not lead back to it"
            found.append(failed(check, says, "Let forward and reverse DNS agree"))
    return found


async def _tls(name: str, relay: Relay) -> Verdict:
    check = f"TLS of relay {name}"
    if relay.tls == "none":
        says = "mail goes to it unencrypted"
        if relay.host in ("localhost", "127.0.0.1", "::1"):
            return passed(check, "it is on this machine")
        return failed(check, says, "Write tls: starttls or implicit")
    try:
        connection = await RelayConnection.open(name, relay)
    except RelayError as error:
        return failed(check, error.what, error.remedy)
    await connection.quit()
    return passed(check, f"it answers with a certificate that is valid for {relay.host}")


def judge_one_click(configuration: Configuration) -> Verdict:
    """RFC 8058 §3.1: the link that a mailbox provider posts to is https."""
    check = "one-click unsubscribe"
    web = configuration.schedules.web
    if web is None:
        return failed(check, "there is no web.url for its link", "Set web: {url: https://…}")
    if web.url.scheme != "https":
        return failed(check, f"its link is not https: {web.base}", "Serve web.url over https")
    return passed(check, f"every mail has its link at {web.base}")
