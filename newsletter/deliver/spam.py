"""What SpamAssassin says of a message: the program is run, its report read. Local tests only; nothing is asked over the
network."""

from __future__ import annotations

import re
import shutil
import subprocess

from newsletter.errors import UsageError
from newsletter.render.lint import Finding, Severity

_PROGRAMS = (("spamassassin", "-L", "-t"), ("spamc", "-R"))
_WITHIN_SECONDS = 60
_RULE = re.compile(r"^\s*(-?[0-9]+(?:\.[0-9]+)?)\s+([A-Z][A-Z0-9_]{2,})\s+(.*)$")
_SCORE = re.compile(r"(-?[0-9.]+)\s*(?:points\s*,\s*|/\s*)([0-9.]+)(?:\s+required)?")


def ask_spamassassin(message: bytes) -> list[Finding]:
    """A warning for each rule that speaks against ``message``, and one where the sum reaches what is spam. Blocking.

    Raises UsageError where SpamAssassin is not on the PATH or does not work.
    """
    command = next((program for program in _PROGRAMS if shutil.which(program[0])), None)
    if command is None:
        raise UsageError("SpamAssassin is not on the PATH", where="--spam", remedy="Install it, or leave --spam out")
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed command; the message goes in as its input
            command, input=message, capture_output=True, timeout=_WITHIN_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{command[0]} does not work ({type(error).__name__})", where="--spam") from None
    report = ended.stdout.decode("utf-8", "replace")
    if _SCORE.search(report) is None:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UsageError(
            f"{command[0]} said nothing of a score {': ' + said[-1][:200] if said else ''}", where="--spam"
        )
    return read_report(report)


def read_report(report: str) -> list[Finding]:
    """The findings in a report of ``spamassassin -t`` or ``spamc -R``: rules with points above 0, the sum where it is
    spam."""
    found = []
    if (score := _SCORE.search(report)) and float(score[1]) >= float(score[2]):
        what = f"SpamAssassin gives it {score[1]} points, and {score[2]} are spam"
        found.append(Finding(Severity.WARNING, "spam", what, "See the rules below"))
    for line in report.splitlines():
        rule = _RULE.match(line)
        if rule and float(rule[1]) > 0:
            what = f"SpamAssassin gives {rule[1]} points for {rule[2]}: {rule[3].strip()}"
            found.append(Finding(Severity.WARNING, "spam", what, "Change what it names"))
    return list(dict.fromkeys(found))
