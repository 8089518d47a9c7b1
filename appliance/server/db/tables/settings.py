"""Small facts about the installation itself: the one-time setup token's hash, keys, switches."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import LongText, Time


class Setting(SQLModel, table=True):
    __tablename__ = "setting"

    name: str = Field(primary_key=True, max_length=100)
    value: str = Field(sa_type=LongText)
    updated: datetime = Field(sa_type=Time)
