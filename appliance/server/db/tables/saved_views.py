"""Views of the runs that users have saved under a name: a query, an order, and columns."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.protocol.run_filter import LIST_ORDERS
from appliance.server.db.tables.columns import Id, OneOf, Texts, partial_index


class SavedView(SQLModel, table=True):
    __tablename__ = "saved_view"
    __table_args__ = (
        UniqueConstraint("user_id", "folded_name"),
        partial_index("uq_saved_view_default", "user_id", where="is_default", unique=True),
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    user_id: UUID = Field(sa_type=Id, foreign_key="user.id", ondelete="CASCADE")
    name: str = Field(max_length=60)
    folded_name: str = Field(max_length=200)  # in no case, which can be longer
    q: str = Field(max_length=500)
    sort: str | None = Field(default=None, sa_type=OneOf(*LIST_ORDERS))  # null: the usual order of the query
    columns: list[str] = Field(sa_type=Texts)  # empty: those that the user has chosen for all lists
    is_default: bool = False
