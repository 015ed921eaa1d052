"""A fresh publisher's folder for each test of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.console import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """What ``newsletter init`` writes, switched to production."""
    return Folder(tmp_path)
