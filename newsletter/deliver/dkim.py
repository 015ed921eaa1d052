"""DKIM signatures (RFC 6376) over finished messages: assembled bytes -> the header fields that go in front of them.

relaxed/relaxed, SHA-256; RSA (RFC 8301) and Ed25519 (RFC 8463) side by side, one signature a key. Our quoted-printable
bodies are in canonical form as they are written (render.encoding), so that a body costs one look and one hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from newsletter.errors import ConfigurationError
from newsletter.render.encoding import is_relaxed

SHORTEST_RSA = 1024  # bits; RFC 8301 §3.2
SIGNED = (
    "From", "Reply-To", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID",
    "Auto-Submitted",
)  # fmt: skip
# Signed once more than they stand in the message, so that nobody can add another (RFC 6376 §5.4.2, §8.15).
OVERSIGNED = frozenset(
    {"from", "reply-to", "to", "subject", "date", "message-id", "mime-version", "content-type", "list-unsubscribe",
     "list-unsubscribe-post"}
)  # fmt: skip
_BLANKS = re.compile(rb"[ \t]+")
_LONG_BLANKS = re.compile(rb"[ \t]{2,}|\t")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_LINE = 76

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class SigningKey:
    """One private key of ``domain`` under ``selector``. Its repr shows neither."""

    domain: str
    selector: str
    private: PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The ``a=`` tag (RFC 6376 §3.5, RFC 8463 §3)."""
        return "rsa-sha256" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """The raw signature over the header hash input ``data``."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())  # RFC 8463 §3: over the hash, not the data


@dataclass(frozen=True)
class DkimSigner:
    """Signs the mails of one From domain, once with each key. ``unsigned`` names fields (lower case) to leave out."""

    keys: tuple[SigningKey, ...]
    unsigned: frozenset[str] = frozenset()

    def sign(self, message: bytes, *, at: int) -> bytes:
        """The ``DKIM-Signature`` fields for ``message`` (CRLF), folded, to be put before it. ``at``: seconds, UTC."""
        end = message.index(b"\r\n\r\n") + 2
        return self._fields(message[:end], canonical_body(message[end + 2 :]), at)

    def sign_relaxed(self, message: bytes, *, at: int) -> bytes:
        """The same for a message whose body is in relaxed form already, but for empty lines at its end."""
        if message.endswith(b"\r\n\r\n"):
            return self.sign(message, at=at)
        end = message.index(b"\r\n\r\n") + 2
        return self._fields(message[:end], memoryview(message)[end + 2 :], at)

    def _fields(self, header: bytes, body: bytes | memoryview, at: int) -> bytes:
        fields, names = self._header(header)
        body_hash = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
        return b"".join([self._signature(key, fields, names, body_hash, at) for key in self.keys])

    def _header(self, block: bytes) -> tuple[bytes, str]:
        """The canonical form of the signed fields, last of each name first (RFC 6376 §5.4.2), and the ``h=`` tag."""
        found: dict[bytes, list[bytes]] = {}
        for line in _FOLD.sub(b"", block).split(b"\r\n"):
            lower, canonical = _canonical_field(line)
            found.setdefault(lower, []).append(canonical)
        fields: list[bytes] = []
        named: list[str] = []
        for lower, name, oversigned in self._signed:
            values = found.get(lower, ())
            fields += reversed(values)
            named += [name] * (len(values) + oversigned)
        return b"".join(fields), ":".join(named)

    @cached_property
    def _signed(self) -> list[tuple[bytes, str, bool]]:
        """The fields to sign, each with whether it is signed once more than it stands there."""
        lower = [(name.lower(), name) for name in SIGNED]
        return [(one.encode(), name, one in OVERSIGNED) for one, name in lower if one not in self.unsigned]

    @staticmethod
    def _signature(key: SigningKey, fields: bytes, names: str, body_hash: str, at: int) -> bytes:
        head, canonical = _head(key.domain, key.selector, key.algorithm, names, at)
        # The field itself without the value of b= and without its CRLF (RFC 6376 §3.7).
        hashed = b"%sdkim-signature:%s bh=%s; b=" % (fields, canonical, body_hash.encode("ascii"))
        signed = base64.b64encode(key.sign(hashed)).decode("ascii")
        lines = [signed[start : start + _LINE] for start in range(0, len(signed), _LINE)]
        return "\r\n ".join([head, f"bh={body_hash}; b=", *lines]).encode("ascii") + b"\r\n"


@lru_cache(maxsize=64)
def _head(domain: str, selector: str, algorithm: str, names: str, at: int) -> tuple[str, bytes]:
    """The field up to ``bh=``, folded, and its value in canonical form; the same for all mails of one second."""
    tags = f"v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector}; t={at}; h={names};"
    lines = ["DKIM-Signature: "]
    for word in re.findall(r"[^ :]*(?:: ?| |$)", tags):
        if len(lines[-1]) + len(word.rstrip()) > _LINE:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += word
    head = "\r\n ".join(lines)
    return head, canonical_value(head.partition(":")[2].encode("ascii"))


@lru_cache(maxsize=256)  # most fields of a mail are those of the mails before it
def _canonical_field(line: bytes) -> tuple[bytes, bytes]:
    """An unfolded field's name, and the field in relaxed form."""
    name, _, value = line.partition(b":")
    lower = name.rstrip(b" \t").lower()
    return lower, b"%s:%s\r\n" % (lower, canonical_value(value))


def canonical_value(value: bytes) -> bytes:
    """A header field's value in relaxed form (RFC 6376 §3.4.2): unfolded, blanks run together, none at its ends."""
    return _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def canonical_body(body: bytes) -> bytes:
    """A body that ends with CRLF, in relaxed form (RFC 6376 §3.4.4); bodies of ours mostly are that already."""
    if not is_relaxed(body):
        body = _LONG_BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n")
    written = body.rstrip(b"\r\n")
    return written + b"\r\n" if written else b""


def signer_for(signers: Mapping[str, DkimSigner], domain: str) -> DkimSigner | None:
    """Who signs mails From ``domain``: its own keys, else those of the nearest domain above it (RFC 9989, relaxed
    alignment: d= may be the organizational domain)."""
    labels = domain.lower().split(".")
    above = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return next((signers[name] for name in above if name in signers), None)


def load_key(path: Path, *, domain: str, selector: str) -> SigningKey:
    """The private key in the PEM file ``path``. Raises ConfigurationError."""
    try:
        loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(
            f"the DKIM key cannot be read: {error.strerror}",
            where=str(path),
            remedy=f"Run `newsletter dkim keygen {domain} --selector {selector}`, or restore the file",
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(
            "this is not a private key in PEM without a password", where=str(path), remedy="Restore it from your backup"
        ) from None
    if not isinstance(loaded, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise ConfigurationError(
            "DKIM knows RSA and Ed25519 keys, and this is neither (RFC 8301, RFC 8463)", where=str(path)
        )
    if isinstance(loaded, rsa.RSAPrivateKey) and loaded.key_size < SHORTEST_RSA:
        raise ConfigurationError(
            f"an RSA key of {loaded.key_size} bits is too short; receivers refuse it (RFC 8301 §3.2)",
            where=str(path),
            remedy="Make one of 2048 bits with `newsletter dkim keygen`",
        )
    return SigningKey(domain, selector, loaded)


def new_key(kind: str) -> PrivateKey:
    """A new private key, ``rsa`` (2048 bits) or ``ed25519``."""
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)


def pem(key: PrivateKey) -> bytes:
    """The key as a PEM file holds it (PKCS #8, no password)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def dns_record(key: PrivateKey) -> str:
    """The TXT record of the public half (RFC 6376 §3.6.1, RFC 8463 §4)."""
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode('ascii')}"
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode('ascii')}"


def zone_line(name: str, record: str) -> str:
    """``record`` as a zone file holds it: strings of at most 255 octets (RFC 6376 §3.6.2.2)."""
    strings = [record[start : start + 255] for start in range(0, len(record), 255)]
    return f"{name}. IN TXT ( " + " ".join(f'"{one}"' for one in strings) + " )"
