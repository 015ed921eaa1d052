"""Alembic's entry: runs the revisions on the connection that ``store.migrating`` hands over."""

from alembic import context

from newsletter.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the surrounding transaction is ours
)
context.run_migrations()
