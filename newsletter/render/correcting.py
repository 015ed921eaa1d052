"""A correction's document: the pieces of what it corrects + a note -> its own pieces, of one rendered key.

It has a frame and a note, no stories; but its subject, and the line that names what it corrects, are those that each
reader had: so its manifest keeps the stories of the edition as they were sent, which those small texts read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.config.models import Newsletter, Site
from newsletter.errors import UsageError
from newsletter.model import Occurrence, Picture, RenderedKey
from newsletter.render import facts
from newsletter.render.blocks import Blocks, NoteView, foreign_to
from newsletter.render.campaigns import campaign_of
from newsletter.render.document import strings_in, unused_nonce
from newsletter.render.filters import shorten
from newsletter.render.markdown import prose
from newsletter.render.pool import MANIFEST, NOTE, PREHEADER, SUBJECT, Pool
from newsletter.render.templates import Templates, compile_text, messages_of
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.whole import Whole
from newsletter.render.words import direction_of, locale_of

DESIGN = "correction"
CORRECTED = "corrected"
"""The place where a correction's template prints the subject of what it corrects, as this reader had it."""
_PREHEADER_LENGTH = 120


def correction_pieces(
    corrected: Mapping[str, bytes],
    occurrence: Occurrence,
    newsletter: Newsletter,
    newsletter_name: str,
    site: Site,
    key: RenderedKey,
    web_base: str,
    templates: Templates,
    *,
    note: str,
    subject: str | None = None,
    logo: Picture | None = None,
) -> dict[str, bytes]:
    """The pieces of a correction for ``key``, from those of an edition of ``occurrence`` that were ``corrected``.

    ``note`` is Markdown; ``subject`` stands in place of "Correction: " and the edition's own. Takes up to 100 ms: off
    the event loop. Raises TemplateError at ``file:line``, and UsageError for a note that says nothing.
    """
    said = prose(note)
    if not said:
        raise UsageError("the note says nothing", where="--note", remedy="Write what was wrong and what is right")
    web_base = web_base.rstrip("/")
    manifest: dict[str, Any] = json.loads(corrected[MANIFEST])
    own_language = newsletter.language or site.language
    language = key.language or own_language
    words = templates.words(language)
    before, where = manifest["texts"][SUBJECT]
    mark = words.gettext("Correction:")
    texts = {
        SUBJECT: (f"{_literal(mark)} {before}", where) if subject is None else (subject, "--subject"),
        PREHEADER: (_literal(shorten(" ".join(said.text.split()), _PREHEADER_LENGTH)), "--note"),
        CORRECTED: (before, where),
    }
    for source, at in texts.values():
        compile_text(source, at)
    edition = manifest["edition"]
    blocks = Blocks(note=NoteView(said.html, said.text, *foreign_to(own_language, language)))
    shared: dict[str, Any] = {
        "edition": facts.EditionView(**{**edition, "date": date.fromisoformat(edition["date"])}),
        "newsletter": facts.newsletter_view(newsletter_name, newsletter),
        "site": facts.site_view(site, facts.picture_view(logo, web_base) if logo else None),
        "key": facts.KeyView(language, key.plan),
        TRANSLATIONS: words,
        "locale": locale_of(language),
        "zone": ZoneInfo(newsletter.schedule.timezone or site.timezone),
        "direction": direction_of(language),
        "note": blocks.note,
        "related": (),
    }
    campaign = campaign_of(newsletter, newsletter_name, str(occurrence), str(site.url), web_base)
    printed = [asdict(shared["site"]), asdict(blocks), campaign.parameters]
    pieces: dict[str, bytes] = {}
    for suffix in ("html", "txt"):
        pieces |= Whole(
            templates=templates,
            design=DESIGN,
            suffix=suffix,
            pool=Pool((), "none"),
            blocks=blocks,
            shared=shared,
            texts=frozenset(texts),
            nonce=unused_nonce(list(strings_in(printed))),
            campaign=campaign,
            file=DESIGN,
            needs=NOTE,
        ).pieces()
    manifest |= {
        "newsletter": asdict(shared["newsletter"]),
        "site": asdict(shared["site"]),
        "key": asdict(shared["key"]),
        "words": words.only(message for source, _ in texts.values() for message in messages_of(source)).as_json(),
        "texts": {name: list(source) for name, source in texts.items()},
        # A reader for whom a renamed section leaves no story has got the edition all the same.
        "says_nothing": True,
        "subject_without_stories": f"{mark} {newsletter.title}" if subject is None else subject,
    }
    pieces[MANIFEST] = json.dumps(manifest, ensure_ascii=False, sort_keys=True).encode("utf-8")
    return pieces


def check_corrections(templates: Templates) -> None:
    """Refuse templates of corrections that cannot be used. Raises TemplateError at ``file:line``."""
    templates.check(DESIGN, (DESIGN,))


def _literal(text: str) -> str:
    """A small text that prints just this."""
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}"
