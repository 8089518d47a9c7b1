"""MySQL and MariaDB: execute, fetch, and load. Queries have the placeholders of PyMySQL: `%s`, or `%(name)s`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from appliance.core.secrets import Secret
from appliance.tasks.catalogue import require

require("mysql")

from appliance.tasks.library.arguments import credential, defaults_from_attrs, needed  # noqa: E402 - says what to install
from appliance.tasks.library.task import TaskOptions, task_options  # noqa: E402
from appliance.tasks.sql import Data, DatabaseTask, Fetch, Loaded, Rows  # noqa: E402

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["MySQLExecute", "MySQLFetch", "MySQLLoad"]


class MySQLOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    password: Secret | None
    charset: str
    connect_args: Mapping[str, Any] | None


class _MySQLTask(DatabaseTask):
    """`connect_args` are further keywords of a connection, such as `ssl`."""

    drivers_placeholders: ClassVar[bool] = True

    def __init__(
        self,
        db_name: str | None,
        user: str | None,
        host: str | None,
        port: int,
        **options: Unpack[MySQLOptions],
    ) -> None:
        password, connect_args = options.pop("password", None), options.pop("connect_args", None)
        charset = options.pop("charset", "utf8mb4")
        super().__init__(password, **task_options(options))
        self.db_name, self.user, self.host, self.port = db_name, user, host, port
        self.password = credential("password", password)
        self.connect_args = {"connect_timeout": 10, "charset": charset, **(connect_args or {})}

    def address(self) -> URL:
        import sqlalchemy

        database, host = needed(self, "db_name", self.db_name), needed(self, "host", self.host)
        if host.startswith("/"):  # a socket
            query = {"unix_socket": host}
            return sqlalchemy.URL.create("mysql+pymysql", self.user, database=database, query=query)
        return sqlalchemy.URL.create("mysql+pymysql", self.user, host=host, port=self.port, database=database)


class MySQLExecute(_MySQLTask):
    """Executes a query in a transaction. The result is how many rows it has affected."""

    def __init__(
        self,
        db_name: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int = 3306,
        query: str | None = None,
        data: Data | None = None,
        commit: bool = True,
        **options: Unpack[MySQLOptions],
    ) -> None:
        """Takes `password`, `connect_args`, and the options of Task, too. Without `commit`, what the query changes is rolled back."""
        super().__init__(db_name, user, host, port, **options)
        self.query, self.data, self.commit = query, data, commit

    @defaults_from_attrs("query", "data", "commit")
    def run(
        self,
        query: str | None = None,
        data: Data | None = None,
        commit: bool | None = None,
        password: str | Secret | None = None,
    ) -> int:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        query = needed(self, "query", query)
        return self.work(password, not commit, lambda connection: int(self.execute(connection, query, data).rowcount))


class MySQLFetch(_MySQLTask):
    """Fetches rows as tuples: `fetch` is `"one"`, `"many"` (`fetch_count` of them) or `"all"`. With `col_names`, the first row has the names.

    With `path`, all rows are written there, as CSV if it ends with `.csv` and otherwise as one JSON text a line, and the result is how many.
    Queries that change something need `commit`, and are not retried then.
    """

    def __init__(
        self,
        db_name: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int = 3306,
        fetch: Fetch = "one",
        fetch_count: int = 10,
        query: str | None = None,
        data: Data | None = None,
        commit: bool = False,
        col_names: bool = False,
        path: str | Path | None = None,
        **options: Unpack[MySQLOptions],
    ) -> None:
        """Takes `password`, `connect_args`, and the options of Task, too."""
        super().__init__(db_name, user, host, port, **options)
        self.query, self.data, self.commit, self.path = query, data, commit, path
        self.fetch, self.fetch_count, self.col_names = fetch, fetch_count, col_names

    @defaults_from_attrs("query", "data", "commit", "path")
    def run(
        self,
        query: str | None = None,
        data: Data | None = None,
        commit: bool | None = None,
        path: str | Path | None = None,
        password: str | Secret | None = None,
    ) -> Any:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        query = needed(self, "query", query)
        how = (self.fetch, self.fetch_count, self.col_names)
        return self.work(password, not commit, lambda connection: self.read(connection, query, data, path, how))


class MySQLLoad(_MySQLTask):
    """Loads rows into a table in one transaction: dicts, or the lines of a CSV file with a header, in which an empty field is NULL."""

    def __init__(
        self,
        db_name: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int = 3306,
        table: str | None = None,
        rows: Rows | None = None,
        path: str | Path | None = None,
        **options: Unpack[MySQLOptions],
    ) -> None:
        """Takes `password`, `connect_args`, and the options of Task, too."""
        super().__init__(db_name, user, host, port, **options)
        self.table, self.rows, self.path = table, rows, path

    @defaults_from_attrs("table", "rows", "path")
    def run(
        self,
        table: str | None = None,
        rows: Rows | None = None,
        path: str | Path | None = None,
        password: str | Secret | None = None,
    ) -> Loaded:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        table = needed(self, "table", table)
        return self.work(password, False, lambda connection: self.load_all(connection, table, rows, path))
