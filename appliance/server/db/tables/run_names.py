"""The names of flow runs, for the search of a part of them. The table has an index of three characters each: on SQLite the FTS5 table
`run_search`, on Postgres the GIN index `run_search`, which the migrations make, since neither can be declared here.

Postgres fills it by a trigger, so that nodes of an earlier version do too during an upgrade. SQLite's is filled by our own writes: a
SQLite file with a trigger is refused, since whoever prepared it could have it do anything.
"""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import BigKey, Id


class RunName(SQLModel, table=True):
    __tablename__ = "run_name"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    flow_run_id: UUID = Field(sa_type=Id, foreign_key="flow_run.id", ondelete="CASCADE", unique=True)
    name: str = Field(max_length=200)
