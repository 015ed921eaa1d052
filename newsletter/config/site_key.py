"""``site.key``: the random secret that signs what this site mails -> keyed MACs for one purpose each.

One key a line, URL-safe base64 of 32 random bytes: the first signs, all verify, so that what was signed outlives
a new key. Losing the file forgets which addresses must not be mailed: back it up, and keep it out of repositories.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

from newsletter.config.secret_file import write_new_secret
from newsletter.errors import ConfigurationError

FILE_NAME = "site.key"
KEY_BYTES = 32
_SHORTEST_SIGNATURE = 16


@dataclass(frozen=True)
class SiteKeys:
    """The site's keys, newest first. Its repr shows none of them."""

    keys: tuple[bytes, ...] = field(repr=False)

    def sign(self, purpose: str, message: bytes) -> bytes:
        """32 bytes: the HMAC-SHA256 (RFC 2104) of ``message`` under the newest key's key for ``purpose``.

        It may be shortened to no less than its first 16 bytes (128 bits).
        """
        return _mac(_derived(self.keys[0], purpose), message)

    def verify(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Whether ``signature``, of 16 to 32 bytes, was made by ``sign`` under any of the keys; in constant time."""
        if not _SHORTEST_SIGNATURE <= len(signature) <= KEY_BYTES:
            return False
        # A list, not a generator: every key is tried whatever the first ones gave.
        matches = [
            hmac.compare_digest(_mac(key, message)[: len(signature)], signature) for key in self.derived(purpose)
        ]
        return any(matches)

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """The keys for one purpose, newest first; a key of one purpose verifies nothing of another."""
        return tuple(_derived(key, purpose) for key in self.keys)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file at ``path``. Raises ConfigurationError where it is missing or no key file."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise ConfigurationError(
                "there is no site key, which makes Message-IDs and the hashes of suppressed addresses",
                where=str(path),
                remedy="Run `newsletter init` in this folder, or restore the file from your backup",
            ) from None
        except OSError as error:
            raise ConfigurationError(f"the site key cannot be read: {error.strerror}", where=str(path)) from None
        keys: list[bytes] = []
        for number, line in enumerate(content.splitlines(), 1):
            if not line.strip():
                continue
            try:
                key = base64.b64decode(line.strip(), altchars=b"-_", validate=True)
            except binascii.Error:
                key = b""
            if len(key) != KEY_BYTES:
                raise ConfigurationError(
                    "this line is not a key of 32 bytes in base64",
                    where=f"{path.name}:{number}",
                    remedy="Restore the file from your backup",
                )
            keys.append(key)
        if not keys:
            raise ConfigurationError("the file is empty", where=str(path), remedy="Restore it from your backup")
        return cls(tuple(keys))

    @classmethod
    def of_one(cls, key: bytes | None = None) -> Self:
        """Keys that are in no file: ``key``, or a random one."""
        return cls((key if key is not None else secrets.token_bytes(KEY_BYTES),))


def create(path: Path) -> SiteKeys:
    """Write a new key to ``path``, mode 0600. Raises ConfigurationError where the file exists: it is never replaced."""
    try:
        write_new_secret(path, base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
    except FileExistsError:
        raise ConfigurationError(
            "there is a site key already, and replacing it would forget which addresses must not be mailed",
            where=str(path),
        ) from None
    except OSError as error:
        raise ConfigurationError(f"the site key cannot be written: {error.strerror}", where=str(path)) from None
    return SiteKeys.load(path)


def open_to_others(path: Path) -> bool:
    """Whether anyone but its owner may read or write the file."""
    return path.exists() and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


@lru_cache(maxsize=64)
def _derived(key: bytes, purpose: str) -> bytes:
    return _mac(key, b"newsletter site key\0" + purpose.encode())


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
