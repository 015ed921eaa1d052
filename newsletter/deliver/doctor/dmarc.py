"""DMARC (RFC 9989): which policy covers a domain, found by walking up its tree, and does a domain align with it?"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.deliver.doctor.verdict import Verdict, failed, passed, warning
from newsletter.net.dns_lookup import Dns

MOST_QUERIES = 8  # RFC 9989 §4.10


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A record with the domain where it stands."""

    domain: str
    tags: dict[str, str]
    number: int = 1

    def tag(self, name: str, default: str = "") -> str:
        return self.tags.get(name, default)


def parse(text: str) -> dict[str, str] | None:
    """The tags of a DMARC record, or None where it is none: it begins with ``v=DMARC1`` (RFC 9989 §4.7)."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    tags = {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
    first = pairs[0][0].strip().lower() if pairs else ""
    return tags if first == "v" and tags["v"] == "DMARC1" else None


async def walk(dns: Dns, domain: str) -> list[DmarcRecord]:
    """The records of ``domain`` and of the domains above it, nearest first (RFC 9989 §4.10). Raises LookupFailed."""
    labels = domain.lower().split(".")
    starts = [0, *range(max(1, len(labels) - MOST_QUERIES + 1), len(labels))]
    found: list[DmarcRecord] = []
    for start in starts:
        at = ".".join(labels[start:])
        records = [tags for tags in map(parse, await dns.txt(f"_dmarc.{at}")) if tags is not None]
        if records:
            found.append(DmarcRecord(at, records[0], len(records)))
            if records[0].get("psd") in ("n", "y"):
                break  # it says itself where the tree of one organisation ends
    return found


def organizational_domain(domain: str, records: list[DmarcRecord]) -> str:
    """The domain of the organisation that ``domain`` belongs to, from the records of its walk (RFC 9989 §4.10.2)."""
    for record in records:
        if record.tag("psd") == "n":
            return record.domain
        if record.tag("psd") == "y" and record.domain != domain:
            labels = domain.split(".")
            return ".".join(labels[len(labels) - record.domain.count(".") - 2 :])
    return records[-1].domain if records else domain


def judge_dmarc(domain: str, records: list[DmarcRecord]) -> list[Verdict]:
    """Verdicts on the policy that covers a From domain."""
    check = f"DMARC of {domain}"
    if not records:
        fix = f'_dmarc.{domain}. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}", later p=quarantine'
        return [failed(check, "there is no record, which bulk senders must have", fix)]
    record = records[0]
    if record.number > 1:
        return [failed(check, f"{record.domain} has {record.number} records, so none counts", "Leave one")]
    policy = record.tag("p", "none") if record.domain == domain else record.tag("sp", record.tag("p", "none"))
    found: list[Verdict] = []
    if policy not in ("none", "quarantine", "reject"):
        found.append(failed(check, f"p={policy} is no policy", "Write p=none, quarantine or reject"))
    elif policy == "none":
        fix = "Once the reports show that your own mail passes, write p=quarantine"
        found.append(warning(check, f"p=none at {record.domain}: it reports, and protects nobody", fix))
    else:
        found.append(passed(check, f"p={policy} at {record.domain}"))
    if "rua" not in record.tags:
        found.append(warning(check, "nobody gets its reports", f"Add rua=mailto:dmarc@{record.domain}"))
    if "pct" in record.tags:
        found.append(warning(check, "pct is no longer a tag (RFC 9989)", "Take it out; t=y is for trying out"))
    if record.tag("t") == "y":
        found.append(warning(check, "t=y: receivers do not apply the policy", "Take it out when you have tried it"))
    return found


def aligned(from_domain: str, other: str, *, organization: str, strict: bool) -> bool:
    """Whether ``other`` (d=, or the envelope sender's) aligns with the From domain (RFC 9989 §4.4)."""
    if other == from_domain:
        return True
    return not strict and (other == organization or other.endswith(f".{organization}"))
