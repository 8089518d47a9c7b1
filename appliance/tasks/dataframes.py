"""Data frames in Parquet and CSV files: read, write and convert them by way of Arrow, batch by batch, so that a file may be larger than the memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypedDict, Unpack

from appliance.kit import distribution
from appliance.tasks.catalogue import require

require("dataframes")

from appliance.tasks.library.arguments import (  # noqa: E402 - says what to install
    defaults_from_attrs,
    needed_path,
)
from appliance.tasks.library.drafts import draft  # noqa: E402
from appliance.tasks.library.errors import Refused, first_line  # noqa: E402
from appliance.tasks.library.interruption import Abandoned, interruptible  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions, task_options  # noqa: E402

__all__ = ["ConvertDataFrame", "ReadDataFrame", "WriteDataFrame", "Written"]

BATCH_ROWS = 131_072
_BLOCK = 16 * 1024 * 1024
"""How much of a CSV file makes a batch, and is read to find the types of its columns."""
_PARQUET, _CSV = (".parquet",), (".csv", ".csv.gz")


class DataFrameOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    columns: Sequence[str] | None
    column_types: Mapping[str, str] | None
    delimiter: str


class Written(TypedDict):
    """The file that a task has written, with the names of its columns."""

    path: str
    rows: int
    columns: list[str]


class _DataFrameTask(LibraryTask):
    """`columns` are those to keep, all by default. CSV files have a `delimiter`, and their columns types that are guessed from the first 16 MB, unless
    `column_types` says otherwise, in the words of Arrow: `{"zip": "string", "price": "float64"}`."""

    def __init__(self, **options: Unpack[DataFrameOptions]) -> None:
        columns, types = options.pop("columns", None), options.pop("column_types", None)
        delimiter = options.pop("delimiter", ",")
        super().__init__(**task_options(options))
        self.columns, self.column_types, self.delimiter = columns, types, delimiter

    @contextmanager
    def batches(self, path: Path, rows: int = BATCH_ROWS) -> Iterator[tuple[Any, Iterator[Any]]]:
        """The schema and the batches of a file. Raises Refused."""
        import pyarrow
        from pyarrow import csv, parquet

        if _is_parquet(path):
            with parquet.ParquetFile(path) as file:
                names, columns = file.schema_arrow.names, None if self.columns is None else list(self.columns)
                if missing := [name for name in columns or () if name not in names]:
                    raise Refused(f"{path} has no column {missing[0]!r}.")
                schema = file.schema_arrow
                if columns is not None:
                    schema = pyarrow.schema([schema.field(name) for name in columns], schema.metadata)
                yield schema, (batch.select(schema.names) for batch in file.iter_batches(rows, columns=columns))
            return
        types = {name: pyarrow.type_for_alias(kind) for name, kind in (self.column_types or {}).items()}
        with csv.open_csv(
            path,
            csv.ReadOptions(block_size=_BLOCK),
            csv.ParseOptions(delimiter=self.delimiter),
            csv.ConvertOptions(column_types=types, include_columns=self.columns),
        ) as reader:
            yield reader.schema, reader

    @contextmanager
    def stoppable(self, batches: Iterable[Any]) -> Iterator[Iterator[Any]]:
        """The batches, until the task must stop: what reads them is in C, but never for long."""
        stopped = threading.Event()

        def until_stopped() -> Iterator[Any]:
            for batch in batches:
                if stopped.is_set():
                    raise Abandoned
                yield batch

        with interruptible(self, stopped.set):
            yield until_stopped()

    def write(self, schema: Any, batches: Iterable[Any], path: Path) -> Written:
        """Write the batches to a file, which is there when it is complete. Raises Refused."""
        rows = 0
        with self.stoppable(batches) as parts, draft(path) as file, self._writer(schema, file, path) as writer:
            for batch in parts:
                writer.write_batch(batch)
                rows += batch.num_rows
        return {"path": str(path), "rows": rows, "columns": list(schema.names)}

    @contextmanager
    def _writer(self, schema: Any, file: BinaryIO, path: Path) -> Iterator[Any]:
        import pyarrow
        from pyarrow import csv, parquet

        with ExitStack() as stack:
            if _is_parquet(path):
                yield stack.enter_context(parquet.ParquetWriter(file, schema))
                return
            target: Any = file
            if path.suffix == ".gz":
                target = stack.enter_context(pyarrow.CompressedOutputStream(file, "gzip"))
            yield stack.enter_context(
                csv.CSVWriter(target, schema, write_options=csv.WriteOptions(delimiter=self.delimiter))
            )


class ReadDataFrame(_DataFrameTask):
    """Reads a Parquet or CSV file. The result is the table, of Arrow, or with `library="pandas"` a data frame of pandas, which must be installed."""

    def __init__(
        self,
        path: str | Path | None = None,
        library: Literal["arrow", "pandas"] = "arrow",
        **options: Unpack[DataFrameOptions],
    ) -> None:
        """Takes `columns`, `column_types`, `delimiter`, and the options of Task, too."""
        super().__init__(**options)
        if library not in ("arrow", "pandas"):
            raise ValueError(f"library must be 'arrow' or 'pandas', not {library!r}.")
        self.path, self.library = path, library

    @defaults_from_attrs("path")
    def run(self, path: str | Path | None = None) -> Any:
        """Raises Refused, and ImportError where pandas is missing."""
        import pyarrow

        if self.library == "pandas":
            distribution.require_extra("ReadDataFrame(library='pandas')", "pandas", "pandas")
        source = needed_path(self, "path", path)
        with _sentences(source), self.batches(source) as (schema, batches), self.stoppable(batches) as parts:
            table = pyarrow.Table.from_batches(parts, schema)
            return table.to_pandas() if self.library == "pandas" else table


class WriteDataFrame(_DataFrameTask):
    """Writes a Parquet or CSV file, as the path ends. `data` is a data frame of pandas, Polars or another library with the interface of Arrow, a table of
    Arrow, a dict of columns, or a list of dicts. The result is the path, how many rows were written, and the names of the columns."""

    def __init__(self, path: str | Path | None = None, **options: Unpack[DataFrameOptions]) -> None:
        """Takes `columns`, `delimiter`, and the options of Task, too."""
        super().__init__(**options)
        self.path = path

    @defaults_from_attrs("path")
    def run(self, data: Any, path: str | Path | None = None) -> Written:
        """Raises Refused."""
        target = needed_path(self, "path", path)
        with _sentences(target):
            table = _table(data)
            if self.columns is not None:
                table = table.select(list(self.columns))
            return self.write(table.schema, table.to_batches(BATCH_ROWS), target)


class ConvertDataFrame(_DataFrameTask):
    """Converts a Parquet or CSV file to the other format, or to the same one with fewer columns, with `batch_rows` of Parquet in memory at a time.

    The result is the path, how many rows were written, and the names of the columns.
    """

    def __init__(
        self,
        source: str | Path | None = None,
        path: str | Path | None = None,
        batch_rows: int = BATCH_ROWS,
        **options: Unpack[DataFrameOptions],
    ) -> None:
        """Takes `columns`, `column_types`, `delimiter`, and the options of Task, too."""
        super().__init__(**options)
        self.source, self.path, self.batch_rows = source, path, batch_rows

    @defaults_from_attrs("source", "path")
    def run(self, source: str | Path | None = None, path: str | Path | None = None) -> Written:
        """Raises Refused."""
        origin, target = needed_path(self, "source", source), needed_path(self, "path", path)
        with _sentences(origin), self.batches(origin, self.batch_rows) as (schema, batches):
            return self.write(schema, batches, target)


def _table(data: Any) -> Any:
    import pyarrow

    if isinstance(data, pyarrow.RecordBatchReader):
        return data.read_all()
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return pyarrow.Table.from_pylist(list(data))
    return pyarrow.table(data)


def _is_parquet(path: Path) -> bool:
    """The format, by the end of the name. Raises Refused."""
    name = path.name.lower()
    if not name.endswith((*_PARQUET, *_CSV)):
        raise Refused(
            f"{str(path)!r} ends neither with .parquet nor with {' or '.join(_CSV)}, so that its format isn't known."
        )
    return name.endswith(_PARQUET)


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except FileNotFoundError as error:
        raise Refused(f"{error.filename or path} can't be used: there is no such file or folder.", 2) from None
    except OSError as error:
        raise Refused(
            f"{error.filename or path} can't be used: {error.strerror or first_line(error)}.", error.errno
        ) from None
    except (pyarrow.ArrowException, TypeError, ValueError, KeyError) as error:
        said = str(error.args[0]) if isinstance(error, KeyError) and error.args else first_line(error)
        raise Refused(f"{path} can't be read or written: {said.rstrip('.')}.") from None
