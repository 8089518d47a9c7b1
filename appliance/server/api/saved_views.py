"""REST: the caller's own saved views of the runs."""

from __future__ import annotations

from uuid import UUID

from litestar import Router, delete, get, patch, put

from appliance.protocol.message import Page
from appliance.protocol.saved_views import EditView, SavedViewView, SaveView
from appliance.server.actions import saved_views as actions
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import saved_views as reads
from appliance.server.db.session import Database
from appliance.server.errors import NotFound


@get("/views", opt={"permission": Permission.SELF, "items": SavedViewView, "uncompressed": True}, sync_to_thread=True)
def index(database: Database, actor: Actor) -> Page:
    """List your saved views by name."""
    return Page(items=actions.of_user(database, actions.owner(actor)))


@put("/views", opt={"permission": Permission.SELF, "body": SaveView}, sync_to_thread=True)
def save(database: Database, actor: Actor, body: bytes) -> SavedViewView:
    """Save a query for runs under a name, in place of your view of this name. A query that can't be used is refused."""
    return _one(database, actor, actions.save(database, actor, decode(body, SaveView)))


@patch("/views/{view_id:uuid}", opt={"permission": Permission.SELF, "body": EditView}, sync_to_thread=True)
def edit(database: Database, actor: Actor, view_id: UUID, body: bytes) -> SavedViewView:
    """Rename one of your saved views, or make it the default with which the page of runs opens."""
    actions.edit(database, actor, view_id, decode(body, EditView))
    return _one(database, actor, view_id)


@delete("/views/{view_id:uuid}", opt={"permission": Permission.SELF}, sync_to_thread=True)
def remove(database: Database, actor: Actor, view_id: UUID) -> None:
    """Delete one of your saved views."""
    actions.delete(database, actor, view_id)


def _one(database: Database, actor: Actor, view_id: UUID) -> SavedViewView:
    with database.read() as session:
        row = reads.own(session, actions.owner(actor), view_id)
        if row is None:
            raise NotFound("The view has been deleted meanwhile.")
        return actions.view(row)


router = Router(PREFIX, route_handlers=[index, save, edit, remove])
