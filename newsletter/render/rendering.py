"""An edition of the configured site -> its pieces: ``render_pieces`` with what ``schedules.yaml`` says filled in.

The one way in for sending, dry runs and preview, so that all of them make the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from newsletter.config.reading import Configuration
from newsletter.model import Article, Edition, Picture, RenderedKey
from newsletter.render.document import render_pieces
from newsletter.render.fitting import Fitted, Pieces, fitted
from newsletter.render.templates import Templates, unchanged_templates

LOCAL_WEB = "http://127.0.0.1:8025"


def web_base(configuration: Configuration) -> str:
    """Where links and pictures point, without a trailing slash; this machine where ``web`` is not configured."""
    return configuration.schedules.web.base if configuration.schedules.web is not None else LOCAL_WEB


def templates_of(configuration: Configuration) -> Templates:
    """The publisher's templates over the shipped ones: the same object until a file of theirs changes."""
    return unchanged_templates(tuple(configuration.template_folders))


def render_edition(
    configuration: Configuration,
    edition: Edition,
    articles: Mapping[int, Article],
    key: RenderedKey,
    templates: Templates,
    *,
    logo: Picture | None = None,
) -> dict[str, bytes]:
    """The pieces of ``edition`` for one rendered key. Up to 500 ms, so off the event loop; TemplateError."""
    schedules = configuration.schedules
    return render_pieces(
        edition,
        articles,
        configuration.of(edition),
        edition.newsletter,
        schedules.site,
        schedules.plans,
        key,
        web_base(configuration),
        templates,
        logo=logo,
        images={name: source.images for name, source in schedules.sources.items()},
        newsletters=schedules.newsletters,
    )


def render_fitted(
    configuration: Configuration,
    edition: Edition,
    articles: Mapping[int, Article],
    keys: Sequence[RenderedKey],
    templates: Templates,
    *,
    logo: Picture | None = None,
    there: Mapping[RenderedKey, Pieces] | None = None,
) -> Fitted:
    """``edition`` for all of ``keys``, within its newsletter's size budget: what a send would make of it, with what
    gave way. ``there`` are the pieces of keys that are rendered already. Off the event loop; TemplateError.
    """
    return fitted(
        edition,
        keys,
        configuration.of(edition),
        lambda one, key: render_edition(configuration, one, articles, key, templates, logo=logo),
        there=there,
    )
