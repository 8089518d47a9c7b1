"""Runs that were deleted, so that agents may remove the results that these kept on their hosts. Retention forgets them after a month."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, Time


class RemovedRun(SQLModel, table=True):
    __tablename__ = "removed_run"

    id: UUID = Field(sa_type=Id, primary_key=True)
    at: datetime = Field(sa_type=Time, index=True)
