"""Small sabotages of the ledger, the sender and the scheduler: each must turn the tests that it names red.

A patch in ``mutants/`` begins with what it breaks and a line ``red: ARGUMENTS`` for pytest. `make soak` applies each to
a copy of this tree and runs those tests; here it is seen that every patch still fits the code.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MUTANTS = sorted((Path(__file__).parent / "mutants").glob("*.patch"))
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "demo.db", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "images"
)


def test_there_are_enough_sabotages() -> None:
    assert len(MUTANTS) >= 8


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda path: path.stem)
def test_each_sabotage_still_fits_the_code(mutant: Path) -> None:
    checked = subprocess.run(["git", "apply", "--check", str(mutant)], cwd=ROOT, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda path: path.stem)
def test_each_sabotage_turns_a_test_red(mutant: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(ROOT, tree, ignore=_LEFT_OUT)
    subprocess.run(["git", "apply", str(mutant)], cwd=tree, check=True)
    red = next(line for line in mutant.read_text().splitlines() if line.startswith("red: ")).removeprefix("red: ")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "NEWSLETTER_"))}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *shlex.split(red)],
        cwd=tree,
        env=environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 1, f"exit {ran.returncode}: {ran.stdout.decode()[-2000:]}"
