"""How alembic runs our migrations: on the connection that `db.migrate` opened, inside its transaction."""

from __future__ import annotations

from alembic import context

from appliance.server.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,  # ours begins transactions itself, so SQLite's changes of tables are all kept or none
)
context.run_migrations()
