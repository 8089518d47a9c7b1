"""Tasks for databases: what they execute, fetch and load, on Postgres, SQLite and MariaDB, and what a transaction leaves behind."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import NullPool, create_engine, text

from appliance.core.secrets import Secret
from appliance.tasks.library.errors import MissingArgument, Refused, Unreachable
from appliance.tasks.postgres import PostgresExecute, PostgresExecuteMany, PostgresFetch, PostgresLoad
from appliance.tasks.sql import BATCH, SqlExecute, SqlExecuteMany, SqlFetch, SqlLoad
from appliance.tasks.sqlite import SQLiteQuery, SQLiteScript
from tests.conformance.task_daemons import mariadb
from tests.integration.conftest import new_database_name, new_postgres, postgres_server

__all__ = ["mariadb", "postgres_server"]
TABLE = "create table item (id integer primary key, name text)"


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'items.db'}"
    elif request.param == "mariadb":
        server, name = request.getfixturevalue("mariadb"), new_database_name()
        server.ask(f"create database {name}")
        yield f"mysql+pymysql://root@/{name}?unix_socket={server.socket}"
        server.ask(f"drop database {name}")
    else:
        with new_postgres(request.getfixturevalue("postgres_server"), new_database_name()) as address:
            yield address


@pytest.fixture
def sql(url: str) -> dict[str, Any]:
    SqlExecute(TABLE, url=url).run()
    return {"url": url}


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[dict[str, Any]]:
    with new_postgres(postgres_server, new_database_name()) as address:
        parts = urlsplit(address)
        where = {"db_name": parts.path.strip("/"), "user": "postgres", "host": parse_qs(parts.query)["host"][0]}
        PostgresExecute(query=TABLE, **where).run()
        yield where


def names(url: str) -> list[Any]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return [row[0] for row in connection.execute(text("select name from item order by id"))]


def test_execute_many_and_fetch(sql: dict[str, Any]) -> None:
    insert = "insert into item values (:id, :name)"
    rows = ({"id": number, "name": f"n{number}"} for number in range(3))
    assert SqlExecuteMany(insert, **sql).run(data=rows) == 3
    assert SqlExecute(insert, {"id": 9, "name": "100%"}, **sql).run() == 1
    fetch = SqlFetch(
        "select id, name from item where id > :least order by id", data={"least": 0}, col_names=True, **sql
    )
    assert fetch.run() == [("id", "name"), (1, "n1"), (2, "n2"), (9, "100%")]
    query = "select name from item order by id"
    assert SqlFetch(query, fetch="one", **sql).run() == ("n0",)
    assert SqlFetch(query, fetch="one", col_names=True, **sql).run() == [("name",), ("n0",)]
    assert SqlFetch(query, fetch="many", fetch_count=2, **sql).run() == [("n0",), ("n1",)]
    assert SqlFetch("select name from item where id = 77", fetch="one", **sql).run() is None
    with pytest.raises(ValueError, match="fetch must be"):
        SqlFetch(query, fetch="some", **sql).run()  # type: ignore[arg-type]


def test_a_list_of_queries_is_one_transaction(sql: dict[str, Any]) -> None:
    SqlExecute(["insert into item values (1, 'a')", "update item set name = 'b' where id = 1"], **sql).run()
    with pytest.raises(Refused, match="answered"):
        SqlExecute(["insert into item values (2, 'c')", "insert into item values (1, 'd')"], **sql).run()
    assert names(sql["url"]) == ["b"]
    SqlFetch("insert into item values (3, 'e') returning id", **sql).run()
    assert names(sql["url"]) == ["b"], "a fetch changes nothing"


def test_rows_are_loaded_and_written_in_batches(sql: dict[str, Any], tmp_path: Path) -> None:
    count = BATCH + 5
    rows = ({"name": None if number == 3 else f'n"{number}', "id": number} for number in range(count))
    assert SqlLoad("item", **sql).run(rows=rows) == {"table": "item", "rows": count}
    fetch = SqlFetch("select id, name from item order by id", **sql)
    assert fetch.run(path=tmp_path / "items.csv") == {"path": str(tmp_path / "items.csv"), "rows": count}
    assert fetch.run(path=tmp_path / "items.jsonl")["rows"] == count
    with (tmp_path / "items.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert (lines[0], lines[1], lines[4], len(lines)) == (["id", "name"], ["0", 'n"0'], ["3", ""], count + 1)
    assert json.loads((tmp_path / "items.jsonl").read_text().splitlines()[3]) == {"id": 3, "name": None}
    SqlExecute("delete from item", **sql).run()
    assert SqlLoad("item", path=tmp_path / "items.csv", **sql).run()["rows"] == count
    assert names(sql["url"])[2:4] == ['n"2', None]
    assert SqlLoad("item", rows=[], **sql).run() == {"table": "item", "rows": 0}
    with pytest.raises(Refused, match="rows must be dicts"):
        SqlLoad("item", rows=[(1, 2)], **sql).run()  # type: ignore[list-item]


def test_names_of_tables_and_columns_are_quoted(sql: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        SqlLoad('item"; drop table item; --', rows=[{"id": 1}], **sql).run()
    with pytest.raises(Refused):
        SqlLoad("item", rows=[{'id") select 1; --': 1}], **sql).run()
    assert names(sql["url"]) == []


def test_addresses_and_missing_arguments_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must not have the password.*Secret\('NAME'\)"):
        SqlExecute("select 1", url="postgresql://ada:pw@host/db")
    with pytest.raises(ValueError, match="url is not an address"):
        SqlExecute("select 1", url="nonsense")
    with pytest.raises(TypeError, match="password must be a secret"):
        SqlExecute("select 1", url="sqlite://", password="x")  # type: ignore[arg-type]
    with pytest.raises(MissingArgument, match="SqlFetch has no query"):
        SqlFetch(url="sqlite://").run()
    with pytest.raises(Refused, match=r"driver for mysql.* is not installed: No module named 'asyncmy'"):
        SqlFetch("select 1", url="mysql+asyncmy://ada@db.example.org/x").run()
    with pytest.raises(Refused, match="unable to open database file"):
        SQLiteQuery(tmp_path / "missing" / "x.db", "select 1").run()


# --- dialects


def test_postgres_has_the_placeholders_of_its_driver(postgres: dict[str, Any]) -> None:
    insert = PostgresExecute(query="insert into item values (%s, %s)", **postgres)
    assert insert.run(data=(1, "50%")) == 1
    assert insert.run(query="insert into item values (%(id)s, %(name)s)", data={"id": 2, "name": "x"}) == 1
    assert insert.run(data=(3, "dropped"), commit=False) == 1
    many = PostgresExecuteMany(query="insert into item values (%s, %s)", data=[(4, "d"), [5, "e"]], **postgres)
    assert many.run() == 2
    assert PostgresFetch(query="select name from item where name like '5%'", **postgres).run() == ("50%",)
    assert PostgresFetch(fetch="all", query="select id from item order by id", **postgres).run() == [
        (1,),
        (2,),
        (4,),
        (5,),
    ]
    returning = PostgresFetch(query="insert into item values (6, 'f') returning id", **postgres)
    assert (returning.run(), returning.run(commit=True)) == ((6,), (6,))
    with pytest.raises(Refused) as refused:
        returning.run()
    assert refused.value.code == "23505"


def test_postgres_loads_by_copy(postgres: dict[str, Any], tmp_path: Path) -> None:
    PostgresExecute(
        query="create schema stock; create table stock.part (id int, note text, at timestamptz)", **postgres
    ).run()
    file = tmp_path / "parts.csv"
    file.write_text('note,id\n"a\tb\nc",1\n,2\n')
    load = PostgresLoad(table="stock.part", **postgres)
    assert load.run(path=file) == {"table": "stock.part", "rows": 2}
    assert load.run(rows=({"id": n, "note": None} for n in range(3, 30_000)))["rows"] == 29_997
    fetch = PostgresFetch(fetch="many", fetch_count=2, query="select id, note from stock.part order by id", **postgres)
    assert fetch.run() == [(1, "a\tb\nc"), (2, None)]
    with pytest.raises(Refused, match="invalid input syntax for type integer"):
        load.run(rows=[{"id": 7, "note": "x"}, {"id": "seven", "note": "y"}])
    assert PostgresFetch(query="select count(*) from stock.part", **postgres).run() == (29_999,)
    with pytest.raises(Refused) as refused:
        PostgresLoad(table="missing", rows=[{"id": 1}], **postgres).run()
    assert refused.value.code == "42P01"


@pytest.mark.parametrize(("database", "kind"), [("nowhere", Refused)])
def test_a_database_that_does_not_exist_is_not_retried(
    postgres: dict[str, Any], database: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="does not exist"):
        PostgresFetch(query="select 1", **(postgres | {"db_name": database})).run()


def test_a_transaction_that_lost_a_deadlock_may_be_repeated(postgres: dict[str, Any]) -> None:
    fail = "do $$ begin raise exception 'again' using errcode = '40P01'; end $$"
    with pytest.raises(Unreachable, match="the transaction had no effect: again"):
        PostgresExecute(query=fail, **postgres).run()


def test_sqlite_queries_and_scripts(tmp_path: Path) -> None:
    db = tmp_path / "x.db"
    SQLiteScript(db, f"{TABLE}; insert into item values (1, 'a;b');").run()
    assert SQLiteQuery(db, "select * from item where id = ?").run(data=(1,)) == [(1, "a;b")]
    assert SQLiteQuery(db, "insert into item values (:id, :name)", {"id": 2, "name": "c"}).run() == []
    with pytest.raises(Refused, match="no such table"):
        SQLiteScript(db, "insert into item values (3, 'd'); insert into nowhere values (1)").run()
    assert SQLiteQuery(db).run(query="select count(*) from item") == [(2,)]


def test_secrets_of_dialects_are_declared() -> None:
    tasks: list[Callable[..., Any]] = [PostgresFetch, PostgresExecute, PostgresExecuteMany, PostgresLoad, SqlFetch]
    assert {make(password=Secret("PG")).secrets for make in tasks} == {("PG",)}
