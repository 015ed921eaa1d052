"""Template folders -> checked, sandboxed Jinja2 templates whose errors name the file and the line.

The user's folders come first, the shipped one last: a publisher overrides file by file. A design is a folder; what it
lacks is taken from ``shared/``. Every template is checked for misused slots as it is loaded, and ``check`` loads all
that a design can reach, so that a fault in a branch not taken is found too.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
    meta,
    nodes,
)
from jinja2 import TemplateError as JinjaError
from jinja2.environment import TemplateModule
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

import newsletter
from newsletter.errors import TemplateError
from newsletter.render import slots, stylesheets, translating
from newsletter.render.catalogues import words_of
from newsletter.render.facts import Story
from newsletter.render.filters import FILTERS
from newsletter.render.tracing import Tracing
from newsletter.render.words import Words

SHARED = "shared"
PIECE_FILES = ("section", "lead", "card", "brief", "nothing", "note", "promotion", "missed", "more", "related")
_NOT_THE_SAME_TWICE = ("random", "lipsum")
_LESS = "Make less of it"
_LONGEST = 1_000_000
_HIGHEST_POWER = 100
# What these give a template is plain text, numbers and times, or prints.
_OPEN: Mapping[type, frozenset[str]] = {Story: frozenset(Story.__slots__), slots.SlotPrinter: frozenset(slots.SLOTS)}


def shipped_templates() -> Path:
    """The folder of templates that came with this package: in a wheel, or beside it in the repository."""
    package = Path(newsletter.__file__).parent
    shipped = package / "shipped" / "templates"
    return shipped if shipped.is_dir() else package.parent / "templates"


class Templates:
    """The templates of ``folders`` (first wins), then the shipped ones.

    ``traced``: what they render carries the marks of ``render.tracing``, for the lint's eyes only. ``inlines`` False
    leaves the styles in their block, to be compared with what premailer makes of them. ``unchanging``: the files stay
    as they are while this is used, so that nothing is checked twice.
    """

    def __init__(
        self, folders: Sequence[Path] = (), *, traced: bool = False, inlines: bool = True, unchanging: bool = False
    ) -> None:
        self.inlines = inlines
        self._unchanging = unchanging
        self._checked: set[tuple[str, tuple[str, ...]]] = set()
        self._files: dict[tuple[str, str], Template] = {}
        shipped = shipped_templates()
        self.folders = (*(folder for folder in folders if folder != shipped), shipped)
        self._environment = _Environment(self.folders, traced=traced, unchanging=unchanging)

    def designs(self) -> tuple[str, ...]:
        """The names of all designs: folders with an ``edition.html``."""
        found = {path.parent.name for folder in self.folders for path in folder.glob("*/edition.html")}
        return tuple(sorted(found - {SHARED}))

    def file(self, design: str, name: str) -> Template:
        """``design/name``, else ``shared/name``. Raises TemplateError."""
        if (known := self._files.get((design, name))) is not None:
            return known
        found = self._found(design, name)
        if self._unchanging:
            self._files[design, name] = found
        return found

    def _found(self, design: str, name: str) -> Template:
        for folder in (design, SHARED):
            with translated(f"{folder}/{name}"):
                try:
                    return self._environment.get_template(f"{folder}/{name}")
                except TemplateNotFound as error:
                    if error.name != f"{folder}/{name}":
                        raise
        raise TemplateError(
            f"the design '{design}' has no {name}",
            where=str(self.folders[0] / design),
            remedy=f"The designs are {', '.join(self.designs())}",
        )

    def has(self, design: str, name: str) -> bool:
        """Whether the design, or ``shared``, has the file."""
        return any((folder / part / name).is_file() for folder in self.folders for part in (design, SHARED))

    def source(self, design: str, name: str) -> tuple[str, str]:
        """The text of a file and its path. Raises TemplateError."""
        path = Path(self.file(design, name).filename or name)
        return path.read_text(encoding="utf-8"), _shown(path)

    def place(self, mark: int) -> str:
        """``file:line`` of a mark that traced templates printed; '' for one they did not."""
        places: list[str] = getattr(self._environment, "places", [])
        if not 0 <= mark < len(places):
            return ""
        file, _, line = places[mark].rpartition(":")
        return f"{_shown(file)}:{line}"

    def words(self, language: str) -> Words:
        """The words of ``language``, from the ``locale/`` of these folders. Raises TemplateError at ``file:line``."""
        return words_of(self.folders, language)

    def check(self, design: str, parts: Sequence[str] = ("edition", *PIECE_FILES)) -> None:
        """Load and check every template that ``parts`` of ``design`` can reach, and its stylesheets.

        Raises TemplateError.
        """
        asked = (design, tuple(parts))
        if asked in self._checked:
            return
        for suffix in ("html", "txt"):
            reached = [self.file(design, f"{part}.{suffix}") for part in parts]
            seen: set[str] = set()
            where: dict[str, str] = {}
            waiting = [template.name for template in reached if template.name]
            while waiting:
                name = waiting.pop()
                if name in seen:
                    continue
                seen.add(name)
                with translated(where.get(name, name)):
                    template = self._environment.get_template(name)
                    source, _, _ = self._environment.loader_source(name)
                if suffix == "html":
                    stylesheets.check(source, _shown(template.filename or name), self._environment.loader_source)
                for reference, line in self._environment.references.get(name, ()):
                    waiting.append(reference)
                    where.setdefault(reference, line)
        for name in ("summary.txt", "contents.txt"):
            if self.has(design, name):
                compile_text(*self.source(design, name))
        if self._unchanging:
            self._checked.add(asked)


def unchanged_templates(folders: tuple[Path, ...]) -> Templates:
    """The templates of ``folders``, read, compiled and checked once for as long as no file in them, or of the shipped
    ones, changes, comes or goes."""
    files = (file for folder in (*folders, shipped_templates()) for file in _in(folder))
    return _unchanged(folders, tuple(sorted(files)))


def _in(folder: Path | str) -> Iterator[tuple[str, int, int, int]]:
    """Every file in a folder, and what tells it from the one that was there before."""
    with suppress(OSError), os.scandir(folder) as entries:  # gone as we look: another file than before, too
        for entry in entries:
            if entry.is_dir():
                yield from _in(entry.path)
            else:
                about = entry.stat()
                yield entry.path, about.st_mtime_ns, about.st_size, about.st_ino


@lru_cache(maxsize=4)
def _unchanged(folders: tuple[Path, ...], files: tuple[tuple[str, int, int, int], ...]) -> Templates:
    del files  # what is read of them now is at least as new
    return Templates(folders, unchanging=True)


class _Template(Template):
    """Jinja2's, but that an import begins anew each time: no counter goes on from one story to the next."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        keys = ctx.globals_keys - self.globals.keys() if ctx is not None else set()
        return self.make_module({key: ctx.parent[key] for key in keys} if ctx is not None else None)


class _Unknown(StrictUndefined):
    """A name there is not, in a designer's words: ours, not those of the class that has it, with the one meant."""

    @property
    def _undefined_message(self) -> str:
        thing, name = self._undefined_obj, self._undefined_name
        if self._undefined_hint or not is_dataclass(thing) or not isinstance(name, str):
            return str(super()._undefined_message)
        near = get_close_matches(name, [one for one in dir(thing) if not one.startswith("_")], 1, 0.6)
        meant = f" (did you mean '{near[0]}'?)" if near else ""
        return f"{type(thing).__name__.removesuffix('View').lower()} has no '{name}'{meant}"


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2 as we use it: sandboxed, strict, HTML escaped, slots checked at load, the same bytes each time."""

    template_class = _Template
    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """``*`` and ``**``, unless what comes out would take all memory, or all day."""
        if operator == "**" and isinstance(right, (int, float)) and abs(right) > _HIGHEST_POWER:
            raise TemplateRuntimeError(f"a power above {_HIGHEST_POWER}")
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if hasattr(many, "__len__") and isinstance(times, int) and len(many) * times > _LONGEST:
                    raise TemplateRuntimeError(f"it makes {len(many) * times:,} of something")
        return super().call_binop(context, operator, left, right)

    def __init__(self, folders: Sequence[Path], *, traced: bool = False, unchanging: bool = False) -> None:
        super().__init__(
            loader=FileSystemLoader([str(folder) for folder in folders]),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=_Unknown,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            cache_size=1000,
            auto_reload=not unchanging,
            extensions=[translating.EXTENSION, *([Tracing] if traced else [])],
        )
        for name in _NOT_THE_SAME_TWICE:
            self.filters.pop(name, None)
            self.globals.pop(name, None)
        self.filters.update(FILTERS)
        translating.translate(self)
        self.references: dict[str, tuple[tuple[str, str], ...]] = {}
        """What each loaded template brings in, and the ``file:line`` that does."""

    def loader_source(self, name: str) -> tuple[str, str, object]:
        assert self.loader is not None
        source, filename, uptodate = self.loader.get_source(self, name)
        return source, _shown(filename or name), uptodate

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As the sandbox has it; fields of ``_OPEN`` need none of its questions, and small texts read many of them."""
        if attribute in _OPEN.get(type(obj), ()):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The same: filters such as ``map(attribute=…)`` come this way."""
        if isinstance(argument, str) and argument in _OPEN.get(type(obj), ()):
            return getattr(obj, argument)
        return super().getitem(obj, argument)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        shown = _shown(filename or name or "template")
        slots.check(tree, shown, is_html=(name or "").endswith(".html"))
        if name is not None:
            self.references[name] = tuple(_references(tree, shown))
        return tree


_TEXT_ENVIRONMENT = _Environment(())


@lru_cache(maxsize=256)
def compile_text(source: str, where: str) -> Template:
    """A small self-contained text template (subject, preheader, summary). Raises TemplateError at ``where``."""
    with translated(where):
        code = _TEXT_ENVIRONMENT.compile(source, name=where, filename=where)
        if _TEXT_ENVIRONMENT.references.get(where):
            raise TemplateError(
                "this text is rendered on its own and cannot include, import or extend another template",
                where=where,
                remedy="Write it in one piece",
            )
        return Template.from_code(_TEXT_ENVIRONMENT, code, {**_TEXT_ENVIRONMENT.globals})


@lru_cache(maxsize=256)
def messages_of(source: str) -> frozenset[str]:
    """The keys of the messages that a small text may print (``words.message_key``)."""
    return translating.messages_in(_TEXT_ENVIRONMENT, source)


@lru_cache(maxsize=256)
def names_in(source: str) -> frozenset[str]:
    """What a small text reads: ``lead``, ``newsletter`` … Of one that cannot be read, nothing."""
    try:
        return frozenset(meta.find_undeclared_variables(_TEXT_ENVIRONMENT.parse(source)))
    except JinjaError:
        return frozenset()


def render(template: Template, context: Mapping[str, Any]) -> str:
    """The template's text. Raises TemplateError with the file and line."""
    where = template.filename or template.name or "template"
    with translated(where):
        text = template.render(context)
    if len(text) > _LONGEST:
        raise TemplateError(f"this file makes {len(text):,} characters", where=_shown(where), remedy=_LESS)
    return text


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn Jinja2's errors, and a template's own mistakes, into TemplateError at ``file:line``."""
    try:
        yield
    except TemplateError as error:
        error.where = error.where or _line(error, where)
        raise
    except TemplateSyntaxError as error:
        raise TemplateError(
            f"the template cannot be read: {error.message}",
            where=f"{_shown(error.filename or error.name or where)}:{error.lineno}",
            remedy="Correct this line",
        ) from None
    except TemplateNotFound as error:
        raise TemplateError(
            f"there is no template '{error.name}'", where=_line(error, where), remedy="Create it or correct the name"
        ) from None
    except UndefinedError as error:
        raise TemplateError(str(error.message), where=_line(error, where), remedy="Correct the name") from None
    except (JinjaError, TemplateRuntimeError) as error:
        raise TemplateError(
            str(error.message or error), where=_line(error, where), remedy="Correct this line"
        ) from None
    except RecursionError as error:
        raise TemplateError(
            "templates bring in each other without end", where=_line(error, where), remedy="Remove one include or call"
        ) from None
    except MemoryError as error:
        raise TemplateError("it makes more than memory holds", where=_line(error, where), remedy=_LESS) from None
    except UnicodeDecodeError:
        raise TemplateError("the template is not UTF-8", where=_shown(where), remedy="Save it as UTF-8") from None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise TemplateError(
            f"{type(error).__name__}: {error}", where=_line(error, where), remedy="Correct this line"
        ) from error


def _line(error: BaseException, where: str) -> str:
    """``file:line`` of the innermost template frame of a traceback; templates are the frames that are not Python's."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.endswith((".py", "<string>"))
    ]
    return f"{_shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else _shown(where)


def _references(tree: nodes.Template, shown: str) -> Iterator[tuple[str, str]]:
    for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        assert isinstance(node, (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport))
        named = node.template
        if isinstance(named, nodes.Const) and isinstance(named.value, str):
            yield named.value, f"{shown}:{node.lineno}"
        elif isinstance(named, (nodes.List, nodes.Tuple)) and all(isinstance(i, nodes.Const) for i in named.items):
            for item in named.items:
                if isinstance(item, nodes.Const):
                    yield item.value, f"{shown}:{node.lineno}"
        else:
            raise TemplateError(
                "a template's name is computed, so that what it would bring in cannot be checked",
                where=f"{shown}:{node.lineno}",
                remedy="Write the name in quotes, inside {% if %} where it depends on something",
            )


def _shown(path: str | Path) -> str:
    """A path as people know it: from here where it lies below, else whole."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
