"""Tasks for DuckDB: what they execute, fetch and load, what a transaction leaves behind, and who has to wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from appliance.tasks.duckdb import DuckDBExecute, DuckDBFetch, DuckDBLoad
from appliance.tasks.library.errors import MissingArgument, Refused, Unreachable

ITEMS = ["create table item (id int, name text)", "insert into item values (1, 'one'), (2, 'it''s two')"]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    DuckDBExecute(tmp_path / "shop.db", ITEMS).run()
    return tmp_path / "shop.db"


def test_execute_returns_how_many_rows_were_affected(db: Path) -> None:
    assert DuckDBExecute(db, "update item set id = id + 1 where id > $least").run(data={"least": 1}) == 1
    assert DuckDBExecute(db, "insert into item values (?, ?)", [9, "%"]).run() == 1
    assert DuckDBExecute(db).run("create schema other") == 0
    assert DuckDBFetch(db, "select id from item order by id").run() == [(1,), (3,), (9,)]


def test_a_list_of_queries_is_one_transaction(db: Path) -> None:
    with pytest.raises(Refused, match="DuckDB answered: Parser Error"):
        DuckDBExecute(db, ["delete from item", "nonsense"]).run()
    assert DuckDBFetch(db, "select count(*) from item", fetch="one").run() == (2,)


def test_a_fetch_changes_nothing(db: Path) -> None:
    assert DuckDBFetch(db, "delete from item returning id").run() == [(1,), (2,)]
    assert DuckDBFetch(db, "select count(*) from item", fetch="one").run() == (2,)


@pytest.mark.parametrize(
    ("fetch", "expected"),
    [("one", [("id",), (1,)]), ("many", [("id",), (1,), (2,)]), ("all", [("id",), (1,), (2,), (3,)])],
)
def test_rows_come_with_or_without_names(fetch: Literal["one", "many", "all"], expected: list[Any]) -> None:
    query = "select unnest([1, 2, 3]) as id"
    assert DuckDBFetch(query=query, fetch=fetch, fetch_count=2, col_names=True).run() == expected
    rows = DuckDBFetch(query=query, fetch=fetch, fetch_count=2).run()
    assert rows == (expected[1] if fetch == "one" else expected[1:])
    assert DuckDBFetch(query="select 1 where false", fetch="one").run() is None


@pytest.mark.parametrize(
    "name", ["it's.parquet", "o.csv", "o.tsv", "o.jsonl", "o.json", "o.csv.gz", "o.csv.zst", "o.jsonl.gz"]
)
def test_what_is_written_can_be_loaded(db: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    fetch = DuckDBFetch(db, "select * from item where id >= $least -- all\n;", path=path)
    assert fetch.run(data={"least": 1}) == {"path": str(path), "rows": 2}
    load = DuckDBLoad(tmp_path / "other.db", 'the "items"', path)
    assert [load.run(), load.run()] == [{"table": 'the "items"', "rows": 2}] * 2
    rows = DuckDBFetch(tmp_path / "other.db", 'select distinct * from "the ""items""" order by id').run()
    assert rows == [(1, "one"), (2, "it's two")]
    assert not list(tmp_path.glob(".*"))


def test_compressed_files_are_compressed(tmp_path: Path) -> None:
    DuckDBFetch(query="select 1 as a", path=tmp_path / "a.csv.gz").run()
    assert (tmp_path / "a.csv.gz").read_bytes()[:2] == b"\x1f\x8b"
    DuckDBFetch(query="select 1 as a, 2 as b", path=tmp_path / "a.tsv").run()
    assert (tmp_path / "a.tsv").read_text() == "a\tb\n1\t2\n"


def test_loading_finds_columns_by_name_or_replaces_the_table(db: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,id\nthree,3\n")
    (tmp_path / "b.csv").write_text("name,id\nfour,4\n")
    DuckDBExecute(db, "create schema s").run()
    assert DuckDBLoad(db, path=tmp_path / "*.csv").run(table="item") == {"table": "item", "rows": 2}
    assert DuckDBFetch(db, "select * from item where id > 2 order by id").run() == [(3, "three"), (4, "four")]
    load = DuckDBLoad(db, "s.item", tmp_path / "a.csv", if_exists="replace")
    assert [load.run()["rows"], load.run()["rows"]] == [1, 1]
    assert DuckDBFetch(db, "from s.item").run() == [("three", 3)]
    (tmp_path / "bad.csv").write_text("name,size\nfive,5\n")
    with pytest.raises(Refused, match=r"does not have a column with name .size"):
        DuckDBLoad(db, "item", tmp_path / "bad.csv").run()


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(Refused, match="Conversion Error"):
        DuckDBFetch(query="select cast('x' as int)", path=tmp_path / "a.csv").run()
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_a_database_that_another_process_has_is_unreachable(db: Path) -> None:
    code = "import duckdb, sys\nc = duckdb.connect(sys.argv[1], sys.argv[2] == 'r')\nprint('open', flush=True)\ninput()"
    for mode in "wr":
        command = [sys.executable, "-c", code, str(db), mode]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout and process.stdin and process.stdout.readline() == "open\n"
            with pytest.raises(Unreachable, match=r"shop\.db is busy, and the transaction had no effect: IO Error"):
                DuckDBExecute(db, "delete from item").run()
            if mode == "r":
                assert DuckDBFetch(db, "select count(*) from item", fetch="one", read_only=True).run() == (2,)
            process.stdin.close()
    assert DuckDBExecute(db, "delete from item").run() == 2


def test_settings_are_those_of_duckdb() -> None:
    query = "select current_setting('threads')"
    assert DuckDBFetch(query=query, fetch="one", config={"threads": 3}).run() == (3,)
    with pytest.raises(Refused, match="options were not recognized: thread"):
        DuckDBFetch(query=query, config={"thread": 3}).run()


@pytest.mark.parametrize("path", ["a.xlsx", "a", "a.parquet.gz", "gz"])
def test_an_unknown_format_is_refused(path: str) -> None:
    with pytest.raises(Refused, match=r"has none of the endings \.parquet, \.csv"):
        DuckDBFetch(query="select 1", path=path).run()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingArgument, match="DuckDBFetch has no query"):
        DuckDBFetch().run()
    with pytest.raises(Refused, match="can't be written: No such file or directory"):
        DuckDBFetch(query="select 1", path=tmp_path / "none" / "a.csv").run()
    with pytest.raises(ValueError, match="fetch must be 'one', 'many' or 'all', not 'first'"):
        DuckDBFetch(fetch="first")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="if_exists must be 'append' or 'replace', not 'fail'"):
        DuckDBLoad(if_exists="fail")  # type: ignore[arg-type]
