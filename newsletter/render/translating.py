"""What templates translate with: ``{% trans %}``, ``_()``, ``ngettext()`` … in the language of what is being rendered.

One environment serves every language: these look up the ``translations`` (``Words``) of the context they are called in.
"""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from newsletter.errors import TemplateError
from newsletter.render.words import Words, filled, message_key

TRANSLATIONS = "translations"
EXTENSION = "jinja2.ext.i18n"


def translate(environment: Environment) -> None:
    """Make ``environment``, which has ``EXTENSION``, translate; white space in ``{% trans %}`` counts as one space."""
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals |= {
        "_": gettext,
        "gettext": gettext,
        "ngettext": ngettext,
        "pgettext": pgettext,
        "npgettext": npgettext,
    }
    environment.filters["decimal"] = decimal


def messages_in(environment: Environment, source: str) -> frozenset[str]:
    """The ``message_key`` of each message of a template's text."""
    keys = set()
    for _, function, found in environment.extract_translations(source):  # type: ignore[attr-defined]
        texts = [found] if isinstance(found, str) else list(found)
        context = texts.pop(0) if function in ("pgettext", "npgettext") else ""
        keys.add(message_key(texts[0], context))
    return frozenset(keys)


@pass_context
def gettext(context: Context, message: str, /, **values: object) -> str:
    return _filled(context, _words(context).text(message), values)


@pass_context
def ngettext(context: Context, singular: str, plural: str, number: int, /, **values: object) -> str:
    return _filled(context, _words(context).text(singular, plural, number), {"num": number, **values})


@pass_context
def pgettext(context: Context, about: str, message: str, /, **values: object) -> str:
    return _filled(context, _words(context).text(message, context=about), values)


@pass_context
def npgettext(context: Context, about: str, singular: str, plural: str, number: int, /, **values: object) -> str:
    return _filled(context, _words(context).text(singular, plural, number, context=about), {"num": number, **values})


@pass_context
def decimal(context: Context, value: Any) -> str:
    """A number as the language writes it."""
    return _words(context).number(value)


def _filled(context: Context, text: str, values: dict[str, object]) -> str:
    shown = _words(context).shown(values)
    if not context.eval_ctx.autoescape:
        return filled(text, shown)
    return Markup(filled(text, {name: escape(value) for name, value in shown.items()}))  # noqa: S704 - a template's text


def _words(context: Context) -> Words:
    found = context.get(TRANSLATIONS)
    if not isinstance(found, Words):
        raise TemplateError(
            "there is no language here to translate into",
            remedy="Import this template's macros `with context`, and set nothing called 'translations'",
        )
    return found
