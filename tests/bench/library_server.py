"""The least that a server does which is made of the appliance's libraries: Litestar takes a JSON body, SQLAlchemy Core reads a row, changes it by
compare-and-set and inserts two, all durable before the answer. No authentication, no rules, no history."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Litestar, post
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)

_METADATA = MetaData()
_RUN = Table("run", _METADATA, Column("id", Integer, primary_key=True), Column("version", Integer))
_STATE = Table("state", _METADATA, Column("id", Integer, primary_key=True), Column("at", String(40)))
_EVENT = Table("event", _METADATA, Column("id", Integer, primary_key=True), Column("kind", String(40)))
_READ = select(_RUN.c.version).where(_RUN.c.id == 1)
_CHANGE = update(_RUN).where(_RUN.c.id == 1, _RUN.c.version == bindparam("before")).values(version=bindparam("after"))


class Body(msgspec.Struct):
    attempt: int
    seq: int
    events: list[Any]


class Answer(msgspec.Struct):
    acked: int


def app(file: str) -> Litestar:
    """POST /report on an SQLite file, from new."""
    engine = _engine(file)
    with engine.begin() as connection:
        _METADATA.drop_all(connection)
        _METADATA.create_all(connection)
        connection.execute(insert(_RUN).values(id=1, version=0))

    @post("/report", sync_to_thread=False)
    def report(data: Body) -> Answer:
        with engine.begin() as connection:
            version = connection.execute(_READ).scalar_one()
            changed = connection.execute(_CHANGE, {"before": version, "after": version + 1})
            assert changed.rowcount == 1
            connection.execute(insert(_STATE), {"at": "2026-03-02 00:00:00.000000"})
            connection.execute(insert(_EVENT), {"kind": "flow_run.state"})
        return Answer(acked=data.seq)

    return Litestar([report], openapi_config=None, logging_config=None)


def _engine(file: str) -> Engine:
    engine = create_engine(f"sqlite:///{file}")

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=wal", "synchronous=full"):
            connection.execute(f"pragma {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("begin immediate")

    return engine
