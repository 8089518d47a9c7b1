"""Reads of saved views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.rows.saved_views import SavedViewRow
from appliance.server.db.tables import metadata

_view = metadata.tables["saved_view"]


def of_user(session: Session, user_id: UUID) -> Sequence[SavedViewRow]:
    """Those of a user, by name."""
    statement = select(_view).where(_view.c.user_id == user_id).order_by(_view.c.folded_name)
    return cast(Sequence[SavedViewRow], readable.every(session, statement))


def own(session: Session, user_id: UUID, view_id: UUID) -> SavedViewRow | None:
    """The view with this id, if it is one of the user's."""
    statement = select(_view).where(_view.c.id == view_id, _view.c.user_id == user_id)
    return cast(SavedViewRow | None, session.connection().execute(statement).one_or_none())


def named(session: Session, user_id: UUID, folded_name: str) -> SavedViewRow | None:
    """The user's view of this name."""
    statement = select(_view).where(_view.c.user_id == user_id, _view.c.folded_name == folded_name)
    return cast(SavedViewRow | None, session.connection().execute(statement).one_or_none())


def number_of(session: Session, user_id: UUID) -> int:
    """How many a user has."""
    statement = select(func.count()).where(_view.c.user_id == user_id)
    return int(session.connection().execute(statement).scalar_one())
