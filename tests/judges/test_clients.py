"""caniemail on every design: what no client of the five families lacks, but for allowed_features.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judges.gallery import Gallery
from tests.judges.messages import MAILS

_ALLOWED = Path(__file__).parent / "allowed_features.txt"


def allowed() -> dict[str, str]:
    """Why we may use a feature that some client lacks, by caniemail's title of it."""
    lines = [line for line in _ALLOWED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    features = dict(line.split(" — ", 1) for line in lines)
    assert len(features) == len(lines), "a feature stands twice in allowed_features.txt"
    return features


@pytest.mark.parametrize("name", MAILS)
def test_every_client_supports_what_a_mail_uses(shown: Gallery, name: str) -> None:
    found = {title: who for title, who in shown.verdicts[name].clients.items() if title not in allowed()}
    words = [f"{title}: {'; '.join(who)}" for title, who in sorted(found.items())]
    assert not found, f"caniemail on {name}, outside allowed_features.txt:\n" + "\n".join(words)


def test_every_allowed_feature_is_used_and_has_a_reason(shown: Gallery) -> None:
    used = {title for name in MAILS for title in shown.verdicts[name].clients}
    assert not allowed().keys() - used, "allowed_features.txt allows what no mail uses"
    assert all(allowed().values()), "a feature is allowed without a reason"
