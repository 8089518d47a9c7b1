"""Projects: the namespaces of flows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.actions.names import required_name
from appliance.server.auth.identity import Actor
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import projects
from appliance.server.events.outbox import announce


@retried
def ensure_project(db: Database, actor: Actor, name: str, *, now: datetime | None = None) -> UUID:
    """The project of this name, created if it is missing."""
    now = now or clock.now()
    with db.write("project") as session:
        return ensure(session, actor, name, now)


def ensure(session: Session, actor: Actor, name: str, now: datetime) -> UUID:
    """The same, inside the transaction of another action."""
    name = required_name(name, "project")
    project_id, created = projects.ensure(session, name, now)
    if created:
        announce(session, "project", project_id, "project.created", {"name": name}, actor, now)
    return project_id
