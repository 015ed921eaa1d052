"""Templates under ``templates/web/`` and values, in the reader's language -> HTML responses; and the one stylesheet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from babel.dates import format_date
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from starlette.responses import HTMLResponse

from newsletter.config.reading import Configuration
from newsletter.model import Subscriber
from newsletter.render.catalogues import words_of
from newsletter.render.colour import PAPER, PAPER_DARK, readable
from newsletter.render.translating import EXTENSION, TRANSLATIONS, translate
from newsletter.render.words import Words, direction_of, fallbacks
from newsletter.store import Store

_NOT_IN_A_FONT_NAME = re.compile(r"[^\w \-]")


class Pages:
    """What every route needs: the configuration, the store, the clock, and how to make a page."""

    def __init__(self, configuration: Configuration, store: Store, clock: Callable[[], datetime]) -> None:
        self.configuration = configuration
        self.schedules = configuration.schedules
        self.store = store
        self.clock = clock
        web = self.schedules.web
        public = urlsplit(web.base if web is not None else "")
        self.https = public.scheme == "https"
        self.origin = f"{public.scheme}://{public.netloc}" if public.netloc else ""
        self.prefix = public.path.rstrip("/")
        self._loader = FileSystemLoader([folder / "web" for folder in configuration.template_folders])
        self._environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=lambda name: name is None or not name.endswith(".css"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[EXTENSION],
        )
        translate(self._environment)
        self._words: dict[str, Words] = {}
        self._environment.globals["prefix"] = self.prefix
        self._environment.globals["site"] = {
            "name": self.schedules.site.name,
            "url": str(self.schedules.site.url),
            "postal_address": self.schedules.site.postal_address,
        }
        self.stylesheet = self._stylesheet()
        version = hashlib.sha256(self.stylesheet.encode()).hexdigest()[:12]
        self._environment.globals["stylesheet"] = f"{self.prefix}/style.css?{version}"

    def words(self, reader: Subscriber | None = None, newsletter: str = "") -> Words:
        """The words of a page for ``reader``: in the language of her mail from ``newsletter``, or, where it concerns
        none, in hers if any newsletter speaks it; else the site's. All English where there is no catalogue.
        """
        wanted = reader.language if reader is not None else ""
        known = newsletter in self.schedules.newsletters
        configured = self.configuration
        language = configured.language_for(newsletter, wanted) if known else configured.site_language_for(wanted)
        return self._spoken_in(language)

    def _spoken_in(self, language: str) -> Words:
        if language not in self._words:
            found = words_of(self.configuration.template_folders, language)
            if found.spoken not in fallbacks(language):
                found = words_of(self.configuration.template_folders, found.spoken)
            self._words[language] = found
        return self._words[language]

    def page(self, words: Words, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """``template`` filled with ``values``, in the language of ``words``."""
        values |= {"language": words.language, "direction": direction_of(words.language), TRANSLATIONS: words}
        return HTMLResponse(self._environment.get_template(template).render(values), status)

    def wording(self, words: Words, template: str) -> str:
        """Which words a page had, for the consent ledger: ``preferences.html/de/3f2a9c1d``. The digest is of the
        template's source and of the language's catalogue, so it changes whenever anything that stands there may have.
        """
        source, _, _ = self._loader.get_source(self._environment, template)
        digest = hashlib.sha256(f"{source}\0{words.digest}".encode()).hexdigest()
        return f"{template}/{words.spoken}/{digest[:8]}"

    def text(self, words: Words, template: str, **values: Any) -> str:
        """``template``, which is no page (a drawn card), filled with ``values``."""
        values |= {"language": words.language, "direction": direction_of(words.language), TRANSLATIONS: words}
        return self._environment.get_template(template).render(values)

    def words_in(self, language: str) -> Words:
        """The words of a page that nobody in particular opens, in ``language`` if any newsletter speaks it."""
        return self._spoken_in(self.configuration.site_language_for(language))

    def notice(
        self, words: Words, heading: str, *paragraphs: str, status: int = 200, alert: bool = False
    ) -> HTMLResponse:
        """A page that only says something."""
        return self.page(words, "notice.html", status=status, heading=heading, paragraphs=paragraphs, alert=alert)

    def not_found(self) -> HTMLResponse:
        """The one answer to every link that is not, or not wholly, ours."""
        return self.page(self.words(), "not_found.html", status=404)

    @staticmethod
    def stopped_for_good(words: Words, address: str) -> str:
        """What is said to whom nothing may be sent any more."""
        return words.gettext(
            "Mail to %(address)s came back, or was stopped for good. Write to us if that is a mistake.",
            address=address,
        )

    def title(self, newsletter: str) -> str:
        """A newsletter's title; its name where it is not published any more."""
        known = self.schedules.newsletters.get(newsletter)
        return known.title if known is not None else newsletter

    def description(self, newsletter: str) -> str:
        """What a newsletter says about itself, '' where nothing."""
        known = self.schedules.newsletters.get(newsletter)
        return known.description if known is not None else ""

    def _stylesheet(self) -> str:
        theme = self.schedules.site.theme
        return self._environment.get_template("style.css").render(
            accent=readable(theme.accent, PAPER),
            accent_dark=readable(theme.accent, PAPER_DARK),
            headline_font=_font(theme.headline_font),
            text_font=_font(theme.text_font),
        )


def long_date(day: date, words: Words) -> str:
    """A date as ``words`` are spoken."""
    return format_date(day, "long", locale=words.locale)


def _font(name: str | None) -> str:
    """A font family as the beginning of a CSS list, '' for none."""
    return f'"{_NOT_IN_A_FONT_NAME.sub("", name)}", ' if name else ""
