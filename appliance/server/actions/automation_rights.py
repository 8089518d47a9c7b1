"""With whose rights an automation changes something: those that the person who saved it has at that moment, under the automation's own name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.automations import Action
from appliance.server.auth.guards import Permission, require
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import users
from appliance.server.domain.automation_acts import acts
from appliance.server.errors import Forbidden

PERMISSIONS = {
    "restart": Permission.RESTART_RUN,
    "cancel": Permission.CANCEL_RUN,
    "pause_schedule": Permission.EDIT_SCHEDULE,
    "pause_flow": Permission.EDIT_FLOW,
    "start": Permission.CREATE_RUN,
    "set_limit": Permission.EDIT_LIMIT,
}
"""What each action that changes something takes, as it does for people."""


def owner(actor: Actor, action: Action) -> UUID | None:
    """Who answers for an automation that the actor saves; None for one that only sends. Raises Forbidden."""
    if not acts(action):
        return None
    if actor.user_id is None:
        raise Forbidden(
            "An automation that changes something acts with the rights of a user, so a user has to save it."
        )
    require(actor, PERMISSIONS[action.kind])
    return actor.user_id


def owner_of(document: Mapping[str, Any]) -> UUID | None:
    """The same, as it is stored."""
    return UUID(document["owner"]) if "owner" in document else None


def principal(session: Session, name: str, document: Mapping[str, Any], chain: int) -> Actor:
    """Who acts. Raises Forbidden once the person who saved the automation may not do it any more."""
    id = owner_of(document)
    user = None if id is None else users.get(session, id)
    if user is None:
        raise Forbidden("The user with whose rights the automation acts was deleted; save it again as another one.")
    if user.disabled:
        raise Forbidden(
            f"The automation acts with the rights of {user.username}, who is disabled; save it as another user."
        )
    actor = Actor(kind="user", name=f"automation {name}", role=user.role, user_id=user.id, chain=chain)
    try:
        require(actor, PERMISSIONS[document["kind"]])
    except Forbidden as error:
        raise Forbidden(f"The automation acts with the rights of {user.username}. {error.message}") from error
    return actor
