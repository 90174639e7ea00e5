"""Alembic executes this file to migrate, on the connection and in the transaction that `open_database` hands it."""

from alembic import context

from server.storage import catalog_tables, imagery_tables  # noqa: F401  (they register themselves with the metadata)
from server.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
)
context.run_migrations()
