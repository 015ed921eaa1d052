"""Slots: what a template prints per subscriber without knowing her. And places, where stories and small texts go.

A template writes ``{{ slot.first_name(default="reader") }}``. While Jinja2 and premailer run, it stands there as an
opaque ASCII token; the document is then cut at the tokens. ``check`` reads a template's syntax tree and refuses every
use of a slot but printing it, alone or as a value of a translated sentence, in branches not taken too; ``SlotPrinter``
refuses at run time what the tree cannot show. ``{{ place('lead') }}`` is such a token too, printed alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from jinja2 import nodes

from newsletter.errors import TemplateError
from newsletter.render.contexts import Printed, refuse_context
from newsletter.render.encoding import Slot


class SlotKind(StrEnum):
    """Text may stand in text, in quoted attributes and in the subject; a URL in ``href`` and in text."""

    TEXT = "text"
    URL = "url"


SLOTS: Mapping[str, SlotKind] = {
    "first_name": SlotKind.TEXT,
    "last_name": SlotKind.TEXT,
    "address": SlotKind.TEXT,
    "unsubscribe_url": SlotKind.URL,
    "preferences_url": SlotKind.URL,
    "browser_url": SlotKind.URL,
    "action_url": SlotKind.URL,  # of a system mail alone: what its one button does
    "subscribe_url": SlotKind.URL,
}
SUBSCRIBE = "subscribe_url"
"""The one slot that says of what: ``slot.subscribe_url(newsletter=one.name)`` is named ``subscribe_url/weekend``."""


def kind_of(name: str) -> SlotKind | None:
    """The kind of a printed slot, by its name; None where there is no such."""
    return SLOTS.get(name.partition("/")[0])


_TRANSLATING = frozenset({"_", "gettext", "ngettext", "pgettext", "npgettext"})
# {% trans a=slot.first_name() %} is to Jinja {% set _trans = slot.first_name() %} and then the sentence, with a=_trans.
_HELD = "_trans"
_PRINT_ALONE = "Print it alone, as in {{ slot.first_name(default='reader') }}"
_PLACE_ALONE = "Print it alone, as in {{ place('summary') }}: what comes there is known when the mails are joined"
_BRANCH_ELSEWHERE = (
    "Branch on key.language or key.plan, which are known when the mail is rendered, or give the slot a default"
)


class SlotPrinter:
    """The ``slot`` that templates see: each print mints a token that must come out once."""

    def __init__(self, mint: Callable[[str, int], str]) -> None:
        self._mint = mint
        self._printed: list[tuple[Slot, str]] = []

    def __getattr__(self, name: str) -> Callable[..., str]:
        if name not in SLOTS:
            raise AttributeError(name)

        def print_slot(default: str | None = None, at: str = "", newsletter: str = "") -> str:
            self._printed.append((Slot(f"{name}/{newsletter}" if newsletter else name, default), at))
            return self._mint("s", len(self._printed) - 1)

        return print_slot

    def printed(self) -> list[tuple[Slot, str]]:
        """Each slot printed so far with its ``file:line``; the position is the number in its token."""
        return self._printed


def check(tree: nodes.Template, filename: str, *, is_html: bool) -> None:
    """Refuse a template that does anything with a slot or place but print it; then tell each print its ``file:line``.

    Raises TemplateError, whose ``where`` is ``file:line`` and whose ``remedy`` names the alternative.
    """
    _Checker(filename, is_html=is_html).visit(tree, "")


def check_document(document: str, token: re.Pattern[str], printed: list[tuple[Slot, str]]) -> None:
    """Refuse a rendered HTML document in which a slot's token was lost, doubled, or stands where it must not.

    ``token`` matches a slot's token, its first group being its number. Raises TemplateError.
    """
    seen: dict[int, int] = {}
    for match in token.finditer(document):
        number = int(match[1])
        seen[number] = match.start()
        slot, at = printed[number]
        _refuse_context(slot.name, document[: match.start()], at)
    check_complete(document, token, printed)


def check_complete(document: str, token: re.Pattern[str], printed: list[tuple[Slot, str]]) -> None:
    """Refuse a document in which a printed slot does not come out exactly once. Raises TemplateError."""
    numbers = [int(match[1]) for match in token.finditer(document)]
    for number, (slot, at) in enumerate(printed):
        if numbers.count(number) != 1:
            raise TemplateError(
                f"what slot.{slot.name} printed was changed before it came out", where=at, remedy=_PRINT_ALONE
            )


class _Checker:
    def __init__(self, filename: str, *, is_html: bool) -> None:
        self.filename = filename
        self.is_html = is_html
        self.before = ""
        self.held: nodes.Call | None = None
        """The slot that was put aside for the sentence that follows: see ``_HELD``."""

    def visit(self, node: nodes.Node, inside: str) -> None:
        """``inside`` says in words which construct around us would change or keep what is printed."""
        if isinstance(node, nodes.Output):
            for printed in node.nodes:
                if isinstance(printed, nodes.TemplateData):
                    self.before += printed.data
                    continue
                if isinstance(printed, nodes.Call) and _is_slot(printed.node):
                    self.print_slot(printed, inside, "")
                elif isinstance(printed, nodes.Call) and _is_place(printed.node):
                    self.print_place(printed, inside)
                elif isinstance(printed, nodes.Call) and _is_translation(printed.node):
                    self.translate(printed, inside)
                else:
                    self.visit(printed, inside)
                self.before += "x"
            return
        if isinstance(node, nodes.Call) and _is_slot(node.node):
            raise self.error(node, *_misuse(inside, "load"))
        if isinstance(node, nodes.Assign) and _is_held(node.target):
            is_slot = isinstance(node.node, nodes.Call) and _is_slot(node.node.node)
            self.held = node.node if isinstance(node.node, nodes.Call) and is_slot else None
            if not is_slot:
                self.visit(node.node, "a set")
            return
        if isinstance(node, nodes.If):
            self.visit(node.test, "a branch")
            for child in (*node.body, *node.elif_, *node.else_):
                self.visit(child, inside)
            return
        if _is_held(node):
            raise self.error(node, f"'{_HELD}' is a name that {{% trans %}} uses", "Choose another name")
        if isinstance(node, nodes.Name) and node.name == "slot":
            raise self.error(node, *_misuse(inside, node.ctx))
        if isinstance(node, nodes.Call) and _is_place(node.node):
            raise self.error(node, *_misused_place(inside, "load"))
        if isinstance(node, nodes.Name) and node.name == "place":
            raise self.error(node, *_misused_place(inside, node.ctx))
        for name, owners in (("slot", "slots"), ("place", "places")):
            if name in _names_bound(node):
                raise self.error(node, f"'{name}' is the name of the {owners}", "Choose another name")
        around = _around(node) or inside
        for child in node.iter_child_nodes():
            self.visit(child, around)

    def translate(self, call: nodes.Call, inside: str) -> None:
        """A sentence that is translated may print slots as its values; nothing else of it may touch one."""
        messages = [one.value for one in call.args if isinstance(one, nodes.Const) and isinstance(one.value, str)]
        for argument in call.args:
            if not _is_held(argument):
                self.visit(argument, "the arguments of a call")
            elif self.held is not None:
                raise self.error(self.held, *_misuse("a branch", "load"))
        for pair in call.kwargs:
            value = self.held if _is_held(pair.value) else pair.value
            if isinstance(value, nodes.Call) and _is_slot(value.node):
                value_here = f"%({pair.key})s"
                self.print_slot(value, inside, *(text.split(value_here)[0] for text in messages if value_here in text))
            elif value is not None:
                self.visit(value, "the arguments of a call")
        self.held = None
        for further in (call.dyn_args, call.dyn_kwargs):
            if further is not None:
                self.visit(further, "the arguments of a call")

    def print_slot(self, call: nodes.Call, inside: str, *sentences: str) -> None:
        """Check a slot, and tell its call where it stands. ``sentences`` is what of its sentence comes before it, in
        singular and plural: '' where it stands alone, nothing where the sentence does not print it."""
        assert isinstance(call.node, (nodes.Getattr, nodes.Getitem))
        if isinstance(call.node, nodes.Getitem):
            raise self.error(call, "a slot is written slot.name()", _PRINT_ALONE)
        name = call.node.attr
        if name not in SLOTS:
            raise self.error(call, f"there is no slot '{name}'", f"The slots are {', '.join(SLOTS)}")
        if not sentences:
            raise self.error(
                call, f"the sentence that is given slot.{name} does not print it", "Print it, or leave it out"
            )
        if inside in _CAPTURING:
            raise self.error(call, f"slot.{name} is printed inside {inside}", _CAPTURING[inside])
        if name == SUBSCRIBE:
            self.print_offer(call)
        elif call.args or call.dyn_args or call.dyn_kwargs or any(pair.key != "default" for pair in call.kwargs):
            raise self.error(call, f"slot.{name} takes nothing but default='…'", _PRINT_ALONE)
        for pair in () if name == SUBSCRIBE else call.kwargs:
            if not (isinstance(pair.value, nodes.Const) and isinstance(pair.value.value, str)):
                raise self.error(call, f"the default of slot.{name} is not a text in quotes", _PRINT_ALONE)
            if SLOTS[name] is SlotKind.URL:
                raise self.error(call, f"slot.{name} has no default: every subscriber has one", "Leave default out")
        if self.is_html:
            for sentence in sentences:
                _refuse_context(name, self.before + sentence, f"{self.filename}:{call.lineno}")
        self.tell(call)

    def print_offer(self, call: nodes.Call) -> None:
        """Check the link to one more newsletter: it says which."""
        if call.args or call.dyn_args or call.dyn_kwargs or [pair.key for pair in call.kwargs] != ["newsletter"]:
            raise self.error(
                call,
                f"slot.{SUBSCRIBE} takes newsletter=…, and nothing else",
                "Write newsletter=one.name, of `related`",
            )
        self.visit(call.kwargs[0].value, "the arguments of a call")

    def print_place(self, call: nodes.Call, inside: str) -> None:
        """Check a place, and tell its call where it stands."""
        if call.kwargs or call.dyn_args or call.dyn_kwargs or len(call.args) != 1:
            raise self.error(call, "place() takes one name", _PLACE_ALONE)
        if not (isinstance(call.args[0], nodes.Const) and isinstance(call.args[0].value, str)):
            raise self.error(call, "the name of a place is not a text in quotes", _PLACE_ALONE)
        if inside in _CAPTURING:
            raise self.error(call, f"place('{call.args[0].value}') is printed inside {inside}", _PLACE_ALONE)
        self.tell(call)

    def tell(self, call: nodes.Call) -> None:
        """Tell a call its ``file:line``."""
        at = nodes.Const(f"{self.filename}:{call.lineno}")
        at.lineno = call.lineno
        pair = nodes.Keyword("at", at)
        pair.lineno = call.lineno
        call.kwargs.append(pair)

    def error(self, node: nodes.Node, what: str, remedy: str) -> TemplateError:
        return TemplateError(what, where=f"{self.filename}:{node.lineno}", remedy=remedy)


_CAPTURING = {
    "a filter": _PRINT_ALONE,
    "a set block": _PRINT_ALONE,
    "a macro": "What a macro prints can be changed afterwards; put the slot into a template and {% include %} it",
    "a call block": "Print the slot outside {% call %}",
}


def _around(node: nodes.Node) -> str:
    match node:
        case nodes.Filter() | nodes.FilterBlock():
            return "a filter"
        case nodes.Test():
            return "a test"
        case nodes.Compare():
            return "a comparison"
        case nodes.AssignBlock():
            return "a set block"
        case nodes.Assign():
            return "a set"
        case nodes.Concat() | nodes.BinExpr():
            return "a concatenation"
        case nodes.Macro():
            return "a macro"
        case nodes.CallBlock():
            return "a call block"
        case nodes.CondExpr():
            return "an inline if"
        case nodes.Call():
            return "the arguments of a call"
        case _:
            return ""


def _misuse(inside: str, context: str) -> tuple[str, str]:
    if context != "load":
        return "'slot' is the name of the slots", "Choose another name"
    if inside in ("a branch", "a test", "a comparison", "an inline if"):
        return f"a template branches on a slot, in {inside}", f"{_BRANCH_ELSEWHERE}. {_PRINT_ALONE}"
    return f"a slot is used in {inside or 'something else than printing it'}", _CAPTURING.get(inside, _PRINT_ALONE)


def _misused_place(inside: str, context: str) -> tuple[str, str]:
    if context != "load":
        return "'place' is the name of the places", "Choose another name"
    if inside in ("a branch", "a test", "a comparison", "an inline if"):
        return f"a template branches on a place, in {inside}", _PLACE_ALONE
    return f"a place is used in {inside or 'something else than printing it'}", _PLACE_ALONE


def _is_place(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "place"


def _is_slot(node: nodes.Node) -> bool:
    return (
        isinstance(node, (nodes.Getattr, nodes.Getitem))
        and isinstance(node.node, nodes.Name)
        and node.node.name == "slot"
    )


def _is_translation(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name in _TRANSLATING


def _is_held(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == _HELD


def _names_bound(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Import):
        yield node.target
    elif isinstance(node, nodes.Macro):
        yield node.name
    elif isinstance(node, nodes.FromImport):
        for name in node.names:
            yield name[1] if isinstance(name, tuple) else name


def _refuse_context(name: str, before: str, at: str) -> None:
    """Raise TemplateError unless a slot may stand after the HTML ``before``."""
    urls = ", ".join(slot for slot, kind in SLOTS.items() if kind is SlotKind.URL)
    kind = kind_of(name)
    assert kind is not None
    refuse_context(f"slot.{name.partition('/')[0]}", Printed(kind), before, at, urls=urls)
