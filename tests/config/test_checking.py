"""``check``: what forbids sending, what is only worth a warning, each with its line."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from newsletter.config.checking import Findings, check
from newsletter.config.reading import load
from newsletter.config.site_key import create
from newsletter.errors import ConfigurationError
from tests.config.files import GOOD, SECRETS, line_of, replaced, write

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


def checked(folder: Path, text: str = GOOD) -> Findings:
    if not (folder / "site.key").exists():
        create(folder / "site.key")
    return check(load(write(folder, text), SECRETS))


def test_a_good_file_in_a_good_folder_has_no_findings(tmp_path: Path) -> None:
    findings = checked(tmp_path)
    assert (findings.faults, findings.warnings) == ([], [])
    findings.require()


FAULTS = {
    "no design": (replaced("    articles:", "    design: dailly\n    articles:"), "dailly", "no design 'dailly'"),
    "no folder": (replaced('{feed: "https://news.example/rss"}', "{folder: inbox}"), "front:", "no folder inbox"),
    "no logo": (
        replaced("  timezone:", "  theme: {logo: a.png}\n  timezone:"),
        "a.png",
        "cannot be read: No such file",
    ),
    "a logo that is text": (
        replaced("  timezone:", "  theme: {logo: schedules.yaml}\n  timezone:"),
        "logo",
        "neither PNG nor JPEG",
    ),
    "no ca_file": (replaced("    username:", "    ca_file: ca.pem\n    username:"), "ca.pem", "no file ca.pem"),
    "a store under a file": (GOOD + "store: sqlite:///schedules.yaml/x.db\n", "store:", "is not a folder"),
    "staging without recipients": (
        replaced("environment: production", "environment: staging"),
        "environment",
        "names nobody",
    ),
    "production without web": (replaced('web: {url: "https://mail.news.example"}\n', ""), "site:", "needs web"),
    "production without a relay": (
        GOOD[: GOOD.index("relays:")] + GOOD[GOOD.index("sources:") :],
        "site:",
        "needs a relay",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_missing_for_sending_is_a_fault_with_its_line(case: str, tmp_path: Path) -> None:
    text, piece, what = FAULTS[case]
    findings = checked(tmp_path, text)
    assert [(fault.where, what in fault.what) for fault in findings.faults] == [
        (f"schedules.yaml:{line_of(text, piece)}", True)
    ]
    with pytest.raises(ConfigurationError, match=what):
        findings.require()


def test_a_real_logo_and_folder_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    (tmp_path / "inbox").mkdir()
    text = replaced("  timezone:", "  theme: {logo: logo.png}\n  timezone:")
    assert checked(tmp_path, text.replace('{feed: "https://news.example/rss"}', "{folder: inbox}")).faults == []


def test_a_design_of_ones_own_counts(tmp_path: Path) -> None:
    (tmp_path / "templates" / "ours").mkdir(parents=True)
    text = replaced("    articles:", "    design: ours\n    articles:")
    assert len(checked(tmp_path, text).faults) == 1, "a folder without an edition.html is no design"
    (tmp_path / "templates" / "ours" / "edition.html").write_text("x")
    assert checked(tmp_path, text).faults == []


def test_a_missing_site_key_is_a_fault(tmp_path: Path) -> None:
    faults = check(load(write(tmp_path), SECRETS)).faults
    assert [fault.where for fault in faults] == [str(tmp_path / "site.key")]


def test_more_plans_than_rendered_keys_are_refused(tmp_path: Path) -> None:
    plans = "plans: {free: [free], " + ", ".join(f"plan{number}: [free]" for number in range(15)) + "}\n"
    assert checked(tmp_path, GOOD + plans).faults == []
    with pytest.raises(ConfigurationError, match="17 plans would render each edition 17 times"):
        checked(tmp_path, GOOD + plans.replace("{free", "{more: [free], free"))


def test_secrets_that_others_can_read_are_a_warning(tmp_path: Path) -> None:
    checked(tmp_path)
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".env").chmod(0o640)
    (tmp_path / "site.key").chmod(0o604)
    findings = checked(tmp_path)
    assert sorted(warning.where for warning in findings.warnings) == [".env", "site.key"]
    assert findings.faults == []


WARNINGS = {
    "nothing to leave out": (
        replaced("    articles:", "    unless_sent: today\n    articles:"),
        "unless_sent",
        "no newsletter stands before",
    ),
    "same title and from": (
        GOOD
        + '  twin: {title: The Daily Example, from: The Daily Example <daily@news.example>, schedule: {at: "08:00"}}\n',
        "twin",
        "daily and twin have the same title",
    ),
    "a gate that one reader holds": (
        replaced('{at: "07:00"}', '{at: "07:00"}\n    gates: {readers: 0}'),
        "gates:",
        "one reader more or less holds an edition",
    ),
    "a date that never comes": (
        replaced('{at: "07:00"}', "{cron: 0 7 30 feb *}"),
        "cron",
        "no such date ever comes",
    ),
    "a ranked section that is nearly another": (
        replaced("        match: {source: front}", "        match: {source: front, section: [World, Asia]}").replace(
            "    articles:", "    ranking: {sections: {asia: 2, Wrold: 2, Sport: 2}}\n    articles:"
        ),
        "Wrold",
        "no source and no match in this file names a section 'Wrold'",
    ),
    "no sources": (
        replaced('  front: {feed: "https://news.example/rss"}\n', "  {}\n").replace("{source: front}", "{}"),
        "sources:",
        "there will be no articles",
    ),
    "staging without a relay": (
        (GOOD[: GOOD.index("relays:")] + GOOD[GOOD.index("sources:") :]).replace(
            "production", "staging\nstaging_recipients: [me@news.example]"
        ),
        "site:",
        "preview works, sending does not",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WARNINGS)
def test_what_may_be_meant_is_a_warning_with_its_line(case: str, tmp_path: Path) -> None:
    text, piece, what = WARNINGS[case]
    findings = checked(tmp_path, text)
    assert findings.faults == []
    assert [(warning.where, what in warning.what) for warning in findings.warnings] == [
        (f"schedules.yaml:{line_of(text, piece)}", True)
    ]
