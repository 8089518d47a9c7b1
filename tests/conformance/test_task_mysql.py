"""Tasks for MySQL on a real MariaDB: placeholders, transactions, loading, and which errors may be repeated."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

from appliance.core.secrets import Secret
from appliance.tasks.library.errors import AccessDenied, ConnectionLost, MissingArgument, Refused, Unreachable
from appliance.tasks.mysql import MySQLExecute, MySQLFetch, MySQLLoad
from tests.conformance.task_daemons import MariaDBUser, mariadb
from tests.e2e.appliance_process import until

__all__ = ["mariadb"]
PASSWORD = "open-maria-4711"


@pytest.fixture
def user(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MariaDBUser]:
    monkeypatch.setenv("APPLIANCE_SECRET_PW", PASSWORD)
    with closing(MariaDBUser(request.getfixturevalue("mariadb"), PASSWORD)) as user:
        yield user


@pytest.fixture
def where(user: MariaDBUser) -> dict[str, Any]:
    where = {"db_name": user.name, "user": user.name, "host": user.server.socket, "password": Secret("PW")}
    MySQLExecute(query="create table item (id int primary key, name text)", **where).run()
    return where


def test_placeholders_are_those_of_the_driver(where: dict[str, Any]) -> None:
    insert = MySQLExecute(query="insert into item values (%s, %s)", **where)
    assert insert.run(data=(1, "50%")) == 1
    assert (
        insert.run(
            query="insert into item values (%(id)s, %(name)s)", data={"id": 2, "name": "\N{TEACUP WITHOUT HANDLE}"}
        )
        == 1
    )
    assert insert.run(data=(3, "dropped"), commit=False) == 1
    assert MySQLFetch(query="select name from item where name like '5%'", **where).run() == ("50%",)
    fetch = MySQLFetch(
        fetch="all", query="select id, name from item where id > %s order by id", col_names=True, **where
    )
    assert fetch.run(data=(1,)) == [("id", "name"), (2, "\N{TEACUP WITHOUT HANDLE}")]
    update = MySQLFetch(query="insert into item values (6, 'f') returning id", **where)
    assert (update.run(), update.run(commit=True)) == ((6,), (6,))
    with pytest.raises(Refused, match=r"answered: Duplicate entry '6' for key") as refused:
        update.run()
    assert refused.value.code == 1062


def test_rows_and_files_are_loaded_and_written(where: dict[str, Any], tmp_path: Path) -> None:
    load = MySQLLoad(table="item", **where)
    assert load.run(rows=({"name": f"n{number}", "id": number} for number in range(12_000))) == {
        "table": "item",
        "rows": 12_000,
    }
    (tmp_path / "a.csv").write_text('name,id\n"two\nlines",12000\n,12001\n')
    assert load.run(path=tmp_path / "a.csv")["rows"] == 2
    fetch = MySQLFetch(
        query="select id, name from item where id >= 11999 order by id", path=tmp_path / "b.csv", **where
    )
    assert fetch.run() == {"path": str(tmp_path / "b.csv"), "rows": 3}
    assert (tmp_path / "b.csv").read_text() == 'id,name\n11999,n11999\n12000,"two\nlines"\n12001,\n'
    with pytest.raises(Refused, match="Duplicate entry"):
        load.run(rows=[{"id": 20_000, "name": "x"}, {"id": 1, "name": "y"}])
    assert MySQLFetch(query="select count(*) from item", **where).run() == (12_002,)


def test_what_the_server_denies_or_does_not_know_is_not_retried(where: dict[str, Any]) -> None:
    with pytest.raises(AccessDenied, match=r"denies access: Access denied for user .* to database 'nowhere'"):
        MySQLFetch(query="select 1", **(where | {"db_name": "nowhere"})).run()
    with pytest.raises(AccessDenied, match="SELECT command denied"):
        MySQLFetch(query="select * from mysql.user", **where).run()
    with pytest.raises(Refused, match="Unknown column 'x'") as refused:
        MySQLFetch(query="select x", **where).run()
    assert refused.value.code == 1054
    with pytest.raises(Refused, match="Unknown database 'nowhere'"):
        MySQLFetch("nowhere", "root", where["host"], query="select 1").run()


def test_a_lock_that_another_holds_is_unreachable(where: dict[str, Any], user: MariaDBUser) -> None:
    MySQLExecute(query="insert into item values (1, 'a')", **where).run()
    with closing(pymysql.connect(unix_socket=user.server.socket, user="root", database=user.name)) as other:
        other.cursor().execute("update item set name = 'b'")
        update = MySQLExecute(
            query="update item set name = 'c'",
            **where,
            connect_args={"init_command": "set innodb_lock_wait_timeout = 1"},
        )
        with pytest.raises(
            Unreachable, match="was busy, and the transaction had no effect: Lock wait timeout exceeded"
        ):
            update.run()
        other.rollback()
    assert update.run() == 1


def test_a_connection_that_breaks_is_not_repeated_if_it_writes(where: dict[str, Any], user: MariaDBUser) -> None:
    def kill() -> None:
        [number] = until("it is busy", lambda: user._connections("and command = 'Query' and info like '%sleep%'"))
        user.server.ask(f"kill {number}")

    for task, kind in (
        (MySQLExecute(query="insert into item select 1, sleep(60)", **where), ConnectionLost),
        (MySQLFetch(query="select sleep(60)", **where), Unreachable),
        (MySQLFetch(query="select sleep(60)", commit=True, **where), ConnectionLost),
    ):
        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(kind, match="or the connection broke: Lost connection"):
            task.run()
        thread.join()


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingArgument, match="MySQLFetch has no host"):
        MySQLFetch("shop", query="select 1").run()
    with pytest.raises(MissingArgument, match="MySQLExecute has no query"):
        MySQLExecute("shop", "ada", "db").run()
    assert {make(password=Secret("PW")).secrets for make in (MySQLExecute, MySQLFetch, MySQLLoad)} == {("PW",)}
