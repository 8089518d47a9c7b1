"""Every permission, and the roles that have it: the one table that REST, GraphQL, the live stream and the UI share.

A run token has no permission from this table: it gives access to its own run's protocol and nothing else.
"""

from __future__ import annotations

from enum import StrEnum

from appliance.server.auth.identity import Actor
from appliance.server.errors import Forbidden, MustChangePassword


class Permission(StrEnum):
    """Every route and every GraphQL root field names exactly one."""

    PUBLIC = "public"  # anyone, also before the appliance is claimed
    SELF = "self"  # any signed-in user, about themselves
    READ = "read"
    CREATE_RUN = "runs:create"
    CANCEL_RUN = "runs:cancel"
    PAUSE_RUN = "runs:pause"
    RESUME_RUN = "runs:resume"
    RESTART_RUN = "runs:restart"
    MARK_RUN = "runs:mark"  # set how it ended, or mark why it failed as known
    EDIT_RUN = "runs:edit"  # also starts it now
    DELETE_RUN = "runs:delete"
    BULK = "runs:bulk"  # in addition to the permission for the action itself
    BACKFILL = "schedules:backfill"
    REGISTER_FLOW = "flows:register"
    EDIT_FLOW = "flows:edit"  # rename, pause and archive flows and projects
    DELETE_FLOW = "flows:delete"  # delete flows and projects with their runs
    EDIT_SCHEDULE = "schedules:edit"
    EDIT_LIMIT = "limits:edit"
    READ_SECRETS = "secrets:read"  # their names; nobody reads a value
    EDIT_SECRET = "secrets:edit"  # noqa: S105 - a permission
    EDIT_AUTOMATION = "automations:edit"  # also tries them, and sends again
    MANAGE_AGENTS = "agents:manage"  # drain, resume and forget them
    MANAGE_HOLD = "hold:manage"
    MANAGE_MAINTENANCE = "maintenance:manage"
    MANAGE_USERS = "users:manage"
    MANAGE_TOKENS = "tokens:manage"
    MANAGE_DISK = "disk:manage"
    READ_BUNDLES = "bundles:read"  # which there are; only runs get their bytes
    MANAGE_RESULTS = "results:manage"  # those that the appliance keeps: which there are, their bytes, removing them
    READ_METRICS = "metrics:read"
    READ_PACKAGES = "packages:read"  # of the package index
    AGENT_PROTOCOL = "agents:protocol"
    RUN_PROTOCOL = "runs:protocol"


_UNTIL_CHANGED = frozenset({Permission.SELF})
_VIEWER = frozenset({Permission.SELF, Permission.READ, Permission.READ_PACKAGES})
_OPERATOR = _VIEWER | {
    Permission.CREATE_RUN,
    Permission.CANCEL_RUN,
    Permission.PAUSE_RUN,
    Permission.RESUME_RUN,
    Permission.RESTART_RUN,
    Permission.MARK_RUN,
    Permission.EDIT_RUN,
    Permission.DELETE_RUN,
    Permission.BULK,
    Permission.BACKFILL,
    Permission.REGISTER_FLOW,
    Permission.EDIT_FLOW,
    Permission.EDIT_SCHEDULE,
    Permission.EDIT_LIMIT,
    Permission.READ_SECRETS,
    Permission.EDIT_SECRET,
    Permission.EDIT_AUTOMATION,
}
_ADMIN = _OPERATOR | {
    Permission.DELETE_FLOW,
    Permission.MANAGE_AGENTS,
    Permission.MANAGE_HOLD,
    Permission.MANAGE_MAINTENANCE,
    Permission.MANAGE_USERS,
    Permission.MANAGE_TOKENS,
    Permission.MANAGE_DISK,
    Permission.READ_BUNDLES,
    Permission.MANAGE_RESULTS,
    Permission.READ_METRICS,
    Permission.AGENT_PROTOCOL,
}

ROLES: dict[str, frozenset[Permission]] = {"viewer": _VIEWER, "operator": _OPERATOR, "admin": _ADMIN}


def permissions_of(actor: Actor) -> frozenset[Permission]:
    """Everything the actor may do. An unknown kind or role may do nothing."""
    if actor.kind == "user":
        of_role = ROLES.get(actor.role or "", frozenset())
        return of_role & _UNTIL_CHANGED if actor.must_change_password else of_role
    if actor.kind == "agent":
        return frozenset({Permission.AGENT_PROTOCOL, Permission.READ_PACKAGES})
    if actor.kind == "run":
        return frozenset({Permission.RUN_PROTOCOL})
    return frozenset()


def require(actor: Actor, permission: Permission) -> None:
    """Raise Forbidden unless the actor has the permission."""
    if permission is not Permission.PUBLIC and permission not in permissions_of(actor):
        if actor.must_change_password:
            raise MustChangePassword(
                "Change your password first: reload the page in the browser, or send it to POST /api/v1/password."
            )
        holder = f"the role {actor.role} doesn't" if actor.role else f"{actor.kind} tokens don't"
        raise Forbidden(
            f"This requires the permission {permission.value}, which {holder} have; ask an administrator for it."
        )
