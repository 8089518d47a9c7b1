"""REST: secrets of projects. No route here has a value in its answer; runs read those that their flow declares by the run protocol."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from litestar import Router, delete, get, put
from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.protocol.message import Page
from appliance.protocol.secrets import PutSecret, SecretUser, SecretView
from appliance.server.actions import secrets as actions
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.reads import pages, secrets
from appliance.server.db.rows.secrets import SecretRow
from appliance.server.db.session import Database
from appliance.server.errors import NotFound


@get("/secrets", opt={"permission": Permission.READ_SECRETS, "items": SecretView}, sync_to_thread=True)
def index(database: Database, project: str | None = None, limit: int | None = None, after: str | None = None) -> Page:
    """List secrets, sorted by project and name, without their values. `project` is a whole name."""
    with database.read() as session:
        page = secrets.page(session, pages.size(limit), after, project)
        return Page(items=_views(session, page.rows), next=page.next)


@put("/secrets", opt={"permission": Permission.EDIT_SECRET, "body": PutSecret}, sync_to_thread=True)
def put_secret(database: Database, settings: Settings, actor: Actor, body: bytes) -> SecretView:
    """Set a secret. An existing one of the same project and name gets the new value. Nobody can read it back."""
    keys = SecretKeys(settings.secrets_key_path)
    secret_id = actions.put(database, actor, keys, decode(body, PutSecret))
    with database.read() as session:
        row = secrets.one(session, secret_id)
        if row is None:
            raise NotFound("There is no such secret; it may have been deleted.")
        return _views(session, [row])[0]


@delete("/secrets/{secret_id:uuid}", opt={"permission": Permission.EDIT_SECRET}, sync_to_thread=True)
def remove(database: Database, actor: Actor, secret_id: UUID) -> None:
    """Delete a secret."""
    actions.remove(database, actor, secret_id)


def _views(session: Session, rows: Sequence[SecretRow]) -> list[SecretView]:
    users, totals = secrets.users(session, [row.id for row in rows])
    return [
        SecretView(
            id=row.id,
            project=row.project,
            name=row.name,
            version=row.version,
            created=row.created,
            created_by=row.created_by,
            updated=row.updated,
            updated_by=row.updated_by,
            used_by=[SecretUser(id=use.flow_id, name=use.flow) for use in users[row.id]],
            users=totals[row.id],
        )
        for row in rows
    ]


router = Router(PREFIX, route_handlers=[index, put_secret, remove])
