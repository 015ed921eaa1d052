"""A good ``schedules.yaml`` on known lines, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.errors import ConfigurationError

KEYS = SiteKeys.of_one(b"k" * 32)

GOOD = """\
site:
  name: The Daily Example
  url: "https://news.example"
  postal_address: 1 Press Lane, Chennai
  timezone: Asia/Kolkata
environment: production
web: {url: "https://mail.news.example"}
relays:
  main:
    host: smtp.news.example
    username: news
    password: "${SMTP_PASSWORD}"
sources:
  front: {feed: "https://news.example/rss"}
newsletters:
  daily:
    title: The Daily Example
    from: The Daily Example <daily@news.example>
    schedule: {at: "07:00"}
    sections:
      - name: World
        match: {source: front}
        max: 5
    articles: {min: 1, max: 5}
"""
SECRETS = {"SMTP_PASSWORD": "correct-horse-battery"}


def line_of(text: str, piece: str) -> int:
    """The number of the line that holds ``piece``, counted here and not by the code under test."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if piece in line)


def write(folder: Path, text: str | bytes = GOOD) -> Path:
    file = folder / "schedules.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def loaded(folder: Path, text: str = GOOD, environ: Mapping[str, str] = SECRETS) -> Configuration:
    return load(write(folder, text), environ, keys=KEYS)


def replaced(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} stands {GOOD.count(old)} times in GOOD"
    return GOOD.replace(old, new)


def fault_in(folder: Path, text: str | bytes, environ: Mapping[str, str] = SECRETS) -> ConfigurationError:
    """The error of loading ``text``."""
    with pytest.raises(ConfigurationError) as caught:
        load(write(folder, text), environ, keys=KEYS)
    assert "\n" not in str(caught.value)
    return caught.value
