"""A folder of saved files: its listing stands in for an ETag; a file that cannot be read is a warning.

Where one file changed all are read again, for what they are only all of them together tell: which address several
stories share (``identity``), which file is an older version of another, and, of page dumps (.txt), what several of them
hold, so that it is the site's and belongs to no story.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from newsletter.collect.folder import list_folder, read_document, repeated_in
from newsletter.collect.gathering import Gathered, Visit
from newsletter.collect.reading import Reading
from newsletter.errors import SourceError

# Pages that are compared: the newest, and so many bytes of them.
_COMPARED = 200
_COMPARED_BYTES = 20_000_000
_FEWEST_COMPARED = 3
_COMPARING = timedelta(seconds=30)


async def gather(visit: Visit) -> Gathered:
    """The articles of the folder's files, where any of them changed."""
    assert visit.source.folder is not None
    folder = visit.root / visit.source.folder
    listing = await asyncio.to_thread(list_folder, folder)
    if listing.mark == visit.row.etag:
        return Gathered(None, visit.row.etag)
    repeated = await _repeated(visit, listing.files)
    found, warnings = [], []
    for path in listing.files:
        name = str(path.relative_to(folder))
        try:
            body = await asyncio.to_thread(_bounded, path, visit.source.max_bytes)
            found.append(await visit.parse(read_document, body, visit.facts, name=name, repeated=repeated))
        except SourceError as error:
            warnings.append(str(error) if error.where else f"{name}: {error.what}")
        except OSError as error:
            warnings.append(f"{name}: it cannot be read ({error.strerror})")
    return Gathered(Reading(tuple(found)), listing.mark, warnings=tuple(warnings))


async def _repeated(visit: Visit, files: tuple[Path, ...]) -> frozenset[str]:
    """The paragraphs that recur in the folder's page dumps; none where there are too few to compare."""
    dumps = [path for path in files if path.suffix.lower() == ".txt"][:_COMPARED]
    bodies: list[bytes] = []
    size = 0
    for path in dumps if len(dumps) >= _FEWEST_COMPARED else ():
        try:
            body = await asyncio.to_thread(_bounded, path, visit.source.max_bytes)
        except (OSError, SourceError):
            continue  # it gets its warning when it is read
        size += len(body)
        if size > _COMPARED_BYTES:
            break
        bodies.append(body)
    if len(bodies) < _FEWEST_COMPARED:
        return frozenset()
    return await visit.parser.run(_COMPARING, repeated_in, bodies, language=visit.facts.language)


def _bounded(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        body = file.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise SourceError(f"it is larger than {max_bytes:,} bytes")
    return body
