"""Subjects of the task library that read and write files of data, as places of the suite."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pyarrow
from pyarrow import parquet

from appliance.tasks.dataframes import ConvertDataFrame
from appliance.tasks.duckdb import DuckDBFetch
from tests.conformance.task_place import Make, Place


def is_open(file: Path) -> bool:
    """Does any process have the file open?"""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(link.readlink()) == str(file):
                return True
    return False


class DuckDB(Place):
    subject = "duckdb"

    def fetch(self, query: str) -> Make:
        return lambda **options: DuckDBFetch(self.folder / "data.db", query, **options)()

    def good(self) -> Make:
        return self.fetch("select 1")

    def slow(self) -> Make:
        return self.fetch("select sum(a.range * b.range) from range(1_000_000) a, range(100_000_000_000) b")

    def is_busy(self) -> bool:
        return is_open(self.folder / "data.db")


class DataFrames(Place):
    subject = "dataframes"

    def convert(self, rows: int) -> Make:
        table = pyarrow.table({"a": pyarrow.nulls(rows)})
        parquet.write_table(table, self.folder / "a.parquet", row_group_size=rows)
        files = (self.folder / "a.parquet", self.folder / "a.csv")
        return lambda **options: ConvertDataFrame(*files, batch_rows=10, **options)()

    def good(self) -> Make:
        return self.convert(100)

    def slow(self) -> Make:
        """Not an hour, but longer than anyone waits for it."""
        return self.convert(50_000_000)

    def is_busy(self) -> bool:
        return is_open(self.folder / "a.parquet")


DATA: list[type[Place]] = [DuckDB, DataFrames]
