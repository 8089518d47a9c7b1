"""Whole columns are converted as their values one by one are, and None is stored as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, select
from sqlalchemy.dialects import sqlite

from appliance.server.db.bulk import BulkInsert
from appliance.server.db.sqlite import dbapi
from appliance.server.db.tables.columns import Document, Id, Time

_ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Berlin")])
_TIMES = st.builds(
    lambda seconds, part, zone: (datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=part)).astimezone(zone),
    st.integers(0, 10**8), st.sampled_from([0, 0, 1, 999_999]), _ZONES,
)  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), [(Time(), _TIMES), (Id(), st.uuids())], ids=["times", "ids"])
def test_a_column_is_converted_as_its_values_are(kind: Any, values: st.SearchStrategy[Any]) -> None:
    dialect: Any = sqlite.dialect()  # type: ignore[no-untyped-call]
    one, column = kind.bind_processor(dialect), kind.bind_column_processor(dialect)

    @settings(deadline=None)
    @given(st.lists(st.none() | values, min_size=1, max_size=6).map(tuple))
    def check(row: tuple[Any, ...]) -> None:
        assert list(column(row)) == [one(value) for value in row]

    check()


def test_equal_values_of_other_types_are_kept_apart_in_a_column() -> None:
    table = Table("t", MetaData(), Column("id", Id()), Column("data", Document))
    same, documents = UUID(int=7), [{"a": 1}, {"a": True}, {"a": 1.0}, None, {"a": 1}]
    engine = create_engine("sqlite://", module=dbapi)
    with engine.begin() as connection:
        table.create(connection)
        BulkInsert(table)(connection, [{"id": same, "data": document} for document in documents])
        found = connection.execute(select(table)).all()
    assert [repr(row.data) for row in found] == [repr(document) for document in documents]
    assert {row.id for row in found} == {same}


def test_the_driver_takes_none_without_searching_it_for_methods() -> None:
    assert dbapi.adapt(None) is None  # raises ProgrammingError without an adapter
