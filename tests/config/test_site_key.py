"""The site key: made once, readable by its owner alone, signs for one purpose at a time, verifies under older keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stat
from pathlib import Path

import pytest

from newsletter.config.site_key import SiteKeys, create, open_to_others
from newsletter.errors import ConfigurationError

OLD, NEW = b"o" * 32, b"n" * 32


def line(key: bytes) -> bytes:
    return base64.urlsafe_b64encode(key) + b"\n"


def test_a_new_key_is_random_and_for_its_owner_alone(tmp_path: Path) -> None:
    keys = create(tmp_path / "site.key")
    assert stat.S_IMODE((tmp_path / "site.key").stat().st_mode) == 0o600
    assert not open_to_others(tmp_path / "site.key")
    assert SiteKeys.load(tmp_path / "site.key") == keys
    assert create(tmp_path / "other.key") != keys


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    create(tmp_path / "site.key")
    before = (tmp_path / "site.key").read_bytes()
    with pytest.raises(ConfigurationError, match="already"):
        create(tmp_path / "site.key")
    assert (tmp_path / "site.key").read_bytes() == before


def test_a_signature_is_hmac_sha256_under_a_key_for_its_purpose() -> None:
    derived = hmac.new(NEW, b"newsletter site key\0" + b"cookie", hashlib.sha256).digest()
    assert SiteKeys((NEW,)).sign("cookie", b"m") == hmac.new(derived, b"m", hashlib.sha256).digest()


def test_a_signature_verifies_only_for_its_purpose_message_and_key() -> None:
    keys = SiteKeys((NEW,))
    signature = keys.sign("cookie", b"message")
    assert keys.verify("cookie", b"message", signature)
    assert not keys.verify("verp", b"message", signature)
    assert not keys.verify("cookie", b"messages", signature)
    assert not keys.verify("cookie", b"message", bytes([signature[0] ^ 1]) + signature[1:])
    assert not SiteKeys((OLD,)).verify("cookie", b"message", signature)


def test_a_signature_may_be_shortened_to_128_bits_and_no_further() -> None:
    keys = SiteKeys((NEW,))
    signature = keys.sign("verp", b"m")
    assert keys.verify("verp", b"m", signature[:16])
    assert not keys.verify("verp", b"m", signature[:15])
    assert not keys.verify("verp", b"m", b"")
    assert not keys.verify("verp", b"m", signature + b"x")


def test_older_keys_verify_and_never_sign(tmp_path: Path) -> None:
    (tmp_path / "site.key").write_bytes(line(NEW) + b"\n" + line(OLD))
    keys = SiteKeys.load(tmp_path / "site.key")
    assert keys.verify("cookie", b"m", SiteKeys((OLD,)).sign("cookie", b"m"))
    assert keys.sign("cookie", b"m") == SiteKeys((NEW,)).sign("cookie", b"m")
    assert len(keys.derived("cookie")) == 2


def test_no_key_is_in_any_repr() -> None:
    assert repr(SiteKeys((NEW,))) == "SiteKeys()"


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (None, "/site.key", "there is no site key"),
        (b"", "/site.key", "empty"),
        (b"\n\n", "/site.key", "empty"),
        (line(NEW) + b"secret-rubbish\n", "site.key:2", "not a key"),
        (line(NEW[:31]), "site.key:1", "not a key"),
        (b"\xff\xfe", "site.key:1", "not a key"),
    ],
)
def test_a_file_that_is_no_key_is_refused_without_showing_it(
    content: bytes | None, where: str, what: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "site.key").write_bytes(content)
    with pytest.raises(ConfigurationError, match=what) as caught:
        SiteKeys.load(tmp_path / "site.key")
    assert caught.value.where.endswith(where)
    assert "rubbish" not in str(caught.value)
