"""A scenario -> the pool of an edition, as if a newsroom had published its stories just now. Reads no store.

Every story stands in it: what is shown is what a design does with them, so neither ranking nor a maximum decides.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from PIL import Image, UnidentifiedImageError

from newsletter.compose.explaining import Explanation, in_words
from newsletter.config.faults import suggestion
from newsletter.config.reading import Configuration
from newsletter.errors import UsageError
from newsletter.model import (
    Article,
    Edition,
    EditionSection,
    Occurrence,
    Picture,
    Reason,
    RevisionKind,
    StreamName,
)
from newsletter.preview.scenarios import SampleStory, Scenario, picture_file

_LOREM = "Here stands the text of the story, so many words long that its reading time is as the scenario has it."


def sample_edition(
    configuration: Configuration, of: StreamName, scenario: Scenario, now: datetime
) -> tuple[Edition, dict[int, Article], tuple[Explanation, ...]]:
    """The edition of a scenario, its articles by id, and why each is in it, or not.

    Raises UsageError for a section or a picture that there is not.
    """
    newsletter = configuration.named(of)
    language = scenario.language or configuration.language(of.newsletter)
    names = newsletter.section_names
    sections: dict[str, list[int]] = {name: [] for name in names}
    articles: dict[int, Article] = {}
    why: list[Explanation] = []
    for number, story in enumerate(_told(scenario), start=1):
        section = _section(story, names, len(articles))
        articles[number] = _article(configuration, story, number, section, language, now)
        gone = story.kind == "retraction"
        reason = Reason.RETRACTED if gone else Reason.CHOSEN
        if not gone:
            sections[section].append(number)
        position = 0 if gone else len(sections[section])
        why.append(Explanation("", number, story.headline, section, position, reason, "", in_words(reason)))
    zone = ZoneInfo(configuration.zone(*of))
    edition = Edition(
        of.newsletter,
        of.stream,
        Occurrence(now.astimezone(zone).date(), 1),
        "",
        now,
        tuple(EditionSection(name, tuple(found)) for name, found in sections.items() if found),
    )
    return edition, articles, tuple(why)


def _told(scenario: Scenario) -> Iterator[SampleStory]:
    stories = scenario.stories
    yield from stories
    for number in range(len(stories), scenario.repeat if stories else 0):
        story = stories[number % len(stories)]
        yield story.model_copy(update={"headline": f"{story.headline} ({number + 1})", "url": None})


def _section(story: SampleStory, names: Sequence[str], number: int) -> str:
    if story.section is None:
        return names[number % len(names)]
    found = next((name for name in names if name.casefold() == (story.section or "").casefold()), None)
    if found is None:
        raise UsageError(
            f"this newsletter has no section '{story.section}'",
            where=story.headline,
            remedy=suggestion(story.section, names),
        )
    return found


def _article(
    configuration: Configuration, story: SampleStory, number: int, section: str, language: str, now: datetime
) -> Article:
    site = str(configuration.schedules.site.url).rstrip("/")
    body = story.body or " ".join((_LOREM.split() * (story.words // 20 + 1))[: story.words])
    published = now - story.published
    return Article(
        id=number,
        source="scenario",
        url=story.url or f"{site}/sample/{number}",
        guid=f"scenario-{number}",
        headline=story.headline,
        standfirst=story.standfirst,
        authors=tuple(story.authors),
        dateline="",
        section=section,
        tags=(),
        language=story.language or language,
        published_at=published,
        updated_at=published,
        first_seen_at=published,
        images=_pictures(configuration, story),
        body_html=f"<p>{html.escape(body)}</p>",
        body_text=body,
        access=story.access,
        revision_kind=RevisionKind(story.kind),
        retracted_at=now if story.kind == "retraction" else None,
    )


def _pictures(configuration: Configuration, story: SampleStory) -> tuple[Picture, ...]:
    if story.picture is None:
        return ()
    wanted = story.picture
    path = picture_file(configuration, wanted.file)
    if path is None:
        raise UsageError(
            f"there is no picture '{wanted.file}'",
            where=story.headline,
            remedy="Put it into previews/, or name sample-harbour.jpg or sample-lighthouse.jpg",
        )
    width, height = _size(path)
    return (
        Picture(
            path.as_uri(), wanted.caption, wanted.credit, wanted.alt, media=wanted.file, width=width, height=height
        ),
    )


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, UnidentifiedImageError):
        raise UsageError("this is not a picture", where=str(path), remedy="Give a PNG or JPEG file") from None
