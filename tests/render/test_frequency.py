"""How often a newsletter comes, as its schedule says it, in the words of each language."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.config.models import Schedule
from newsletter.render.catalogues import words_of
from newsletter.render.frequency import frequency_of
from newsletter.render.templates import shipped_templates
from tests.render.mails import a_newsletter


@pytest.mark.parametrize(
    ("schedule", "language", "said"),
    [
        ({"at": "07:00"}, "en", "Every day at 7:00 AM"),
        ({"at": "07:00"}, "de", "Täglich um 07:00"),
        ({"at": ["18:00", "07:00"]}, "fr", "Tous les jours à 07:00 et 18:00"),
        ({"at": "06:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat"]}, "en", "Monday to Saturday at 6:00 AM"),
        ({"at": "06:00", "days": ["mon", "tue", "wed", "thu", "fri"]}, "es", "De lunes a viernes a las 6:00"),
        ({"at": "08:30", "days": ["sun", "sat"]}, "en", "Saturday and Sunday at 8:30 AM"),
        ({"at": "08:30", "days": ["mon", "wed"]}, "en", "Monday and Wednesday at 8:30 AM"),
        ({"cron": "30 6 * * mon,wed"}, "en", "Monday and Wednesday at 6:30 AM"),
        ({"cron": "30 6 * * *"}, "en", "Every day at 6:30 AM"),
        ({"cron": "30 6 1 * *"}, "en", "Regularly"),
        ({"cron": "*/5 6 * * mon"}, "en", "Regularly"),
        ({"every": "2h"}, "en", "Every 2 hours"),
        ({"every": "1d"}, "de", "Täglich"),
        ({"every": "30m"}, "ar", "كل 30 دقيقة"),
    ],
)
def test_a_schedule_in_words(schedule: dict[str, Any], language: str, said: str) -> None:
    newsletter = a_newsletter().model_copy(update={"schedule": Schedule.model_validate(schedule)})
    found = frequency_of(newsletter, words_of([shipped_templates()], language))
    assert found.replace("\u202f", " ").replace("\u00a0", " ") == said


def test_the_newsletter_s_own_words_stand_as_they_are() -> None:
    newsletter = a_newsletter().model_copy(update={"frequency": "When there is news"})
    assert frequency_of(newsletter, words_of([shipped_templates()], "de")) == "When there is news"
