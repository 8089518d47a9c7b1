"""DuckDB: query and fill its databases, and Parquet, CSV and JSON files without one. Queries have its placeholders: `?`, or `$name`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from appliance.tasks.catalogue import require

require("duckdb")

from appliance.tasks.library.arguments import defaults_from_attrs, needed  # noqa: E402 - says what to install
from appliance.tasks.library.drafts import draft  # noqa: E402
from appliance.tasks.library.errors import Refused, Unreachable, first_line  # noqa: E402
from appliance.tasks.library.interruption import in_thread, interruptible  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions, task_options  # noqa: E402

__all__ = ["DuckDBExecute", "DuckDBFetch", "DuckDBLoad", "Loaded", "Written"]

MEMORY = ":memory:"
_LOOK, _MOST_INTERRUPTS = 0.1, 100
_BUSY = ("Could not set lock on file", "with a different configuration", "Conflict on", "write-write conflict")
"""Another process or task has the file, or changes the same rows: the transaction has had no effect."""
_READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
_FORMATS = {"parquet": "parquet", "csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json", "ndjson": "json"}
_COMPRESSED = ("gz", "zst")
Data = Mapping[str, Any] | Sequence[Any]
T = TypeVar("T")


class DuckDBOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    config: Mapping[str, Any] | None


class Written(TypedDict):
    """The file that a fetch has written."""

    path: str
    rows: int


class Loaded(TypedDict):
    """What has been loaded into a table."""

    table: str
    rows: int


class _DuckDBTask(LibraryTask):
    """`db` is the path of the database; without it, it is in memory, and gone when the task ends. `config` has settings of DuckDB, such as
    `{"memory_limit": "2GB", "threads": 2}`."""

    def __init__(self, db: str | Path | None, read_only: bool, **options: Unpack[DuckDBOptions]) -> None:
        config = options.pop("config", None)
        super().__init__(**task_options(options))
        self.db, self.read_only, self.config = db or MEMORY, read_only, config

    def work(self, commit: bool, do: Callable[[Any], T]) -> T:
        """The result of `do` with a connection, in one transaction. Raises errors of the library."""

        connections: list[Any] = []
        stopped, ended = threading.Event(), threading.Event()

        def stop() -> None:
            """An interrupt between two statements has no effect, so it is repeated. A thread that is in DuckDB when the process ends would crash it."""
            stopped.set()
            for _ in range(_MOST_INTERRUPTS):
                for connection in connections:
                    connection.interrupt()
                if ended.wait(_LOOK):
                    return

        def whole() -> T:
            try:
                with _sentences(str(self.db)), closing(self._connected()) as connection:
                    connections.append(connection)
                    if stopped.is_set():
                        raise Refused("The task was stopped.")
                    connection.execute("begin")
                    result = do(connection)
                    connection.execute("commit" if commit else "rollback")
                    return result
            finally:
                ended.set()

        with interruptible(self, stop):
            return in_thread(whole)

    def _connected(self) -> Any:
        import duckdb

        return duckdb.connect(self.db, self.read_only, dict(self.config or {}))


class DuckDBExecute(_DuckDBTask):
    """Executes a query, or a list of queries, in one transaction. The result is how many rows the last one has affected; 0 if it affects none.

    `data` has values for the placeholders of a single query.
    """

    def __init__(
        self,
        db: str | Path | None = None,
        query: str | Sequence[str] | None = None,
        data: Data | None = None,
        **options: Unpack[DuckDBOptions],
    ) -> None:
        """Takes `config`, and the options of Task, too."""
        super().__init__(db, False, **options)
        self.query, self.data = query, data

    @defaults_from_attrs("query", "data")
    def run(self, query: str | Sequence[str] | None = None, data: Data | None = None) -> int:
        """Raises Unreachable or Refused."""
        queries = needed(self, "query", query)

        def execute(connection: Any) -> int:
            count = 0
            for each in [queries] if isinstance(queries, str) else queries:
                count = max(0, connection.execute(each, data).rowcount)
            return count

        return self.work(True, execute)


class DuckDBFetch(_DuckDBTask):
    """Fetches rows as tuples: `fetch` is `"one"`, `"many"` (`fetch_count` of them) or `"all"`. With `col_names`, the first row has the names.

    With `path`, DuckDB writes all rows there, as Parquet, CSV or lines of JSON, as the name ends, and the result is how many. The query changes nothing.
    With `read_only`, several processes can read a database at once, but none can write.
    """

    def __init__(
        self,
        db: str | Path | None = None,
        query: str | None = None,
        data: Data | None = None,
        fetch: Literal["one", "many", "all"] = "all",
        fetch_count: int = 10,
        col_names: bool = False,
        path: str | Path | None = None,
        read_only: bool = False,
        **options: Unpack[DuckDBOptions],
    ) -> None:
        """Takes `config`, and the options of Task, too."""
        super().__init__(db, read_only, **options)
        if fetch not in ("one", "many", "all"):
            raise ValueError(f"fetch must be 'one', 'many' or 'all', not {fetch!r}.")
        self.query, self.data, self.path = query, data, path
        self.fetch, self.fetch_count, self.col_names = fetch, fetch_count, col_names

    @defaults_from_attrs("query", "data", "path")
    def run(self, query: str | None = None, data: Data | None = None, path: str | Path | None = None) -> Any:
        """Raises Unreachable or Refused."""
        text = needed(self, "query", query)
        if path is not None:
            target = Path(path)
            return self.work(False, lambda connection: _write(connection, text, data, target))
        return self.work(False, lambda connection: self._rows(connection.execute(text, data)))

    def _rows(self, cursor: Any) -> Any:
        names = [tuple(column[0] for column in cursor.description)] if self.col_names else []
        if self.fetch == "one":
            row = cursor.fetchone()
            return [*names, row] if self.col_names else row
        return [*names, *(cursor.fetchmany(self.fetch_count) if self.fetch == "many" else cursor.fetchall())]


class DuckDBLoad(_DuckDBTask):
    """Loads a Parquet, CSV or JSON file, or all that match a pattern such as `days/*.parquet`, into a table, in one transaction.

    A table that doesn't exist is created with the columns of the file. Into one that exists, the rows are added, and their columns found by name, or
    with `if_exists="replace"`, they replace it.
    """

    def __init__(
        self,
        db: str | Path | None = None,
        table: str | None = None,
        path: str | Path | None = None,
        if_exists: Literal["append", "replace"] = "append",
        **options: Unpack[DuckDBOptions],
    ) -> None:
        """Takes `config`, and the options of Task, too."""
        super().__init__(db, False, **options)
        if if_exists not in ("append", "replace"):
            raise ValueError(f"if_exists must be 'append' or 'replace', not {if_exists!r}.")
        self.table, self.path, self.if_exists = table, path, if_exists

    @defaults_from_attrs("table", "path")
    def run(self, table: str | None = None, path: str | Path | None = None) -> Loaded:
        """Raises Unreachable or Refused."""
        name, file = needed(self, "table", table), str(needed(self, "path", path))
        into, rows = ".".join(map(_quoted, name.split("."))), f"{_READERS[_format(file)]}({_literal(file)})"

        def load(connection: Any) -> int:
            if self.if_exists == "replace":
                return int(connection.execute(f"create or replace table {into} as from {rows}").fetchone()[0])
            connection.execute(f"create table if not exists {into} as from {rows} with no data")
            return int(connection.execute(f"insert into {into} by name from {rows}").fetchone()[0])

        return {"table": name, "rows": self.work(True, load)}


def _write(connection: Any, query: str, data: Data | None, path: Path) -> Written:
    form = _format(path.name)
    options = (
        f"format {form}" + (", header" if form == "csv" else "") + (", delimiter '\t'" if ".tsv" in path.name else "")
    )
    compressed = {"gz": "gzip", "zst": "zstd"}.get(path.suffix[1:])
    options += f", compression {compressed}" if compressed else ""
    with draft(path) as file:
        copy = f"copy ({query.strip().rstrip(';')}\n) to {_literal(file.name)} ({options})"
        count = connection.execute(copy, data).fetchone()[0]
    return {"path": str(path), "rows": int(count)}


def _format(name: str) -> str:
    """Which format a file has, by the end of its name. Raises Refused."""
    parts = name.lower().split(".")
    end = parts[-2] if parts[-1] in _COMPRESSED and len(parts) > 1 else parts[-1]
    if end not in _FORMATS or (end == "parquet" and parts[-1] != end):
        known = ", ".join(f".{one}" for one in _FORMATS)
        raise Refused(f"{name!r} has none of the endings {known}, so that its format isn't known.")
    return _FORMATS[end]


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


@contextmanager
def _sentences(place: str) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        said = first_line(error)
        if any(phrase in said for phrase in _BUSY):
            raise Unreachable(f"{place} is busy, and the transaction had no effect: {said}.") from None
        raise Refused(f"DuckDB answered: {said}.") from None
    except OSError as error:
        raise Refused(f"{error.filename or place} can't be written: {error.strerror}.") from None
