"""Template folders -> the messages in them -> a catalogue that a translator can fill. For ``newsletter templates``.

The shipped English catalogue stands for all that is shipped, the words of the web pages' code included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import write_po
from jinja2 import TemplateSyntaxError

from newsletter.errors import TemplateError, UsageError
from newsletter.render.catalogues import DOMAIN, catalogue_path, read_catalogue, translations_in
from newsletter.render.words import fallbacks, locale_of, message_key

# As ``render.templates`` reads them, and as babel.cfg says it to pybabel.
_OPTIONS = dict.fromkeys(("trimmed", "newstyle_gettext", "trim_blocks", "lstrip_blocks"), "true") | {"silent": "false"}
_NOTES = ("L10N:",)


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of a catalogue: messages ``added`` now, and how many in it are still ``untranslated``."""

    path: Path
    added: int
    untranslated: int


def messages_in_folder(folder: Path) -> Catalog:
    """The messages of every ``.html`` and ``.txt`` below ``folder``. Raises TemplateError at ``file:line``."""
    catalogue = Catalog(project=DOMAIN)
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".txt"):
            _add(catalogue, str(path.relative_to(folder)), path.read_bytes(), str(path))
    return catalogue


def publishers_messages(folder: Path, shipped: Path, texts: Mapping[str, str]) -> Catalog:
    """All that a publisher may translate: what is shipped, her own templates in ``folder``, and the small ``texts`` of
    her newsletters, by where they stand. Raises TemplateError at ``file:line``.
    """
    own = messages_in_folder(folder) if folder.is_dir() else Catalog()
    for where, text in texts.items():
        _add(own, where, text.encode(), where)
    catalogue = Catalog(project=DOMAIN, fuzzy=False)
    for message in (*read_catalogue(catalogue_path(shipped, "en")), *own):
        if message.id:
            catalogue.add(
                message.id, locations=message.locations, auto_comments=message.auto_comments, context=message.context
            )
    return catalogue


def update(folder: Path, shipped: Path, language: str, messages: Catalog) -> Updated:
    """Write those of ``messages`` that the shipped words of ``language`` lack into the catalogue of ``folder``.

    What stands there already stays, also where no template prints it any more. Raises UsageError for a language that
    Babel does not know, TemplateError for a catalogue that cannot be read.
    """
    locale = locale_of(language)
    if locale.language != language.split("-")[0]:
        raise UsageError(f"'{language}' is not a known language", remedy="Write one like ta, en-IN or pt-BR")
    path = catalogue_path(folder, language)
    catalogue = read_catalogue(path) if path.is_file() else _new(language)
    there = {_key(message.id, message.context) for message in catalogue if message.id}
    there |= {key for tag in fallbacks(language) for key in _shipped(shipped, tag)}
    added = 0
    for message in messages:
        if message.id and _key(message.id, message.context) not in there:
            catalogue.add(
                message.id, locations=message.locations, auto_comments=message.auto_comments, context=message.context
            )
            added += 1
    if added:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_po(catalogue))
    untranslated = sum(message.fuzzy or not _is_whole(message.string or "") for message in catalogue if message.id)
    return Updated(path, added, untranslated)


def as_po(catalogue: Catalog) -> bytes:
    """The text of a ``.po`` or ``.pot`` file, UTF-8."""
    written = BytesIO()
    write_po(written, catalogue, width=0, include_lineno=False)
    return written.getvalue()


def _add(catalogue: Catalog, name: str, source: bytes, where: str) -> None:
    for line, message, comments, context in _extracted(source, where):
        catalogue.add(message, locations=[(name, line)], auto_comments=comments, context=context)


def _extracted(source: bytes, where: str) -> Iterator[tuple[int, str | tuple[str, ...], list[str], str | None]]:
    try:
        yield from extract("jinja2", BytesIO(source), DEFAULT_KEYWORDS, _NOTES, _OPTIONS)
    except TemplateSyntaxError as error:
        raise TemplateError(
            f"the template cannot be read: {error.message}", where=f"{where}:{error.lineno}", remedy="Correct this line"
        ) from None
    except UnicodeDecodeError:
        raise TemplateError("the template is not UTF-8", where=where, remedy="Save it as UTF-8") from None


def _new(language: str) -> Catalog:
    name = locale_of(language).get_display_name("en")
    return Catalog(
        locale=str(locale_of(language)),
        domain=DOMAIN,
        project=DOMAIN,
        header_comment=f"# The words of newsletters in {name}. Used as it is: see docs/translating.md.",
        fuzzy=False,
    )


def _shipped(folder: Path, language: str) -> Iterable[str]:
    path = catalogue_path(folder, language)
    return translations_in(path) if path.is_file() else ()


def _key(message: str | Sequence[str], context: str | None) -> str:
    return message_key(message if isinstance(message, str) else message[0], context or "")


def _is_whole(forms: str | Sequence[str]) -> bool:
    return bool(forms) and all(forms)
