"""Brings a database to this version's tables with Alembic; refuses one made by a newer version.

The current revision is compared first, so that opening an up-to-date store does not import Alembic.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from newsletter.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

    from newsletter.store.database import Store

HEAD = "0016"
_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_KEY = 0x6E6C6D67  # "nlmg": one migration at a time on PostgreSQL


def migrate(store: Store) -> bool:
    """Upgrade the tables to HEAD; True when something was done. Two processes at once are safe."""
    if store.read(revision) == HEAD:
        return False
    return store.write(_upgrade)


def pending(store: Store) -> bool:
    """Whether ``migrate`` would do something. Raises StoreError where a newer version made the database."""
    found = store.read(revision)
    if found in ("", HEAD):
        return not found
    _require_known(found)
    return True


def require_current(store: Store) -> None:
    """Raise StoreError unless the tables are those of this version."""
    found = store.read(revision)
    if found != HEAD:
        raise StoreError(
            "the database has no tables yet" if not found else f"the database is at revision {found}, not {HEAD}",
            remedy="Run `newsletter store migrate`",
        )


def revision(connection: Connection) -> str:
    """The Alembic revision of the database, '' where it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _upgrade(connection: Connection) -> bool:
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
    found = revision(connection)
    if found == HEAD:
        return False
    if found:
        _require_known(found)
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return True


def _require_known(found: str) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if found not in known:
        raise StoreError(
            f"the database is at revision {found}, which this version does not know",
            remedy="Run the newer version of newsletter that upgraded it",
        )


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
