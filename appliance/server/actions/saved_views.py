"""Saved views: a user keeps queries for runs under names. Each user sees and changes their own alone."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.saved_views import EditView, SavedViewView, SaveView
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import run_filter_names
from appliance.server.db.reads import saved_views as reads
from appliance.server.db.rows.saved_views import SavedViewRow, ViewColumns
from appliance.server.db.session import Database
from appliance.server.db.writes import saved_views as writes
from appliance.server.db.writes import users
from appliance.server.domain import run_query
from appliance.server.errors import Conflict, Forbidden, Invalid, NotFound
from appliance.server.events.outbox import announce

MOST = 100
"""How many views a user can have."""
LONGEST_NAME = 60
_MOST_COLUMNS = 40
_COLUMN = re.compile(r"[a-z_]{1,30}")
_UNKNOWN = "You have no such saved view; it may have been deleted."


@keyed("saved_view.save")
def save(db: Database, actor: Actor, request: SaveView, *, now: datetime | None = None) -> UUID:
    """Save a view of the caller, in place of the one of this name. Raises what the grammar says of a query that can't be used, and
    UnknownName if it names a state, project or flow that doesn't exist."""
    now, user_id = now or clock.now(), owner(actor)
    name = _name(request.name)
    q = request.q.strip()
    query = run_query.parse(q, now)
    if len(request.columns) > _MOST_COLUMNS or not all(map(_COLUMN.fullmatch, request.columns)):
        raise Invalid(f"The columns of a view are at most {_MOST_COLUMNS} names in small letters, such as state.")
    columns: ViewColumns = {
        "name": name, "folded_name": name.casefold(), "q": q, "sort": request.sort, "columns": request.columns,
    }  # fmt: skip
    with db.write("saved_view.save") as session:
        run_filter_names.check(session, query)
        _lock(session, user_id)
        known = reads.named(session, user_id, name.casefold())
        if known is None and reads.number_of(session, user_id) >= MOST:
            raise Conflict(f"You have {MOST} saved views already; delete some of them first.")
        _decide(session, user_id, columns, request.default)
        view_id = ids.uuid7() if known is None else known.id
        if known is None:
            writes.add(session, view_id, user_id, {"is_default": False, **columns})
        else:
            writes.change(session, view_id, columns)
        announce(session, "saved_view", view_id, "saved_view.saved", {}, actor, now)
        return view_id


@keyed("saved_view.edit")
def edit(db: Database, actor: Actor, view_id: UUID, request: EditView, *, now: datetime | None = None) -> None:
    """Rename a view of the caller, or make it the default, or not."""
    now, user_id = now or clock.now(), owner(actor)
    columns: ViewColumns = {}
    if request.name is not None:
        columns["name"] = _name(request.name)
        columns["folded_name"] = columns["name"].casefold()
    with db.write("saved_view.edit") as session:
        _lock(session, user_id)
        if reads.own(session, user_id, view_id) is None:
            raise NotFound(_UNKNOWN)
        other = reads.named(session, user_id, columns["folded_name"]) if "folded_name" in columns else None
        if other is not None and other.id != view_id:
            raise Conflict(f"You have another saved view named {other.name!r}; choose a different name.")
        _decide(session, user_id, columns, request.default)
        if columns:
            writes.change(session, view_id, columns)
            announce(session, "saved_view", view_id, "saved_view.edited", {}, actor, now)


@keyed("saved_view.delete")
def delete(db: Database, actor: Actor, view_id: UUID, *, now: datetime | None = None) -> None:
    """Delete a view of the caller."""
    now, user_id = now or clock.now(), owner(actor)
    with db.write("saved_view.delete") as session:
        if not writes.remove(session, user_id, view_id):
            raise NotFound(_UNKNOWN)
        announce(session, "saved_view", view_id, "saved_view.deleted", {}, actor, now)


def of_user(db: Database, user_id: UUID) -> list[SavedViewView]:
    """A user's saved views, by name."""
    with db.read(short=True) as session:
        return [view(row) for row in reads.of_user(session, user_id)]


def view(row: SavedViewRow) -> SavedViewView:
    return SavedViewView(id=row.id, name=row.name, q=row.q, sort=row.sort, columns=row.columns, default=row.is_default)


def owner(actor: Actor) -> UUID:
    """The user whose views these are. Raises Forbidden for what acts without one."""
    if actor.user_id is None:
        raise Forbidden("Saved views belong to users; sign in, or use an API token of a user.")
    return actor.user_id


def _lock(session: Session, user_id: UUID) -> None:
    """Until the transaction ends, no other view of the user is saved. Raises NotFound."""
    if users.lock(session, user_id) is None:
        raise NotFound("Your user has been deleted.")


def _decide(session: Session, user_id: UUID, columns: ViewColumns, default: bool | None) -> None:
    if default is not None:
        columns["is_default"] = default
    if default:
        writes.clear_default(session, user_id)


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"The name of a saved view has 1 to {LONGEST_NAME} printable characters.")
    return name
