"""What was done under which idempotency key, so that a request that is sent again has no second effect."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import LongText, Time


class RequestKey(SQLModel, table=True):
    __tablename__ = "request_key"

    id: str = Field(primary_key=True, max_length=64)  # hash of caller and key: the key itself may open a token
    caller: str = Field(default="", max_length=200)
    verb: str = Field(max_length=40)  # flow_run.cancel, schedule.create, ...
    fingerprint: str = Field(max_length=300)  # hash of verb, target and payload
    answer: str = Field(default="", sa_type=LongText)  # JSON; empty until the transaction that does it ends
    at: datetime = Field(sa_type=Time, index=True)
