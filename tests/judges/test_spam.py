"""SpamAssassin on every shipped kind of mail: nothing in what we write speaks for spam."""

from __future__ import annotations

from newsletter.deliver.spam import read_report
from tests.judges.gallery import Gallery
from tests.support.spamassassin import reports

# Any mail with HTML has it, and it has no points.
_HARMLESS = {"HTML_MESSAGE"}


def rules(report: str) -> dict[str, float]:
    """The rules of a report's table, with their points."""
    rows = [line.split() for line in report.splitlines()]
    return {row[1]: float(row[0]) for row in rows if len(row) > 1 and row[0].lstrip("-").replace(".", "").isdigit()}


def test_spamassassin_has_nothing_against_any_mail(shown: Gallery) -> None:
    names = sorted(shown.mails)
    said = dict(zip(names, reports([shown.mails[name].raw for name in names]), strict=True))
    against = {
        name: found
        for name, report in said.items()
        if (found := {rule: points for rule, points in rules(report).items() if points > 0 and rule not in _HARMLESS})
    }
    assert not against, "\n".join(f"{name}: {found}" for name, found in against.items())
    assert not any(read_report(report) for report in said.values())


def test_the_judge_can_say_no() -> None:
    spam = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n\r\n" + _GTUBE + b"\r\n"
    assert rules(reports([spam])[0])["GTUBE"] > 100


# What every spam filter takes for spam (https://spamassassin.apache.org/gtube/).
_GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
