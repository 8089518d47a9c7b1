"""SQL in any database that SQLAlchemy knows: execute, fetch, and load in bulk, each task in one transaction.

Modules such as `appliance.tasks.postgres` are dialects of this one: they build the address, and know better ways to load.
"""

from __future__ import annotations

import csv
import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, TypeVar, Unpack

from appliance.core.secrets import Secret
from appliance.tasks.catalogue import require
from appliance.tasks.library.arguments import credential, defaults_from_attrs, needed, revealed
from appliance.tasks.library.drafts import draft
from appliance.tasks.library.errors import (
    AccessDenied,
    ConnectionLost,
    Refused,
    TaskLibraryError,
    Unreachable,
    first_line,
)
from appliance.tasks.library.interruption import in_thread, interruptible
from appliance.tasks.library.task import LibraryTask, TaskOptions, task_options

require("sql")

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

__all__ = ["Loaded", "SqlExecute", "SqlExecuteMany", "SqlFetch", "SqlLoad", "Written"]

BATCH = 10_000
Data = Mapping[str, Any] | Sequence[Any]
Rows = Iterable[Mapping[str, Any] | Sequence[Any]]
Fetch = Literal["one", "many", "all"]
How = tuple[Fetch, int, bool]
"""Which rows, how many of "many", and whether the names of the columns come first."""
T = TypeVar("T")
_STOPS = ("cancel_safe", "cancel", "interrupt")
"""What drivers call it to end a statement from another thread."""
_DENIED = (
    "authentication failed",
    "access denied",
    "login failed",
    "no password supplied",
    "permission denied",
    "command denied",
)
_TRY_AGAIN = (
    *("40001", "40P01", "55P03", "57P03", "53300", "SQLITE_BUSY", "SQLITE_LOCKED"),
    *(1213, 1205, 1053, 1040),  # MySQL
)
"""Serialization failure, deadlock, lock not available, starting up or shutting down, too many connections: the transaction has had no effect."""
_BROKEN_IN_MYSQL = range(2000, 3000)
"""The numbers of the client's own errors."""
_WATCH = "select set_config(name, '5000', false) from pg_settings where name = 'client_connection_check_interval'"
_BROKEN = ("OperationalError", "InterfaceError", "ConnectionTimeout")


class SqlOptions(TaskOptions, total=False):
    """The options of all tasks with an address of SQLAlchemy."""

    url: str | None
    password: Secret | None
    connect_args: Mapping[str, Any] | None


class Written(TypedDict):
    """What a fetch has written to a file."""

    path: str
    rows: int


class Loaded(TypedDict):
    """What has been loaded into a table."""

    table: str
    rows: int


class DatabaseTask(LibraryTask):
    """What tasks of all databases have in common. A dialect says how to connect, and whether queries have the driver's own placeholders."""

    connect_args: Mapping[str, Any] | None = None
    drivers_placeholders: ClassVar[bool] = False
    password: Secret | None = None

    def address(self) -> URL:
        """The address, without the password. Raises MissingArgument."""
        raise AssertionError("a dialect has it")

    def work(self, password: str | Secret | None, only_reads: bool, do: Callable[[Connection], T]) -> T:
        """The result of `do` with a connection, in one transaction, which is rolled back if it `only_reads`. Raises errors of the library."""
        url = self.address()
        place = url.set(username=None, password=None, query={}).render_as_string()
        text = revealed(self.password if password is None else password)
        ends: list[Callable[[], object]] = []
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            for end in ends:
                end()

        def whole() -> T:
            with _connected(url if text is None else url.set(password=text), self.connect_args, place) as connection:
                ends.append(_end(connection))
                if stopped.is_set():
                    raise Unreachable(f"The connection to {place} came too late.")
                _have_the_server_watch(connection)
                with _sentences(place, harmless=only_reads):
                    transaction = (
                        connection.begin()
                    )  # now, since a dialect may use the driver without SQLAlchemy's knowledge
                    result = do(connection)
                    transaction.rollback() if only_reads else transaction.commit()
                    return result

        with interruptible(self, stop):
            return in_thread(whole)

    def execute(self, connection: Connection, query: str, data: Any) -> Any:
        """The cursor of a query. A list of data is many calls."""
        import sqlalchemy

        if not self.drivers_placeholders:
            return connection.execute(sqlalchemy.text(query), data or {})
        if data is None:  # then `%` has no meaning
            return connection.exec_driver_sql(query, execution_options={"no_parameters": True})
        return connection.exec_driver_sql(query, data if isinstance(data, Mapping | list) else tuple(data))

    def many(self, connection: Connection, query: str, data: Rows) -> int:
        """Execute a query once for each row. Returns how many rows it has affected, or if the driver doesn't say, how many there were."""
        count = 0
        for rows in _batches(_row(each) for each in data):
            cursor = self.execute(connection, query, rows)
            count += cursor.rowcount if cursor.rowcount >= 0 else len(rows)
        return count

    def read(self, connection: Connection, query: str, data: Any, path: str | Path | None, how: How) -> Any:
        """The rows, or what was written to `path`. Raises ValueError for an unknown way to fetch."""
        fetch, count, col_names = how
        if fetch not in ("one", "many", "all"):
            raise ValueError(f"fetch must be 'one', 'many' or 'all', not {fetch!r}.")
        if path is not None:
            return self.write(connection, query, data, Path(path))
        cursor = self.execute(connection, query, data)
        names = [tuple(cursor.keys())] if col_names else []
        if fetch == "one":
            row = cursor.fetchone()
            one = None if row is None else tuple(row)
            return [*names, one] if col_names else one
        rows = cursor.fetchmany(count) if fetch == "many" else cursor.fetchall()
        return [*names, *map(tuple, rows)]

    def write(self, connection: Connection, query: str, data: Any, path: Path) -> Written:
        """Write the rows to a file, by way of a cursor of the server, so that they are never in memory together."""
        cursor = self.execute(connection.execution_options(stream_results=True, yield_per=BATCH), query, data)
        names, rows = list(cursor.keys()), 0
        with draft(path) as binary, _text(binary) as file:
            writer = csv.writer(file, lineterminator="\n")
            if path.suffix == ".csv":
                writer.writerow(names)
            for part in cursor.partitions():
                rows += len(part)
                if path.suffix == ".csv":
                    writer.writerows(part)
                else:
                    file.writelines(f"{json.dumps(dict(zip(names, row, strict=True)), default=str)}\n" for row in part)
        return {"path": str(path), "rows": rows}

    def load(self, connection: Connection, table: str, columns: list[str], rows: Iterable[Sequence[Any]]) -> int:
        """Insert rows. Dialects have faster ways."""
        import sqlalchemy

        schema, _, name = table.rpartition(".")
        into = sqlalchemy.table(name, *map(sqlalchemy.column, columns), schema=schema or None)
        count = 0
        for batch in _batches(dict(zip(columns, row, strict=True)) for row in rows):
            connection.execute(sqlalchemy.insert(into), batch)
            count += len(batch)
        return count

    def load_all(self, connection: Connection, table: str, rows: Rows | None, path: str | Path | None) -> Loaded:
        """Load rows, or those of a CSV file. Raises Refused for rows without names of columns."""
        if path is not None:
            with Path(path).open(encoding="utf-8", newline="") as file:
                reader = csv.reader(file)
                columns = next(reader, [])
                return {"table": table, "rows": self.load(connection, table, columns, map(_nulls, reader))}
        iterator = iter(needed(self, "rows", rows))
        first = next(iterator, None)
        if first is None:
            return {"table": table, "rows": 0}
        if not isinstance(first, Mapping):
            raise Refused("rows must be dicts with the names of the columns as keys.")
        columns = list(first)
        dicts: Iterable[Any] = itertools.chain([first], iterator)
        return {
            "table": table,
            "rows": self.load(connection, table, columns, ([row[c] for c in columns] for row in dicts)),
        }


class _UrlTask(DatabaseTask):
    """`url` is an address of SQLAlchemy without a password, such as `mysql+pymysql://ada@db.example.org/shop`."""

    def __init__(self, **options: Unpack[SqlOptions]) -> None:
        url, password = options.pop("url", None), options.pop("password", None)
        connect_args = options.pop("connect_args", None)
        super().__init__(password, **task_options(options))
        self.url, self.password, self.connect_args = url, credential("password", password), connect_args
        if url is not None:
            self.address()

    def address(self) -> URL:
        import sqlalchemy

        try:
            url = sqlalchemy.make_url(needed(self, "url", self.url))
        except sqlalchemy.exc.ArgumentError:
            raise ValueError("url is not an address such as postgresql+psycopg://ada@db.example.org/shop.") from None
        if url.password:
            raise ValueError(
                "url must not have the password, which would be stored with the flow; set password=Secret('NAME')."
            )
        return url


class SqlExecute(_UrlTask):
    """Executes a query, or a list of queries in one transaction. The result is how many rows the last one has affected.

    `data` has values for placeholders such as `:day`.
    """

    def __init__(
        self,
        query: str | Sequence[str] | None = None,
        data: Mapping[str, Any] | None = None,
        **options: Unpack[SqlOptions],
    ) -> None:
        """Takes `url`, `password`, `connect_args`, and the options of Task, too."""
        super().__init__(**options)
        self.query, self.data = query, data

    @defaults_from_attrs("query", "data")
    def run(
        self,
        query: str | Sequence[str] | None = None,
        data: Mapping[str, Any] | None = None,
        password: str | Secret | None = None,
    ) -> int:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        queries = needed(self, "query", query)

        def execute(connection: Connection) -> int:
            count = 0
            for each in [queries] if isinstance(queries, str) else queries:
                count = self.execute(connection, each, data).rowcount
            return count

        return self.work(password, False, execute)


class SqlExecuteMany(_UrlTask):
    """Executes a query once for each row of `data`, in one transaction. The result is how many rows were affected."""

    def __init__(
        self, query: str | None = None, data: Iterable[Mapping[str, Any]] | None = None, **options: Unpack[SqlOptions]
    ) -> None:
        """Takes `url`, `password`, `connect_args`, and the options of Task, too."""
        super().__init__(**options)
        self.query, self.data = query, data

    @defaults_from_attrs("query", "data")
    def run(
        self,
        query: str | None = None,
        data: Iterable[Mapping[str, Any]] | None = None,
        password: str | Secret | None = None,
    ) -> int:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        query, data = needed(self, "query", query), needed(self, "data", data)
        return self.work(password, False, lambda connection: self.many(connection, query, data))


class SqlFetch(_UrlTask):
    """Fetches rows: `fetch` is `"one"`, `"many"` (`fetch_count` of them) or `"all"`. With `col_names`, the first row has the names.

    With `path`, all rows are written there, as CSV if it ends with `.csv` and otherwise as one JSON text a line, and the result is how many.
    """

    def __init__(
        self,
        query: str | None = None,
        data: Mapping[str, Any] | None = None,
        fetch: Fetch = "all",
        fetch_count: int = 10,
        col_names: bool = False,
        path: str | Path | None = None,
        **options: Unpack[SqlOptions],
    ) -> None:
        """Takes `url`, `password`, `connect_args`, and the options of Task, too."""
        super().__init__(**options)
        self.query, self.data, self.path = query, data, path
        self.fetch, self.fetch_count, self.col_names = fetch, fetch_count, col_names

    @defaults_from_attrs("query", "data", "path")
    def run(
        self,
        query: str | None = None,
        data: Mapping[str, Any] | None = None,
        path: str | Path | None = None,
        password: str | Secret | None = None,
    ) -> Any:
        """Raises Unreachable, AccessDenied or Refused."""
        query = needed(self, "query", query)
        how = (self.fetch, self.fetch_count, self.col_names)
        return self.work(password, True, lambda connection: self.read(connection, query, data, path, how))


class SqlLoad(_UrlTask):
    """Loads rows into a table in one transaction: dicts, or the lines of a CSV file with a header, in which an empty field is NULL."""

    def __init__(
        self,
        table: str | None = None,
        rows: Iterable[Mapping[str, Any]] | None = None,
        path: str | Path | None = None,
        **options: Unpack[SqlOptions],
    ) -> None:
        """Takes `url`, `password`, `connect_args`, and the options of Task, too."""
        super().__init__(**options)
        self.table, self.rows, self.path = table, rows, path

    @defaults_from_attrs("table", "rows", "path")
    def run(
        self,
        table: str | None = None,
        rows: Iterable[Mapping[str, Any]] | None = None,
        path: str | Path | None = None,
        password: str | Secret | None = None,
    ) -> Loaded:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        table = needed(self, "table", table)
        return self.work(password, False, lambda connection: self.load_all(connection, table, rows, path))


@contextmanager
def _connected(url: URL, arguments: Mapping[str, Any] | None, place: str) -> Iterator[Connection]:
    import sqlalchemy

    with _sentences(place, harmless=True):
        engine = sqlalchemy.create_engine(
            url, poolclass=sqlalchemy.NullPool, connect_args=dict(arguments or {}), hide_parameters=True
        )
        connection = engine.connect()
    try:
        yield connection
    finally:
        with suppress(Exception):  # the connection may be broken, and the outcome is known
            connection.close()
        engine.dispose()


@contextmanager
def _sentences(place: str, harmless: bool) -> Iterator[None]:
    """Errors of the driver, as sentences without values. `harmless` says that the block may be repeated."""
    import sqlalchemy

    try:
        yield
    except TaskLibraryError:
        raise
    except sqlalchemy.exc.DBAPIError as error:
        raise _problem(error.orig or error, place, harmless, error.connection_invalidated) from None
    except ModuleNotFoundError as error:
        raise Refused(f"The driver for {place} is not installed: {first_line(error)}.") from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise Refused(f"{place} can't be used: {first_line(error)}.") from None
    except Exception as error:
        if {"DatabaseError", "InterfaceError"}.isdisjoint(kind.__name__ for kind in type(error).__mro__):
            raise
        raise _problem(error, place, harmless, False) from None


def _problem(error: BaseException, place: str, harmless: bool, is_broken: bool) -> TaskLibraryError:
    said, text = first_line(error), str(error).lower()
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    if len(error.args) == 2 and isinstance(error.args[0], int) and error.args[0]:  # as drivers of MySQL do
        code, said = error.args[0], str(error.args[1]).rstrip(".")
        is_broken = is_broken or code in _BROKEN_IN_MYSQL
    if any(phrase in text for phrase in _DENIED) or str(code or "").startswith(("28", "42501")):
        return AccessDenied(f"{place} denies access: {said}.")
    if code in _TRY_AGAIN:
        return Unreachable(f"{place} was busy, and the transaction had no effect: {said}.")
    if is_broken or (code is None and type(error).__name__ in _BROKEN and "does not exist" not in text):
        kind = Unreachable if harmless else ConnectionLost
        return kind(f"{place} can't be reached, or the connection broke: {said}.")
    return Refused(f"{place} answered: {said}.", code)


def _end(connection: Connection) -> Callable[[], object]:
    """What ends the statement of a connection from another thread."""
    driver: Any = connection.connection.driver_connection
    for name in _STOPS:
        if hasattr(driver, name):
            end: Callable[[], object] = getattr(driver, name)
            return end
    if not hasattr(driver, "thread_id"):
        return lambda: None
    engine, kill = connection.engine, f"KILL QUERY {driver.thread_id()}"

    def end_in_mysql() -> None:
        with engine.connect() as other:
            other.exec_driver_sql(kill)

    return end_in_mysql


def _have_the_server_watch(connection: Connection) -> None:
    """Have Postgres, from 14 on, end the statement of a client that was killed, which it would otherwise notice only at its end."""
    import sqlalchemy

    if connection.dialect.name == "postgresql":
        with suppress(sqlalchemy.exc.DBAPIError):  # not every system can
            connection.exec_driver_sql(_WATCH)
        connection.commit()


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def _row(row: Any) -> Any:
    return dict(row) if isinstance(row, Mapping) else tuple(row)


def _nulls(row: list[str]) -> list[str | None]:
    return [value or None for value in row]


@contextmanager
def _text(binary: Any) -> Iterator[Any]:
    import io

    file = io.TextIOWrapper(binary, encoding="utf-8", newline="")
    try:
        yield file
    finally:
        file.flush()
        file.detach()
