"""The streams of a newsletter besides each edition: ``streams`` in ``schedules.yaml``.

What a stream does not say is the newsletter's, or, where that would make no sense at its frequency, what is said here:
a week's round-up may hold what is a week old, and ranks it as of that week.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from newsletter.config.layout import Approval, ArticleRules, Gates, Match, Missed, Ranking, Section
from newsletter.config.schedule import Schedule
from newsletter.config.strict import Strict
from newsletter.config.values import Duration, HeaderText, LongerThanZero, Name
from newsletter.model import Stream

FurtherStream = Literal["daily", "weekly", "breaking"]
_WEEK = timedelta(days=8)  # with a day to spare, for a round-up that comes late
_DAY = timedelta(days=2)
_STILL_BREAKING = timedelta(hours=6)


class StreamSettings(Strict):
    """One stream: its schedule, and what of it differs from the newsletter's each edition."""

    schedule: Schedule
    title: HeaderText | None = Field(None, description="What this one is called; default: the newsletter's title")
    frequency: str = Field("", max_length=120, description="How often it comes, in words; default: from schedule")
    design: Name | None = None
    catch_up: Duration | None = None
    compose_lead: Duration | None = None
    lead: Literal["first", "best", "none"] | None = Field(None, description="Default for weekly: best")
    only: Match | None = Field(None, description="Only stories that match, whichever section would take them")
    sections: list[Section] | None = Field(
        None, min_length=1, description="The same sections, or some of them, with limits of this stream's"
    )
    articles: ArticleRules | None = Field(
        None,
        description="Default: the newsletter's; max_age at least 8d for weekly, at most 6h for breaking; what a weekly "
        "or daily one has no place for is dropped",
    )
    ranking: Ranking | None = Field(None, description="Default for weekly: the newsletter's with a half_life of 7d")
    missed: Missed | None = None
    note: str | None = Field(None, max_length=4000)
    approval: Approval | None = None
    gates: Gates | None = None
    size_budget: int | None = Field(None, ge=20_000, le=10_000_000)
    when_empty: Literal["skip", "send"] | None = None
    nothing_chosen: Literal["skip", "lead"] | None = None
    retry_for: LongerThanZero | None = Field(None, description="Default for breaking: 5m")
    subject: str | None = Field(None, min_length=1)
    preheader: str | None = None

    def over(self, stream: Stream, articles: ArticleRules, ranking: Ranking) -> Mapping[str, Any]:
        """What of a newsletter is another thing in this stream; ``articles`` and ``ranking`` are the newsletter's."""
        given = {name: value for name in self.model_fields_set if (value := getattr(self, name)) is not None}
        rules = self.articles if self.articles is not None else articles
        said = self.articles.model_fields_set if self.articles is not None else frozenset[str]()
        changed: dict[str, Any] = {}
        match stream:
            case Stream.WEEKLY:
                changed = {"max_age": max(articles.max_age, _WEEK), "overflow": "drop"}
                given.setdefault("lead", "best")
                given.setdefault("ranking", ranking.model_copy(update={"half_life": timedelta(days=7)}))
            case Stream.DAILY:
                changed = {"max_age": max(articles.max_age, _DAY), "overflow": "drop"}
            case Stream.BREAKING:
                changed = {"max_age": min(articles.max_age, _STILL_BREAKING)}
                given.setdefault("retry_for", timedelta(minutes=5))
                given.setdefault("compose_lead", timedelta(0))
            case Stream.EACH:
                pass
        kept = {name: value for name, value in changed.items() if name not in said}
        return {"frequency": self.frequency} | given | {"articles": rules.model_copy(update=kept)}
