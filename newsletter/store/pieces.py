"""The rendered pieces of each edition, per rendered key: encoded bytes that delivery joins.

Pieces of one revision are written once and never changed: mail that was retried must equal the mail that was tried.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from newsletter.model import RenderedKey
from newsletter.store.tables import editions
from newsletter.store.tables import pieces as pieces_table


def save(
    connection: Connection, edition_id: int, revision: int, rendered_key: RenderedKey, pieces: Mapping[str, bytes]
) -> bool:
    """Keep the pieces of one document; False where this revision has some already (the first wins, whole)."""
    # The lock makes a second renderer wait, so that its pieces never mix with the first one's.
    connection.execute(select(editions.c.id).where(editions.c.id == edition_id).with_for_update())
    if rendered_key in keys(connection, edition_id, revision):
        return False
    rows = [
        {
            "edition_id": edition_id,
            "revision": revision,
            "rendered_key": str(rendered_key),
            "name": name,
            "body": body,
        }
        for name, body in pieces.items()
    ]
    if rows:
        connection.execute(insert(pieces_table), rows)
    return bool(rows)


def load(connection: Connection, edition_id: int, revision: int, rendered_key: RenderedKey) -> dict[str, bytes]:
    """The pieces of one document by name; empty where it has not been rendered."""
    rows = connection.execute(
        select(pieces_table.c.name, pieces_table.c.body).where(
            pieces_table.c.edition_id == edition_id,
            pieces_table.c.revision == revision,
            pieces_table.c.rendered_key == str(rendered_key),
        )
    )
    return {row.name: bytes(row.body) for row in rows}


def keys(connection: Connection, edition_id: int, revision: int) -> list[RenderedKey]:
    """The rendered keys for which this revision of an edition has pieces, in order."""
    rows = connection.execute(
        select(pieces_table.c.rendered_key)
        .where(pieces_table.c.edition_id == edition_id, pieces_table.c.revision == revision)
        .distinct()
    )
    return sorted(RenderedKey.parse(key) for key in rows.scalars())
