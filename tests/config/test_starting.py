"""``newsletter init``: a folder in which ``newsletter check`` passes, and in which nothing is ever overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.config.checking import check
from newsletter.config.reading import load
from newsletter.config.schema import schema_text
from newsletter.config.starting import initialise, starting_paths
from newsletter.errors import UsageError


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_passes_check_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "newsroom"
    initialise(folder)
    findings = check(load(folder / "schedules.yaml", {}))
    assert findings.faults == []
    assert [warning.what for warning in findings.warnings] == ["there is no relay: preview works, sending does not"]


def test_all_that_is_promised_is_written(tmp_path: Path) -> None:
    assert set(initialise(tmp_path)) == set(starting_paths(tmp_path))
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert names == {"schedules.yaml", "schedules.schema.json", "templates", "templates/README.md", "assets", "inbox",
                     "site.key", ".env.example", ".gitignore"}  # fmt: skip
    first = (tmp_path / "schedules.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=./schedules.schema.json"
    assert (tmp_path / "schedules.schema.json").read_text(encoding="utf-8") == schema_text()
    assert "{shipped}" not in (tmp_path / "templates" / "README.md").read_text(encoding="utf-8")


def test_the_commented_parts_are_valid_once_uncommented(tmp_path: Path) -> None:
    initialise(tmp_path)
    text = (tmp_path / "schedules.yaml").read_text(encoding="utf-8")
    for block in ("# web:", "# relays:", "#   main:", "#     ", "  # front:", "      # - {name: World"):
        assert f"\n{block}" in text
        bare = block.replace("# ", "", 1) if not block.startswith("#  ") else block[2:]
        text = text.replace(f"\n{block}", f"\n{bare}")
    text = text.replace("environment: staging", "environment: production")
    (tmp_path / "schedules.yaml").write_text(text, encoding="utf-8")
    configuration = load(tmp_path / "schedules.yaml", {"SMTP_PASSWORD": "secret-enough"})
    assert check(configuration).faults == []
    assert configuration.relay("daily")[1].username == "news"


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    initialise(tmp_path)
    (tmp_path / "schedules.yaml").write_text("mine")
    (tmp_path / ".gitignore").unlink()
    before = files_of(tmp_path)
    assert initialise(tmp_path) == [tmp_path / ".gitignore"]
    after = files_of(tmp_path)
    del after[tmp_path / ".gitignore"]
    assert after == before


def test_a_site_key_that_is_there_is_never_replaced_even_when_it_is_rubbish(tmp_path: Path) -> None:
    (tmp_path / "site.key").write_bytes(b"")
    initialise(tmp_path)
    assert (tmp_path / "site.key").read_bytes() == b""


def test_a_site_key_that_points_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "site.key").symlink_to(tmp_path / "elsewhere")
    initialise(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        initialise(tmp_path / "file")
