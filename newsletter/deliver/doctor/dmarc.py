"""DMARC (RFC 9989): which policy covers a domain, found by walking up its tree, and does a domain align with it?"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.deliver.doctor.verdict import Verdict, failed, passed, warning
from newsletter.net.dns_lookup import Dns

MOST_QUERIES = 8  # RFC 9989 §4.10
_POLICIES = frozenset({"none", "quarantine", "reject"})


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A record with the domain where it stands."""

    domain: str
    tags: dict[str, str]

    def tag(self, name: str, default: str = "") -> str:
        """The value of a tag that is one of a few words, in small letters (RFC 9989 §4.8)."""
        return self.tags.get(name, default).lower()


@dataclass(frozen=True, slots=True)
class TreeWalk:
    """What was found at ``domain`` and above it, nearest first; ``repeated`` domains have several records, of which
    none counts."""

    domain: str
    records: tuple[DmarcRecord, ...] = ()
    repeated: tuple[str, ...] = ()

    @property
    def organization(self) -> str:
        """The domain of the organisation that ``domain`` belongs to (RFC 9989 §4.10.2)."""
        for record in self.records:
            if record.tag("psd") == "n":
                return record.domain
            if record.tag("psd") == "y" and record.domain != self.domain:
                labels = self.domain.split(".")
                return ".".join(labels[len(labels) - record.domain.count(".") - 2 :])
        return self.records[-1].domain if self.records else self.domain

    @property
    def policy(self) -> DmarcRecord | None:
        """The record that applies: its own, else its organisation's, else that of the public suffix above; never one
        that stands between (RFC 9989 §4.10.1)."""
        standing = {record.domain: record for record in self.records}
        suffix = next((record for record in self.records if record.tag("psd") == "y"), None)
        return standing.get(self.domain) or standing.get(self.organization) or suffix


def parse(text: str) -> dict[str, str] | None:
    """The tags of a DMARC record, or None where it is none: it begins with ``v=DMARC1`` (RFC 9989 §4.7)."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    tags = {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
    first = pairs[0][0].strip().lower() if pairs else ""
    return tags if first == "v" and tags["v"] == "DMARC1" else None


async def walk(dns: Dns, domain: str) -> TreeWalk:
    """Ask for the records of ``domain`` and of the domains above it (RFC 9989 §4.10). Raises LookupFailed."""
    domain = domain.lower()
    labels = domain.split(".")
    starts = [0, *range(max(1, len(labels) - MOST_QUERIES + 1), len(labels))]
    found: list[DmarcRecord] = []
    repeated: list[str] = []
    for start in starts:
        at = ".".join(labels[start:])
        records = [tags for tags in map(parse, await dns.txt(f"_dmarc.{at}")) if tags is not None]
        if len(records) > 1:
            repeated.append(at)
        elif records:
            found.append(DmarcRecord(at, records[0]))
            if found[-1].tag("psd") in ("n", "y"):
                break  # it says itself where the tree of one organisation ends
    return TreeWalk(domain, tuple(found), tuple(repeated))


def judge_dmarc(walked: TreeWalk, *, exists: bool) -> list[Verdict]:
    """Verdicts on the policy that covers a From domain; ``exists``: whether DNS knows that domain at all."""
    check = f"DMARC of {walked.domain}"
    found = [
        failed(check, f"{one} has more than one record, so none of them counts", "Leave one") for one in walked.repeated
    ]
    record = walked.policy
    if record is None:
        if not found:
            at = walked.domain
            fix = f'_dmarc.{at}. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@{at}", later p=quarantine'
            found.append(failed(check, "there is no record, which bulk senders must have", fix))
        return found
    tag, policy = _asked_for(record, walked.domain, exists=exists)
    unknown = [f"{name}={record.tags[name]}" for name in ("p", "sp", "np") if record.tag(name, "none") not in _POLICIES]
    if unknown:  # RFC 9989 §4.10.1
        says = f"{' '.join(unknown)} at {record.domain} is no policy, so that receivers apply none"
        found.append(failed(check, says, "Write none, quarantine or reject"))
    elif policy == "none":
        fix = f"Once the reports show that your own mail passes, write {tag}=quarantine"
        found.append(warning(check, f"{tag}=none at {record.domain}: it reports, and protects nobody", fix))
    else:
        found.append(passed(check, f"{tag}={policy} at {record.domain}"))
    if "rua" not in record.tags:
        found.append(warning(check, "nobody gets its reports", f"Add rua=mailto:dmarc@{record.domain}"))
    if "pct" in record.tags:
        found.append(warning(check, "pct is no longer a tag (RFC 9989)", "Take it out; t=y is for trying out"))
    if record.tag("t") == "y":
        found.append(warning(check, "t=y: receivers do not apply the policy", "Take it out when you have tried it"))
    return found


def _asked_for(record: DmarcRecord, domain: str, *, exists: bool) -> tuple[str, str]:
    """The tag that says what becomes of mail that claims to be from ``domain``, and what it says (RFC 9989 §4.10.1)."""
    of_subdomains = ("sp",) if exists else ("np", "sp")
    tags = of_subdomains if record.domain != domain else ()
    tag = next((one for one in tags if one in record.tags), "p")
    return tag, record.tag(tag, "none")


def aligned(from_domain: str, other: str, *, organization: str, strict: bool) -> bool:
    """Whether ``other`` (d=, or the envelope sender's) aligns with the From domain (RFC 9989 §4.4)."""
    if other == from_domain:
        return True
    return not strict and (other == organization or other.endswith(f".{organization}"))
