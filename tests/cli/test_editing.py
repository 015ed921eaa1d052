"""``editions edit`` and ``approve``: with options, and in the user's own editor, a real script here."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.model import EditionSection, Edits, OccurrenceState, Pin, Reason
from newsletter.store import editions, occurrences
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW
from tests.store.test_editions import decisions
from tests.support.commands import REPOSITORY, Ran
from tests.support.console import Folder
from tests.support.newsroom import add_articles, an_article, occurrence_now, plan_occurrence

NAME = "daily@2026-11-23/1"
AT = "2026-11-23T06:05Z"


@pytest.fixture
def row(folder: Folder) -> OccurrenceRow:
    """The occurrence of 23 November, composed of stories 1 to 3 (News) and 4 (World); 5 and 6 are left."""
    with folder.store() as store:
        add_articles(store, *(an_article(number, section="News" if number < 4 else "World") for number in range(1, 7)))
        planned = plan_occurrence(store)
        sections = [EditionSection("News", (1, 2, 3)), EditionSection("World", (4,))]
        store.write(editions.create, planned, "", "", "", planned.due_at, sections, decisions(sections), NOW)
    return planned


def stories(folder: Folder) -> dict[str, list[int]]:
    shown = folder.run("editions", "show", NAME, "--json").json
    [edition] = shown["editions"]
    return {section["name"]: [one["id"] for one in section["articles"]] for section in edition["sections"]}


def edit(folder: Folder, *options: str) -> Ran:
    return folder.run("--now", AT, "editions", "edit", NAME, *options)


def test_options_change_stories_and_words_and_say_what_was_done(folder: Folder, row: OccurrenceRow) -> None:
    (folder.path / "note.md").write_text("Good *morning*.\n")
    ended = edit(
        folder, "--drop", "1", "--pin", "5:World:1", "--pin", "6", "--retitle", "3=The short one", "--order",
        "News=3,2", "--subject", "Today", "--preheader", "And tomorrow", "--note-file", "note.md", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended
    assert ended.json["changed"].startswith("dropped 1; pinned 5 (World, 1), 6 (World, 1); retitled 3")
    plain = {"leads": False, "missed": False, "home": "", "trimmed": 0}
    assert ended.json["editions"] == [
        {
            "cohort": "",
            "revision": 2,
            "sections": [
                {"name": name, "label": name, **plain, "articles": there}
                for name, there in (("News", [3, 2]), ("World", [5, 6, 4]))
            ],
        }
    ]
    shown = folder.run("editions", "show", NAME, "--json").json
    assert shown["edits"]["headlines"] == [{"article": 3, "headline": "The short one"}]
    assert shown["edits"]["note"] == "Good *morning*."
    [act] = shown["audit"]
    assert re.fullmatch(r".+@.+", act["actor"])
    assert (act["action"], act["detail"]) == ("edit", ended.json["changed"])
    in_words = folder.run("editions", "show", NAME).out
    assert "subject: Today" in in_words
    assert edit(folder, "--clear").code == 0
    assert stories(folder) == {"News": [1, 2, 3], "World": [4]}
    edit(folder, "--clear").refused(3, "nothing was changed")


def test_a_text_is_taken_back_with_nothing(folder: Folder, row: OccurrenceRow) -> None:
    edit(folder, "--subject", "Today", "--note", "Hello", "--retitle", "1=One")
    edit(folder, "--subject", "", "--note", "", "--retitle", "1=")
    with folder.store() as store:
        assert occurrence_now(store, row).edits == Edits(note="")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--drop", "x"], ["--drop", "'x' is no article's number"]),
        (["--drop", "99"], ["there is no article 99; nothing was changed"]),
        (["--pin", "5:Wordl"], ["daily has no section 'Wordl'", "Did you mean 'World'?"]),
        (["--retitle", "1"], ["--retitle", "Write ID=TEXT"]),
        (["--retitle", "5=Five"], ["article 5 is not in daily@2026-11-23/1; nothing was changed", "Pin it first"]),
        (["--retitle", f"1={'x' * 501}"], ["longer than 500"]),
        (["--order", "News"], ["Write SECTION=ID,ID"]),
        (["--order", "News=4"], ["article 4 is not in News", "--pin 4:News"]),
        (["--order", "Sport=1"], ["daily has no section 'Sport'"]),
        (["--subject", "a\nb"], ["the subject holds a line break"]),
        (["--note", "a", "--note-file", "b"], ["Leave one out"]),
        (["--note-file", "gone.md"], ["gone.md", "cannot be read"]),
        (["--drop", "1", "--pin", "1"], ["cannot be pinned and dropped"]),
        (["--drop", "1,2,3,4"], ["no story would be left; nothing was changed", "editions hold"]),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    folder: Folder, row: OccurrenceRow, options: list[str], words: list[str]
) -> None:
    edit(folder, *options).refused(2, *words)
    with folder.store() as store:
        assert occurrence_now(store, row).layer == {}


def test_stories_that_may_not_stand_in_it_are_not_pinned(folder: Folder, row: OccurrenceRow) -> None:
    with folder.store() as store:
        add_articles(
            store,
            an_article(7, retracted_at=NOW),
            an_article(8, merged_into=1),
            an_article(9, published_at=row.due_at + timedelta(hours=1)),
        )
    edit(folder, "--pin", "7").refused(2, "retracted by its source")
    edit(folder, "--pin", "8").refused(2, "is article 1 now")
    edit(folder, "--pin", "9").refused(2, "not to be published before 2026-11-23 07:30 UTC")


def test_a_story_is_pinned_to_lead_and_says_who_pinned_it(folder: Folder, row: OccurrenceRow) -> None:
    assert edit(folder, "--lead", "5").out.startswith(f"{NAME}: pinned 5 (leads)")
    shown = folder.run("editions", "show", NAME, "--why", "--json").json
    [edition] = shown["editions"]
    assert edition["sections"][0] == {
        "name": "", "label": "lead", "leads": True, "missed": False, "home": "World", "trimmed": 0,
        "articles": [{"id": 5, "headline": "Headline of story 5"}],
    }  # fmt: skip
    why = shown["why"][0]
    assert (why["article_id"], why["reason"], why["section"], why["position"]) == (5, "leads", "World", 1)
    assert re.fullmatch(r"leads; pinned by .+@.+ to lead", why["words"])
    assert "\n  lead\n    5  " in folder.run("editions", "show", NAME).out
    edit(folder, "--lead", "5", "--pin", "5:World").refused(2, "article 5 cannot lead and be pinned to a section")
    assert edit(folder, "--pin", "5:World:2").code == 0
    assert stories(folder) == {"News": [1, 2, 3], "World": [4, 5]}
    folder.edit("    schedule:", "    lead: none\n    schedule:")
    edit(folder, "--lead", "6").refused(2, "daily has no lead; nothing was changed. Write lead: first or lead: best")


def test_what_is_blocked_cannot_be_pinned_and_what_is_pinned_can_be_blocked(folder: Folder, row: OccurrenceRow) -> None:
    assert edit(folder, "--pin", "5").code == 0
    blocked = folder.run("articles", "block", "5", "6", "--newsletter", "daily", "--because", "an advertisement")
    composed = f"{NAME} is composed with what is blocked now, and goes out without it."
    assert blocked.out == f"Articles 5, 6 are blocked in daily.\n{composed}\n"
    edit(folder, "--pin", "6").refused(
        2, "article 6 is blocked by ", " in daily: an advertisement", "articles unblock 6"
    )
    folder.run("articles", "block", "6", "5", "--newsletter", "daily").refused(3, "are blocked in daily already")
    assert ": an advertisement (" in folder.run("articles", "show", "6").out
    assert edit(folder, "--drop", "1").code == 0
    assert stories(folder) == {"News": [2, 3], "World": [4]}, "an edit brings in nothing that is blocked"
    assert folder.run("articles", "unblock", "6").out == "Article 6 may be sent in any newsletter again.\n"
    folder.run("articles", "unblock", "6").refused(3, "Article 6 is not blocked in any newsletter")
    assert folder.run("articles", "block", "6", "--json").json == {
        "articles": [6], "newsletters": [], "held_by": [], "sent_by": [],
    }  # fmt: skip
    folder.run("articles", "unblock", "6", "--newsletter", "daily").refused(
        3, "blocked in every newsletter", "--newsletter"
    )
    folder.run("articles", "block", "99").refused(2, "there is no article 99")


def test_once_it_is_sent_it_is_refused_in_words(folder: Folder, row: OccurrenceRow) -> None:
    with folder.store() as store:
        for before, after in (("composed", "approved"), ("approved", "sending")):
            states = OccurrenceState(after), {OccurrenceState(before)}
            store.write(occurrences.transition, row.id, states[0], from_=states[1], now=NOW)
    edit(folder, "--drop", "1").refused(5, NAME, "is being sent and can no longer be edited; nothing was changed")
    edit(folder).refused(5, "is being sent")


def test_before_it_is_composed_options_are_kept_for_then(folder: Folder) -> None:
    with folder.store() as store:
        add_articles(store, an_article(1), an_article(2))
        planned = plan_occurrence(store)
    edit(folder).refused(2, "not composed yet")
    assert edit(folder, "--pin", "2:News", "--subject", "Tomorrow").code == 0
    with folder.store() as store:
        kept = occurrence_now(store, planned)
    assert (kept.state, kept.edits) == (
        OccurrenceState.PLANNED,
        Edits(pinned=(Pin(2, "News", 1),), subject="Tomorrow"),
    )


def test_a_template_that_breaks_on_it_is_told_at_once(folder: Folder, row: OccurrenceRow) -> None:
    broken = folder.path / "templates" / "shared"
    broken.mkdir(parents=True, exist_ok=True)
    (broken / "lead.html").write_text("<tr><td>\n{{ nothing.here }}</td></tr>")
    ended = edit(folder, "--drop", "1")
    ended.refused(7, "lead.html:2")
    assert "dropped 1" in ended.out


# --- in the user's editor ---


def in_editor(folder: Folder, script: str, *, name: str = NAME, variable: str = "EDITOR") -> Ran:
    """Edit with a program that reads the sheet as ``text`` and writes what ``script`` makes of it."""
    program = folder.path / "editor.py"
    program.write_text(
        "import sys\nfrom pathlib import Path\nfile = Path(sys.argv[-1])\ntext = file.read_text()\n"
        f"Path('seen.yaml').write_text(text)\n{script}\nfile.write_text(text)\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder.path / "tmp")}
    (folder.path / "tmp").mkdir(exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-m", "newsletter", "--now", AT, "editions", "edit", name],
        cwd=folder.path,
        env=environment | ({variable: f"{sys.executable} '{program}' --wait"} if variable else {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(ended.returncode, ended.stdout, ended.stderr)


def left(folder: Folder) -> list[Path]:
    return sorted((folder.path / "tmp").glob("newsletter-*/*"))


def test_the_sheet_shows_the_edition_and_what_is_changed_in_it_is_done(folder: Folder, row: OccurrenceRow) -> None:
    ended = in_editor(
        folder,
        """
lines = text.splitlines()
one = next(at for at, line in enumerate(lines) if line.startswith("    - 1:"))
moved = lines.pop(one)                      # story 1 under World
lines[lines.index("  World:") + 1 : 1 + lines.index("  World:")] = [moved]
lines = [line for line in lines if not line.startswith("    - 2:")]
lines.append("    - 5: Fifth")
text = "\\n".join(lines).replace("- 3: Headline of story 3", "- 3: 'It is: short'") + "\\n"
text = text.replace("subject:\\n", "subject: Morning\\n").replace("note:\\n", "note: |\\n  Hello\\n  *you*\\n")
""",
    )
    assert ended.code == 0, ended
    assert stories(folder) == {"News": [3], "World": [1, 4, 5]}
    with folder.store() as store:
        assert occurrence_now(store, row).edits == Edits(
            dropped=(2,),
            pinned=(Pin(1, "World", 1), Pin(5, "World", 3)),
            headlines=((3, "It is: short"), (5, "Fifth")),
            subject="Morning",
            note="Hello\n*you*",
        )
    seen = (folder.path / "seen.yaml").read_text()
    assert "  News:\n    - 1: Headline of story 1\n    - 2: Headline of story 2\n" in seen
    assert seen.startswith(f"# {NAME} as it is composed.")
    assert left(folder) == []


@pytest.mark.parametrize("variable", ["EDITOR", "VISUAL"])
def test_a_sheet_that_comes_back_unchanged_changes_nothing(folder: Folder, row: OccurrenceRow, variable: str) -> None:
    in_editor(folder, "", variable=variable).refused(3, "came back as it was; nothing was changed")
    in_editor(folder, "text += '# mine\\n'", variable=variable).refused(3, "nothing was changed")
    assert left(folder) == []


@pytest.mark.parametrize(
    ("script", "at", "words"),
    [
        ("text = text.replace('- 2: Headline', '- 99: Headline')", "- 99:", "there is no article 99"),
        ("text = text.replace('- 2: Headline', '- 1: Headline')", "story 2", "article 1 stands twice"),
        ("text = text.replace('  World:', '  Wrold:')", "Wrold", "Did you mean 'World'?"),
        ("text = text.replace('- 2: Headline', '- 2: Head: line')", "Head: line", "not YAML"),
    ],
)
def test_a_fault_in_the_sheet_names_its_line_and_keeps_what_was_written(
    folder: Folder, row: OccurrenceRow, script: str, at: str, words: str
) -> None:
    ended = in_editor(folder, script)
    [kept] = left(folder)
    text = kept.read_text()
    ended.refused(
        2, f"{kept}:{text[: text.index(at)].count(chr(10)) + 1}", words, "othing was changed", f"is in {kept}"
    )
    with folder.store() as store:
        assert occurrence_now(store, row).layer == {}


def test_somebody_elses_edit_in_the_meantime_is_not_overwritten(folder: Folder, row: OccurrenceRow) -> None:
    other = (
        f"import subprocess\nsubprocess.run([sys.executable, '-m', 'newsletter', '--now', '{AT}', 'editions', 'edit', "
        f"'{NAME}', '--drop', '3'], check=True)\ntext = text.replace('subject:', 'subject: Mine')"
    )
    ended = in_editor(folder, other)
    assert ended.code == 5
    assert "somebody else edited it meanwhile; nothing was changed" in ended.err
    with folder.store() as store:
        assert occurrence_now(store, row).edits == Edits(dropped=(3,))


def test_an_editor_that_is_not_there_or_fails_changes_nothing(folder: Folder, row: OccurrenceRow) -> None:
    in_editor(folder, "", variable="").refused(2, "no text editor is named", "Set EDITOR")
    in_editor(folder, "sys.exit(4)").refused(2, "ended with 4; nothing was changed")


# --- approve ---


def require_approval(folder: Folder) -> None:
    folder.edit("- {name: World}", "- {name: World}\n    approval: {mode: required}")


def test_an_edition_is_approved_once(folder: Folder, row: OccurrenceRow) -> None:
    require_approval(folder)
    told = edit(folder, "--drop", "1")
    assert f"It needs an approval: `newsletter editions approve {NAME}`" in told.out
    ended = folder.run("--now", AT, "editions", "approve", NAME)
    assert ended.code == 0, ended
    assert f"{NAME} is approved" in ended.out
    folder.run("editions", "approve", NAME).refused(3, "is approved already")
    assert [one["action"] for one in folder.run("editions", "show", NAME, "--json").json["audit"]] == [
        "approve",
        "edit",
    ]


def test_one_that_is_held_for_want_of_approval_is_approved_not_released(folder: Folder, row: OccurrenceRow) -> None:
    require_approval(folder)
    with folder.store() as store:
        detail = "nobody approved it until 06:30"
        store.write(occurrences.hold, row.id, reason=Reason.AWAITING_APPROVAL, detail=detail, now=NOW)
    folder.run("editions", "release", NAME).refused(2, detail, f"`newsletter editions approve {NAME}`")
    ended = folder.run("--now", "2026-11-24T06:05Z", "editions", "approve", NAME)
    assert ended.code == 0, ended
    assert "catch_up is over" in ended.out


def test_what_cannot_be_approved_says_why(folder: Folder, row: OccurrenceRow) -> None:
    folder.run("editions", "hold", NAME, "--because", "wait")
    folder.run("editions", "approve", NAME).refused(2, "is held: wait", f"newsletter editions release {NAME}")
    with folder.store() as store:
        plan_occurrence(store, day=24)
    folder.run("editions", "approve", "daily@2026-11-24/1").refused(2, "not composed yet")
