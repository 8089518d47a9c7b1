"""A lease: which process runs a service now. Its epoch grows with every new holder and fences the old one's writes."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Time, Whole


class Lease(SQLModel, table=True):
    __tablename__ = "lease"

    name: str = Field(primary_key=True, max_length=100)
    holder: str = Field(max_length=200)
    epoch: int = Field(default=1, sa_type=Whole)
    expires: datetime = Field(sa_type=Time)
    last_run_at: datetime | None = Field(default=None, sa_type=Time)  # the service's last completed round
    since: datetime | None = Field(
        default=None, sa_type=Time
    )  # of who beats: the first beat after the last long silence
    last_counts: str = Field(default="", max_length=500)
