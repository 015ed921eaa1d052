"""Findings -> what the page says of them: by rule, errors first, then what most readers lose. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from newsletter.render.lint import Finding, Severity

# Whom a rule about the whole mail concerns, in the names of ``clients:``; a rule that is not here concerns everyone.
_CONCERNS: Mapping[str, tuple[str, ...]] = {
    "size": ("gmail",),
    "style-size": ("gmail",),
    "nested-at": ("gmail",),
    "spaced-colour": ("gmail",),
    "media-range": ("gmail", "outlook.com", "yahoo"),
    "picture-format": ("gmail",),
    "picture-size": ("outlook-windows",),
    "client-hack": ("gmail", "yahoo"),
    "dark": ("apple-mail", "outlook-mac", "outlook-mobile"),
    "doctype": ("outlook.com", "gmail", "yahoo"),
}
_MOST = 12


@dataclass(frozen=True, slots=True)
class Instance:
    """One place of a finding. ``element`` is the lint's number, -1 where it is no element."""

    what: str
    where: str
    element: int


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one rule; ``share`` of the readers it concerns, None where shares are not known."""

    severity: str
    rule: str
    remedy: str
    share: float | None
    instances: tuple[Instance, ...]
    more: int


def weigh(findings: Sequence[Finding], clients: Mapping[str, float | None]) -> list[Group]:
    """The findings by rule and remedy. ``clients`` are the newsletter's, each with its share (None: not known)."""
    known = any(share is not None for share in clients.values())
    by_rule: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault((finding.severity.value, finding.rule, finding.remedy), []).append(finding)
    groups = [
        Group(
            severity,
            rule,
            remedy,
            max(_share(finding, clients) for finding in found) if known else None,
            tuple(dict.fromkeys(Instance(one.what, one.where, one.spot.element) for one in found[:_MOST])),
            max(0, len(found) - _MOST),
        )
        for (severity, rule, remedy), found in by_rule.items()
    ]
    return sorted(groups, key=lambda group: (group.severity != Severity.ERROR, -(group.share or 0)))


def _share(finding: Finding, clients: Mapping[str, float | None]) -> float:
    if finding.rule == "client":
        return finding.share
    concerned = _CONCERNS.get(finding.rule, tuple(clients))
    whole = finding.rule not in _CONCERNS
    return 1.0 if whole else min(1.0, sum(clients.get(name) or 0 for name in concerned))
