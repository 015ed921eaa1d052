"""caniemail on every design: what no client of the five families lacks, but for the allowed_features.txt that the
templates ship, and the one here for what caniemail misreads."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.render.lint import Mail
from newsletter.render.lint.clients import features_in, support
from newsletter.render.templates import shipped_templates
from tests.judges.gallery import Gallery
from tests.judges.messages import MAILS

_MISREAD = Path(__file__).parent / "allowed_features.txt"
_SHIPPED = shipped_templates() / "shared" / "allowed_features.txt"


def allowed(*files: Path) -> dict[str, str]:
    """Why we may use a feature that some client lacks, by caniemail's title of it."""
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    features = dict(line.split(" — ", 1) for line in lines)
    assert len(features) == len(lines), "a feature stands twice in allowed_features.txt"
    return features


@pytest.mark.parametrize("name", MAILS)
def test_every_client_supports_what_a_mail_uses(shown: Gallery, name: str) -> None:
    may = allowed(_SHIPPED, _MISREAD)
    found = {title: who for title, who in shown.verdicts[name].clients.items() if title not in may}
    words = [f"{title}: {'; '.join(who)}" for title, who in sorted(found.items())]
    assert not found, f"caniemail on {name}, outside allowed_features.txt:\n" + "\n".join(words)


def test_every_allowed_feature_is_used_and_has_a_reason(shown: Gallery) -> None:
    used = {title for name in MAILS for title in shown.verdicts[name].clients}
    assert not allowed(_MISREAD).keys() - used, "allowed_features.txt allows what caniemail does not see"
    ours = {
        support().features[slug].title for mail in shown.mails.values() for slug in features_in(Mail(mail.html, ""))
    }
    assert not allowed(_SHIPPED).keys() - ours, "the shipped allowed_features.txt allows what no mail uses"
    assert all(allowed(_SHIPPED, _MISREAD).values()), "a feature is allowed without a reason"
