"""The migrations make exactly the tables that the code declares, on both databases, once, and back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from appliance.server.db import migrate, revisions
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.errors import NewerSchema
from tests.integration.conftest import new_database_name, new_postgres, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with new_postgres(request.getfixturevalue("postgres_server"), new_database_name()) as address:
            yield address


def declared(name: str | None, _kind: str, _parents: object) -> bool:
    """The indexes for searches are made of what the code can't declare: tables of FTS5, an index on a function, or a tsvector."""
    return name is None or not name.startswith(("run_search", "log_search"))


def differences(url: str) -> list[object]:
    database = Database(url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": declared})
        found: list[object] = list(compare_metadata(context, metadata))
    database.dispose()
    return found


def test_the_tables_match_the_code(url: str) -> None:
    assert migrate.current(url) is None
    migrate.upgrade(url)
    migrate.upgrade(url)
    assert migrate.current(url) == revisions.head()
    assert differences(url) == []


def test_the_files_of_the_migrations_name_their_revisions() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(revisions.SCRIPTS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == revisions.supported()
    assert scripts.get_current_head() == revisions.head()


def test_there_and_back(url: str) -> None:
    migrate.upgrade(url)
    migrate.downgrade(url, "base")
    database = Database(url)
    with database.read() as session:
        names = database.engine.dialect.get_table_names(session.connection())
    database.dispose()
    assert [name for name in names if name != "alembic_version"] == []
    migrate.upgrade(url)
    assert differences(url) == []


def test_several_that_start_together_migrate_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate.upgrade(url), range(4)))
    assert differences(url) == []


def test_a_newer_schema_is_refused(url: str) -> None:
    migrate.upgrade(url)
    database = Database(url)
    with database.write() as session:
        session.execute(text("update alembic_version set version_num = '9999'"))
    database.dispose()
    with pytest.raises(
        NewerSchema, match="written by a newer version of Appliance \\(schema 9999\\); start that version"
    ):
        migrate.upgrade(url)
    assert migrate.current(url) == "9999"


def test_a_migration_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    create = op.create_table

    def fail(name: str, *parts: object, **options: object) -> object:
        if name == "schedule":
            raise KeyboardInterrupt
        return create(name, *parts, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(op, "create_table", fail)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(url)
    monkeypatch.undo()
    assert migrate.current(url) is None
    migrate.upgrade(url)
    assert differences(url) == []
