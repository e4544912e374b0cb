"""Alembic's environment: runs the revisions on the connection that ``migrate`` holds, inside its transaction."""

from alembic import context

from taskflow.history.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
