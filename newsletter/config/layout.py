"""What an edition is made of: the layout of a newsletter in ``schedules.yaml``, as frozen pydantic models.

Sections choose articles, ranking orders them, the rest stands round them: promotions, what was missed, gates. Part of
``config.models``, which everything outside ``config`` imports.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from newsletter.config.strict import Strict
from newsletter.config.values import Day, Duration, HeaderText, LongerThanZero, Name, TargetText, WebAddress
from newsletter.target import Target

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(gt=0, le=100)]
UtmText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s&=#?]+$")]
ClientName = Literal[
    "gmail", "apple-mail", "outlook-windows", "outlook.com", "outlook-mac", "outlook-mobile", "yahoo", "samsung", "aol",
    "thunderbird", "protonmail", "fastmail", "hey", "gmx", "web.de", "t-online", "ionos", "orange", "sfr", "laposte",
    "free.fr", "mail.ru",
]  # fmt: skip


class Match(Strict):
    """Which articles a section takes; all that is given must hold. Comparison ignores case."""

    section: str | list[str] | None = None
    source: str | list[str] | None = None
    tag: str | list[str] | None = None


class Section(Strict):
    """A part of a newsletter that chooses articles."""

    name: HeaderText
    match: Match = Match()
    max: Annotated[int, Field(ge=1, le=100)] = 5
    min: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="With fewer of its own it takes of the newsletter's fallback"
    )
    order: Literal["rank", "newest", "oldest"] = "rank"
    cards: Annotated[int, Field(ge=0, le=100)] = Field(2, description="How many stand as cards; the rest are briefs")

    @model_validator(mode="after")
    def _min_below_max(self) -> Section:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is greater than max ({self.max})")
        return self


class ArticleRules(Strict):
    """How many stories an edition holds, and which are too old."""

    min: Annotated[int, Field(ge=0)] = 1
    max: Annotated[int, Field(ge=1, le=200)] = 15
    max_age: Duration = Field(
        timedelta(days=3), description="Since we first saw it; older is dropped, with that reason"
    )
    overflow: Literal["carry", "drop"] = "carry"

    @model_validator(mode="after")
    def _min_below_max(self) -> ArticleRules:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is greater than max ({self.max})")
        return self


class Ranking(Strict):
    """How the stories of an edition are ordered: a product of few factors, each told by ``editions show --why``."""

    half_life: LongerThanZero = Field(
        timedelta(hours=12), description="A story loses half its recency in this time since it was published"
    )
    sources: dict[Name, Weight] = Field({}, description="How much a source counts; 1 where it is not named")
    sections: dict[str, Weight] = Field(
        {}, description="How much an article's own section counts (what its source says); 1 where it is not named"
    )
    variety: Share = Field(
        0.1, description="What each further story of the same source in a section loses; 0: sources do not matter"
    )
    collapse: bool = Field(True, description="Of near-duplicates only the best is taken; the others are left out")


class Missed(Strict):
    """Stories that an edition had no place for, offered at its end as briefs: "you may have missed"."""

    max: Annotated[int, Field(ge=1, le=20)] = 3
    title: HeaderText | None = Field(None, description="Its heading; default: the words of the edition's language")


class Promotion(Strict):
    """What an advertiser, or the paper for itself, has put between the sections. It is labelled as what it is."""

    headline: HeaderText
    text: str = Field("", max_length=2000, description="Markdown")
    url: WebAddress
    image: WebAddress | None = Field(None, description="A picture that is served by your own site")
    alt: str = ""
    button: HeaderText | None = Field(
        None, description="The words of its link; default: none, its headline is the link"
    )
    label: HeaderText | None = Field(None, description='Default: "Advertisement", in the edition\'s language')
    after: Annotated[int, Field(ge=0, le=100)] | HeaderText = Field(
        1, description="After which section: its number in the reader's mail (0: before the first), or its name"
    )
    from_: date | None = Field(None, alias="from", description="First local date, inclusive")
    until: date | None = Field(None, description="Last local date, inclusive")
    days: Annotated[list[Day], Field(min_length=1)] | None = None
    plans: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="Only for readers of these plans"
    )
    target: TargetText | None = Field(None, description="Only for these readers; see `target` of a newsletter")

    @model_validator(mode="after")
    def _from_before_until(self) -> Promotion:
        if self.from_ is not None and self.until is not None and self.until < self.from_:
            raise ValueError(f"until ({self.until}) is before from ({self.from_})")
        return self

    @cached_property
    def parsed_target(self) -> Target | None:
        return Target.parse(self.target) if self.target is not None else None


class Utm(Strict):
    """Campaign parameters of links to the publisher's own site; what is not given is the default."""

    source: UtmText | None = Field(None, description="utm_source; default: the newsletter's name")
    medium: UtmText | None = Field(None, description="utm_medium; default: email")
    campaign: UtmText | None = Field(None, description="utm_campaign; default: the occurrence, 2026-11-01/1")
    content: UtmText | None = None
    term: UtmText | None = None


class Approval(Strict):
    """Whether an editor has to say yes before an occurrence goes out, and what happens when nobody does."""

    mode: Literal["automatic", "required"] = "automatic"
    deadline: Duration = Field(timedelta(0), description="How long before it is due; 0s: when it is due")
    then: Literal["send", "hold"] = Field("hold", description="With mode: required, what the deadline does")


class Gates(Strict):
    """What is looked at before an occurrence goes out, and holds it. ``null`` or ``false`` switches one off."""

    readers: Share | None = Field(
        0.3, description="The number of readers is off the median of the last editions by more than this share"
    )
    readers_least: Annotated[int, Field(ge=0)] = Field(
        50, description="It is not looked at where both the readers now and that median are fewer"
    )
    stale_after: Duration | None = Field(None, description="The newest story is older than this when it goes out")
    links: bool = Field(True, description="The mail has no link to any of its stories")
    same_subject: bool = Field(True, description="The subject is that of the last edition")
    lead_picture: bool = Field(
        True, description="The lead's picture, or any other that web.url serves, cannot be fetched"
    )
    web: bool = Field(True, description="web.url does not answer")
    lint: bool = Field(True, description="Errors of `newsletter lint`")
