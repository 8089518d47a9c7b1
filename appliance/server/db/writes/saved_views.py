"""Writing saved views. Their user is locked, so that one is written after the other."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from appliance.server.db.rows.saved_views import ViewColumns
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.saved_views import SavedView

_view = table(SavedView)


def add(session: Session, view_id: UUID, user_id: UUID, columns: ViewColumns) -> None:
    session.connection().execute(insert(_view), {"id": view_id, "user_id": user_id, **columns})


def change(session: Session, view_id: UUID, columns: ViewColumns) -> None:
    session.connection().execute(update(_view).where(_view.c.id == view_id).values(columns))


def clear_default(session: Session, user_id: UUID) -> None:
    """None of the user's is the default now."""
    statement = update(_view).where(_view.c.user_id == user_id, _view.c.is_default).values(is_default=False)
    session.connection().execute(statement)


def remove(session: Session, user_id: UUID, view_id: UUID) -> bool:
    """Delete one of the user's; False if there is none with this id."""
    statement = delete(_view).where(_view.c.id == view_id, _view.c.user_id == user_id)
    return bool(session.connection().execute(statement).rowcount)
