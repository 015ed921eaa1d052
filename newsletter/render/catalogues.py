"""A ``.po`` file -> its translations, checked: a translator's slip is an error at ``file:line``, not in a mail.

Read as they are, so that a translator sees her words at the next preview; there is no step to compile them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import PoFileError, read_po

from newsletter.errors import TemplateError
from newsletter.render.words import Translation, Words, fallbacks, message_key, values_in

DOMAIN = "newsletter"


def catalogue_path(folder: Path, language: str) -> Path:
    """Where a template folder keeps its words of ``language`` (a BCP 47 tag; the folder is named as gettext has it)."""
    return folder / "locale" / language.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.po"


def words_of(folders: Sequence[Path], language: str) -> Words:
    """The words of ``language``, message by message from the first of ``folders`` that has one; then the more general
    language's (``pt`` for ``pt-BR``); what is left stays English. Raises TemplateError at ``file:line``.
    """
    translations: dict[str, Translation] = {}
    spoken = ""
    for tag in (*fallbacks(language), "en"):
        for folder in folders:
            path = catalogue_path(folder, tag)
            if path.is_file():
                spoken = spoken or tag
                translations = {**translations_in(path), **translations}
    return Words(language, translations, spoken=spoken or "en")


def has_words(folders: Sequence[Path], language: str) -> bool:
    """Whether there is a catalogue of ``language``, or of a more general one."""
    return any(catalogue_path(folder, tag).is_file() for tag in fallbacks(language) for folder in folders)


def translations_in(path: Path) -> Mapping[str, Translation]:
    """What a catalogue translates, by ``message_key``: neither fuzzy nor empty messages. Raises TemplateError."""
    known = path.stat()
    return _translations(path, known.st_mtime_ns, known.st_size)


def read_catalogue(path: Path) -> Catalog:
    """The catalogue of a ``.po`` file. Raises TemplateError at ``file:line``."""
    try:
        with path.open("rb") as file:
            return read_po(file, locale=path.parent.parent.name, domain=DOMAIN, abort_invalid=True)
    except PoFileError as error:
        raise TemplateError(
            f"the catalogue cannot be read: {error}", where=f"{path}:{error.lineno}", remedy="Correct this line"
        ) from None
    except UnicodeDecodeError:
        raise TemplateError("the catalogue is not UTF-8", where=str(path), remedy="Save it as UTF-8") from None
    except ValueError as error:
        raise TemplateError(
            f"the catalogue cannot be read: {error}",
            where=str(path),
            remedy="Name its folder after a language, as in locale/pt_BR, and copy its header from a shipped catalogue",
        ) from None


@lru_cache(maxsize=64)
def _translations(path: Path, mtime_ns: int, size: int) -> Mapping[str, Translation]:
    catalogue = read_catalogue(path)
    found = {}
    for message in catalogue:
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))
        if not message.id or message.fuzzy or not all(forms):
            continue
        _check(path, message, forms)
        singular = message.id if isinstance(message.id, str) else message.id[0]
        plural = catalogue.plural_expr if message.pluralizable else ""
        found[message_key(singular, message.context or "")] = Translation(forms, plural)
    return found


def _check(path: Path, message: Message, forms: Sequence[str]) -> None:
    """Refuse forms that do not fill in as their message does: a form of a plural may leave out values, none add one."""
    ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    where = f"{path}:{message.lineno}"
    try:
        wanted = frozenset[str]().union(*(values_in(text) for text in ids))
        for form in forms:
            found = values_in(form)
            if found - wanted or (wanted - found and not message.pluralizable):
                odd = ", ".join(f"%({name})s" for name in sorted(found ^ wanted))
                raise TemplateError(
                    f"the translation of '{ids[0]}' does not have the values of its message: {odd}",
                    where=where,
                    remedy="Write each %(value)s as the message does",
                )
    except ValueError as error:
        raise TemplateError(
            f"a value of '{ids[0]}' cannot be read: {error}", where=where, remedy="Write each as the message does"
        ) from None
