"""The shape of ``schedules.yaml``: frozen pydantic models, unknown keys refused.

The descriptions below are what ``newsletter schema`` prints and what an editor shows while somebody types. Reading the
file, line numbers and "did you mean" are in ``config.reading``; checks across keys are in ``config.checking``.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from newsletter.config.dkim import Dkim, Domain
from newsletter.config.layout import (
    Approval,
    ArticleRules,
    ClientName,
    Gates,
    Match,
    Missed,
    Promotion,
    Ranking,
    Section,
    Share,
    Utm,
)
from newsletter.config.mailbox import Mailbox
from newsletter.config.schedule import Schedule
from newsletter.config.sign_up import SignUp, SystemMails
from newsletter.config.streams import FurtherStream, StreamSettings
from newsletter.config.strict import Strict
from newsletter.config.values import (
    DAYS,
    AddressText,
    Colour,
    Day,
    DomainName,
    Duration,
    FilePath,
    FontName,
    HeaderText,
    Language,
    LongerThanZero,
    MailboxText,
    Name,
    PatternText,
    StoreUrl,
    TargetText,
    WebAddress,
    Zone,
)
from newsletter.domain_groups import NAMES, group_called
from newsletter.model import SYSTEM, Access, Stream
from newsletter.target import Target

__all__ = [
    "DAYS",
    "Approval",
    "ArticleRules",
    "Day",
    "Dkim",
    "Environment",
    "Failing",
    "Gates",
    "Images",
    "Match",
    "Missed",
    "Newsletter",
    "Promotion",
    "Ranking",
    "Relay",
    "Schedule",
    "Schedules",
    "Section",
    "SignUp",
    "Site",
    "Source",
    "Strict",
    "SystemMails",
    "Theme",
    "Utm",
    "WarmUp",
    "Web",
]

LONGEST_VERP_LOCAL = 17  # the token takes 47 of the 64 characters before an @ (RFC 5321 §4.5.3.1.1)
_SHORTEST_LEDGER = timedelta(days=14)
_KINDS: tuple[Literal["feed", "sitemap", "page", "folder", "push"], ...] = ("feed", "sitemap", "page", "folder", "push")
_CLIENTS: list[ClientName] = ["gmail", "apple-mail", "outlook-windows", "outlook.com", "yahoo", "samsung"]


def _braced(pattern: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", pattern))


class Theme(Strict):
    """A site's colours, logo and fonts."""

    accent: Colour = Field("#7a1f1f", description="The one accent colour, #rrggbb")
    logo: FilePath | None = Field(None, description="A PNG or JPEG at twice its shown size, beside this file")
    headline_font: FontName | None = Field(None, description="A font family to put before Georgia")
    text_font: FontName | None = Field(None, description="A font family to put before the system sans")


class Site(Strict):
    """The publisher."""

    name: HeaderText
    url: WebAddress
    postal_address: str = Field(min_length=5, description="Printed at the foot of every mail; the law asks for it")
    timezone: Zone = "UTC"
    language: Language = "en"
    membership_url: WebAddress | None = Field(None, description="Where readers become members; default: the site")
    theme: Theme = Theme()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Environment(StrEnum):
    """``staging`` mails only ``staging_recipients``."""

    PRODUCTION = "production"
    STAGING = "staging"


class Web(Strict):
    """Where links and pictures in mails point, and where our pages listen."""

    url: WebAddress
    listen: Annotated[str, Field(pattern=r"^[^\s:]+:[0-9]{1,5}$|^\[[0-9a-fA-F:]+\]:[0-9]{1,5}$")] = "127.0.0.1:8025"

    @field_validator("listen")
    @classmethod
    def _port_exists(cls, value: str) -> str:
        if int(value.rpartition(":")[2]) > 65535:
            raise ValueError("a port is a number up to 65535")
        return value

    @property
    def base(self) -> str:
        """The public address without a trailing slash."""
        return str(self.url).rstrip("/")

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Relay(Strict):
    """An SMTP server of the publisher's."""

    host: Annotated[str, Field(pattern=r"^[^\s/@]{1,255}$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    username: str | None = None
    password: SecretStr | None = Field(None, description='Only as "${NAME}", from the environment or .env')
    connections: Annotated[int, Field(ge=1, le=100)] = 10
    messages_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="Never more than so many; without it as many as the relay takes"
    )
    messages_per_connection: Annotated[int, Field(ge=1)] = Field(
        100, description="After so many a connection is closed and another opened; some providers take 20"
    )
    weight: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None,
        description="Those with a weight share the mail of newsletters that name no relay; 0: while no other is up",
    )
    domains: list[DomainName] = Field([], description="It takes the newsletters whose From is in one of these domains")
    timeout: LongerThanZero | None = Field(
        None, description="For connecting and for each reply; default: 60s, then those of RFC 5321 section 4.5.3.2"
    )
    ca_file: FilePath | None = Field(None, description="Certificates to trust besides the system's, for a private CA")
    envelope_sender: AddressText | None = Field(None, description="MAIL FROM; default: the newsletter's From address")
    verp: bool = Field(
        False, description="Give each message an envelope sender of its own: bounces+TOKEN@… of envelope_sender"
    )

    @model_validator(mode="after")
    def _username_with_password(self) -> Relay:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; one of them is missing")
        return self

    @model_validator(mode="after")
    def _verp_has_room(self) -> Relay:
        if self.verp and self.envelope_sender is None:
            raise ValueError("verp needs envelope_sender: an address that takes mail for bounces+ANYTHING@… as well")
        if self.verp and len(str(self.envelope_sender).rpartition("@")[0]) > LONGEST_VERP_LOCAL:
            raise ValueError(f"with verp the part of envelope_sender before the @ has at most {LONGEST_VERP_LOCAL}")
        return self


class WarmUp(Strict):
    """How much a From domain sends while mailbox providers do not know it yet."""

    start: date = Field(description="The first day, of the site's time zone: 2026-12-01")
    messages: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = Field(
        description="How many on the first day, the second …; after the last there is no limit"
    )

    def most(self, day: date) -> int | None:
        """How many messages may go on a day; None: as many as there are. Before the start as on the first."""
        place = max((day - self.start).days, 0)
        return self.messages[place] if place < len(self.messages) else None


class Images(Strict):
    """What becomes of an article's pictures: our own copies, or links to the publisher's image service."""

    mode: Literal["copy", "link"] = "copy"
    pattern: str | None = Field(
        None,
        description='With mode: link, the address of a picture at a width: "{url}?width={width}", or with its URL '
        '(percent-encoded) or path elsewhere: "https://images.example/{width}/{path}"',
    )

    @model_validator(mode="after")
    def _pattern_fits(self) -> Images:
        if (self.mode == "link") != (self.pattern is not None):
            raise ValueError("pattern goes with mode: link, and only with it")
        if self.pattern is not None and (
            "{width}" not in self.pattern or not {"{url}", "{path}"} & _braced(self.pattern)
        ):
            raise ValueError("pattern needs {width}, and {url} or {path}")
        if self.pattern is not None and not self.pattern.startswith(("https://", "http://", "{url}")):
            raise ValueError("pattern begins with https://, or with {url}")
        if self.pattern is not None and (unknown := _braced(self.pattern) - {"{url}", "{path}", "{width}"}):
            raise ValueError(f"pattern has {min(unknown)}; there are {{url}}, {{path}} and {{width}}")
        return self


class Source(Strict):
    """Where articles come from: exactly one of ``feed``, ``sitemap``, ``page``, ``folder`` and ``push``."""

    feed: WebAddress | None = Field(None, description="RSS, Atom, RDF or JSON Feed")
    sitemap: WebAddress | None = Field(None, description="A news sitemap, or an index of sitemaps")
    page: WebAddress | None = Field(None, description="A section page whose links that match `links` are articles")
    folder: FilePath | None = Field(None, description="Saved .html, .txt, .md and .eml files, and those below")
    push: Literal[True] | None = Field(None, description="true: articles come over POST /api/articles")
    links: PatternText | None = Field(None, description="A regular expression that an article's URL matches")
    full_text: bool = Field(False, description="Read each new story of a feed from its own page as well")
    ignore: list[PatternText] = Field([], description="Regular expressions of paragraphs that belong to no story")
    teaser_words: Annotated[int, Field(ge=5, le=500)] = Field(
        40, description="Words of the teaser, where a story has no standfirst"
    )
    timezone: Zone | None = Field(None, description="Of its times that name none, or by letters; default: the site's")
    images: Images = Images()
    keep: Duration = Field(timedelta(days=180), description="Then bodies are pruned; identities are kept for ever")
    every: LongerThanZero = timedelta(minutes=10)
    section: str | None = Field(None, description="The section of articles whose source names none")
    language: Language | None = None
    backfill: Annotated[int, Field(ge=0)] = Field(
        10, description="How many of the first collection's newest may be sent"
    )
    allow_private: bool = Field(False, description="Permit addresses in private networks, for a CMS inside the house")
    fetch_timeout: LongerThanZero = timedelta(seconds=30)
    parse_timeout: LongerThanZero = timedelta(seconds=10)
    max_bytes: Annotated[int, Field(ge=1024)] = 10_000_000

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> Source:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError("a source has exactly one of feed, sitemap, page, folder and push")
        if self.page is not None and self.links is None:
            raise ValueError("page needs links: a regular expression that the URLs of articles match")
        if self.links is not None and self.page is None and self.sitemap is None:
            raise ValueError("links goes with page or sitemap")
        if self.full_text and self.feed is None:
            raise ValueError("full_text goes with feed")
        return self

    @property
    def kind(self) -> Literal["feed", "sitemap", "page", "folder", "push"]:
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def location(self) -> str:
        """Where it is: a URL (which holds no credentials), a folder, or '' for what is pushed."""
        return "" if self.push else str(getattr(self, self.kind))


class Failing(Strict):
    """When an edition that is going out is held because it is refused."""

    share: Share | None = Field(0.1, description="More of its messages than this share were refused; null: never held")
    after: Annotated[int, Field(ge=1)] = Field(100, description="Once so many have been answered")


class Newsletter(Strict):
    """A publication that one can subscribe to."""

    title: HeaderText
    description: str = ""
    frequency: str = Field(
        "", max_length=120, description='How often it comes, in words: "Every weekday at seven"; default: from schedule'
    )
    listed: bool = Field(True, description="Offered on the sign-up page")
    opt_in: Literal["double", "single"] = Field(
        "double", description="double: a mail asks to confirm; single: the form alone subscribes"
    )
    from_: MailboxText = Field(alias="from", description='"The Daily Example <daily@news.example>"')
    reply_to: MailboxText | None = None
    design: Name = "daily"
    language: Language | None = Field(None, description="Default: the site's")
    languages: list[Language] = Field([], description="Further languages that its readers may have it in")
    relay: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Which relay, or which several; default: those of its From domain, else see weight"
    )
    schedule: Schedule
    streams: dict[FurtherStream, StreamSettings] = Field(
        {},
        description="At which other frequencies readers may have it instead of each edition: a daily or weekly "
        "round-up, breaking news alone",
    )
    catch_up: Duration = timedelta(hours=2)
    compose_lead: Duration = timedelta(minutes=30)
    lead: Literal["first", "best", "none"] = Field(
        "first", description="Which story leads: the first section's first, the best ranked of all, or none"
    )
    only: Match | None = Field(None, description="Only stories that match, whichever section would take them")
    sections: Annotated[list[Section], Field(min_length=1)] = [Section(name="News")]
    articles: ArticleRules = ArticleRules()
    ranking: Ranking = Ranking()
    fallback: Match | None = Field(None, description="What a section below its min, or an edition, may take as well")
    missed: Missed | None = None
    note: str = Field("", max_length=4000, description="The editor's note of every edition, in Markdown")
    promotions: list[Promotion] = []
    target: TargetText | None = Field(
        None,
        description="Only for these readers: tests of plan, tag, attribute.NAME, joined (before, after) and section "
        "chosen, with and, or, not and parentheses",
    )
    unless_sent: Literal["today"] | None = Field(
        None,
        description="today: without the stories that a reader had that day, on her own clock, in a newsletter that "
        "stands before this one in the file",
    )
    related: list[Name] = Field([], description="Newsletters to offer at the end")
    utm: bool | Utm = Field(
        False, description="Put campaign parameters on links to your own site: true, or those that differ by name"
    )
    approval: Approval = Approval()
    gates: Gates = Gates()
    size_budget: Annotated[int, Field(ge=20_000, le=10_000_000)] = Field(
        100_000, description="Bytes of decoded HTML; briefs beyond it give way to a link to the site"
    )
    clients: Annotated[list[ClientName], Field(min_length=1)] | dict[ClientName, Share] = Field(
        _CLIENTS,
        description="What its readers read mail with, as a list, or with the share of each: {gmail: 0.4}; lint warns "
        "of what these lack",
    )
    seeds: list[AddressText] = Field([], description="Subscribed addresses (staff, tests) that get each edition first")
    seed_wait: Duration = Field(
        timedelta(minutes=10), description="So long after its seeds the rest follows, unless one failed or was stopped"
    )
    failing: Failing = Failing()
    when_empty: Literal["skip", "send"] = "skip"
    nothing_chosen: Literal["skip", "lead"] = Field(
        "skip", description="What a reader gets whose sections hold nothing today: no mail, or the lead alone"
    )
    in_doubt: Literal["resend", "keep"] = "resend"
    retry_for: LongerThanZero | None = Field(
        None, description="How long a delivery is tried again; default: 8h, and 5m for the design `alert`"
    )
    subject: Annotated[str, Field(min_length=1)] = "{{ lead.headline }}"
    preheader: str = "{{ articles[1:4] | map(attribute='headline') | join(' · ') }}"

    @model_validator(mode="after")
    def _section_names_differ(self) -> Newsletter:
        names = [section.name.casefold() for section in self.sections]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sections are called '{name}'")
        return self

    @model_validator(mode="after")
    def _streams_have_its_sections(self) -> Newsletter:
        for stream, settings in self.streams.items():
            for section in settings.sections or ():
                if section.name not in self.section_names:
                    raise ValueError(f"the stream {stream} has a section '{section.name}', which the newsletter lacks")
        return self

    @cached_property
    def offered_streams(self) -> tuple[Stream, ...]:
        """The frequencies that a reader may have it at, each edition first."""
        return tuple(stream for stream in Stream if stream is Stream.EACH or stream.value in self.streams)

    def of(self, stream: Stream) -> Newsletter:
        """It as it is in one stream; in one that it does not have, and in each edition, as it is."""
        settings = next((one for name, one in self.streams.items() if name == stream), None)
        if settings is None:
            return self
        return self.model_copy(update=settings.over(stream, self.articles, self.ranking))

    @property
    def tried_for(self) -> timedelta:
        """How long a delivery is tried again: stale news is not sent, and an alert is stale soon."""
        if self.retry_for is not None:
            return self.retry_for
        return timedelta(minutes=5) if self.design == "alert" else timedelta(hours=8)

    @property
    def named_relays(self) -> tuple[str, ...]:
        """The relays it names itself; () where it names none."""
        return (self.relay,) if isinstance(self.relay, str) else tuple(dict.fromkeys(self.relay or ()))

    @cached_property
    def from_mailbox(self) -> Mailbox:
        return Mailbox.parse(self.from_)

    @cached_property
    def parsed_target(self) -> Target | None:
        return Target.parse(self.target) if self.target is not None else None

    @property
    def client_shares(self) -> dict[str, float | None]:
        """What its readers read mail with; the share of each, None where it is not given."""
        shares = self.clients if isinstance(self.clients, dict) else {}
        return {name: shares.get(name) for name in self.clients}

    @property
    def section_names(self) -> tuple[str, ...]:
        return tuple(section.name for section in self.sections)


class Schedules(Strict):
    """The whole of ``schedules.yaml``."""

    site: Site
    environment: Environment = Environment.PRODUCTION
    staging_recipients: list[AddressText] = Field(
        default=[], description="The only addresses that are mailed while environment is staging"
    )
    test_recipients: list[AddressText] = Field(
        default=[], description="Whom the preview may mail what it shows; in staging it is staging_recipients"
    )
    store: StoreUrl = Field(
        SecretStr("sqlite:///newsletter.db"),
        description='sqlite:///newsletter.db, beside this file, or postgresql://… (a password only as "${NAME}")',
        json_schema_extra={"default": "sqlite:///newsletter.db"},
    )
    media: FilePath = Field(Path("media"), description="Where our copies of pictures are kept")
    keep_deliveries: Duration = Field(
        timedelta(days=90),
        description="How long it is kept what each reader got, and her copy of it for the browser; 14d at least",
    )
    web: Web | None = None
    unsubscribe_mailbox: AddressText | None = Field(
        None,
        description="An address that takes mail for unsubscribe+ANYTHING@… as well, and that somebody reads: every "
        "mail then offers to unsubscribe by mail too",
    )
    system_mails: SystemMails = SystemMails()
    sign_up: SignUp = SignUp()
    relays: dict[Name, Relay] = {}
    domain_limits: dict[str, Annotated[int, Field(ge=1, le=10_000_000)]] = Field(
        {},
        description="Messages a minute to a group of domains (gmail, yahoo, outlook, apple …) or to a domain, through "
        "all relays together",
    )
    warm_up: dict[Domain, WarmUp] = Field({}, description="From domains that are new, and how much they send at first")
    dkim: dict[Domain, Dkim] = Field({}, description="Keys that sign the mails of a From domain, and of those below it")
    plans: dict[Name, list[Access]] = Field(
        default={"free": [Access.FREE, Access.METERED], "member": [Access.FREE, Access.METERED, Access.MEMBERS]},
        description="Which access each plan reads",
    )
    tags: list[Name] = Field([], description="What readers may be tagged with, for imports and targets: [founder]")
    attributes: list[Name] = Field([], description="What else is known of readers, for imports and targets: [city]")
    sources: dict[Name, Source] = {}
    newsletters: Annotated[dict[Name, Newsletter], Field(min_length=1)]

    @field_validator("keep_deliveries")
    @classmethod
    def _longer_than_mail_takes(cls, value: timedelta) -> timedelta:
        if value < _SHORTEST_LEDGER:
            raise ValueError("deliveries are kept for 14d at least: mail may be on its way for days, or be corrected")
        return value

    @field_validator("unsubscribe_mailbox")
    @classmethod
    def _token_has_room(cls, value: str | None) -> str | None:
        if value is not None and len(value.rpartition("@")[0]) > LONGEST_VERP_LOCAL:
            raise ValueError(f"the part before the @ has at most {LONGEST_VERP_LOCAL} characters")
        return value

    @field_validator("newsletters")
    @classmethod
    def _system_is_taken(cls, newsletters: dict[str, Newsletter]) -> dict[str, Newsletter]:
        if SYSTEM in newsletters:
            raise ValueError(f"'{SYSTEM}' is what confirmations and sign-in links are kept under; choose another name")
        return newsletters

    @field_validator("domain_limits")
    @classmethod
    def _groups_exist(cls, limits: dict[str, int]) -> dict[str, int]:
        named: dict[str, int] = {}
        for written, per_minute in limits.items():
            group = group_called(written)
            if group is None:
                raise ValueError(f"'{written}' is no group; write a domain, or {', '.join(sorted(NAMES))}")
            if group in named:
                raise ValueError(f"'{written}' belongs to {group}, which has a limit already")
            named[group] = per_minute
        return named
