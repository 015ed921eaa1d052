"""The database: tables, migrations, and one module of functions per aggregate, each taking a ``Connection``.

``Store`` runs those functions in transactions. On SQLite one thread owns the one writing connection.
"""

from newsletter.store.database import Store

__all__ = ["Store"]
