"""Alembic revisions, in order. Run by ``store.migrating``."""
