"""REST: users, their sessions and tokens, for administrators; and one's own sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Router, delete, get, patch, post, put

from appliance.kit import clock
from appliance.protocol.message import Page
from appliance.protocol.tokens import CreateToken, RotateToken, TokenCreated, TokenView
from appliance.protocol.users import CreateUser, EditUser, SessionView, SetPassword, UserView
from appliance.server.actions import passwords
from appliance.server.actions import sessions as session_actions
from appliance.server.actions import tokens as token_actions
from appliance.server.actions import users as user_actions
from appliance.server.api import PREFIX, views
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor, Credential
from appliance.server.auth.password_workers import PasswordWorkers
from appliance.server.db.reads import sessions, tokens, users
from appliance.server.db.session import Database


@get("/users", opt={"permission": Permission.MANAGE_USERS, "items": UserView}, sync_to_thread=True)
def list_users(database: Database) -> Page:
    """List all users, sorted by name."""
    with database.read() as session:
        return Page(items=[views.user(row) for row in users.every(session)])


@post("/users", opt={"permission": Permission.MANAGE_USERS, "body": CreateUser})
async def create_user(database: Database, password_workers: PasswordWorkers, actor: Actor, body: bytes) -> UserView:
    """Add a user."""
    return await password_workers.run_for_known(user_actions.create, database, actor, decode(body, CreateUser))


@put("/users/{user_id:uuid}/password", opt={"permission": Permission.MANAGE_USERS, "body": SetPassword})
async def set_password(
    request: Request[Any, Any, Any],
    database: Database,
    password_workers: PasswordWorkers,
    actor: Actor,
    user_id: UUID,
    body: bytes,
) -> UserView:
    """Set a user's password and end their sessions. They must change it at their next sign-in, unless `must_change` is false."""
    credential: Credential = request.auth
    message = decode(body, SetPassword)
    return await password_workers.run_for_known(
        passwords.set_for, database, actor, user_id, message, credential.session_id
    )


@patch("/users/{user_id:uuid}", opt={"permission": Permission.MANAGE_USERS, "body": EditUser}, sync_to_thread=True)
def edit_user(database: Database, actor: Actor, user_id: UUID, body: bytes) -> UserView:
    """Change a user's role, or disable or enable them. Disabling ends their sessions, and their tokens stop working at once."""
    return user_actions.edit(database, actor, user_id, decode(body, EditUser))


@delete("/users/{user_id:uuid}", opt={"permission": Permission.MANAGE_USERS}, sync_to_thread=True)
def delete_user(database: Database, actor: Actor, user_id: UUID) -> None:
    """Delete a user with their sessions and tokens."""
    user_actions.delete(database, actor, user_id)


@get(
    "/users/{user_id:uuid}/sessions",
    opt={"permission": Permission.MANAGE_USERS, "items": SessionView},
    sync_to_thread=True,
)
def list_sessions(request: Request[Any, Any, Any], database: Database, user_id: UUID) -> Page:
    """List the browsers in which a user is signed in, the last used first."""
    return _sessions(database, user_id, request.auth)


@delete("/users/{user_id:uuid}/sessions", opt={"permission": Permission.MANAGE_USERS}, sync_to_thread=True)
def end_sessions(database: Database, actor: Actor, user_id: UUID) -> None:
    """Sign a user out of every browser. Their tokens are not affected."""
    user_actions.end_sessions(database, actor, user_id)


@get(
    "/sessions",
    opt={"permission": Permission.SELF, "items": SessionView, "uncompressed": True},
    sync_to_thread=True,
)
def list_own_sessions(request: Request[Any, Any, Any], database: Database, actor: Actor) -> Page:
    """List the browsers in which you are signed in, the last used first."""
    return Page(items=[]) if actor.user_id is None else _sessions(database, actor.user_id, request.auth)


@delete("/sessions/{session_id:uuid}", opt={"permission": Permission.SELF}, sync_to_thread=True)
def end_own_session(database: Database, actor: Actor, session_id: UUID) -> None:
    """Sign yourself out of one browser."""
    session_actions.end_own(database, actor, session_id)


def _sessions(database: Database, user_id: UUID, credential: Credential) -> Page:
    with database.read() as session:
        rows = sessions.of_user(session, user_id, clock.now())
        return Page(items=[views.session(row, credential.session_id) for row in rows])


@get("/tokens", opt={"permission": Permission.MANAGE_TOKENS, "items": TokenView}, sync_to_thread=True)
def list_tokens(database: Database) -> Page:
    """List all valid tokens, newest first."""
    with database.read() as session:
        return Page(items=[views.token(row) for row in tokens.live(session)])


@post("/tokens", opt={"permission": Permission.MANAGE_TOKENS, "body": CreateToken}, sync_to_thread=True)
def create_token(database: Database, actor: Actor, body: bytes) -> TokenCreated:
    """Create a token. Its secret appears only in this response."""
    return token_actions.create(database, actor, decode(body, CreateToken))


@post(
    "/tokens/{token_id:uuid}/rotate",
    opt={"permission": Permission.MANAGE_TOKENS, "body": RotateToken},
    sync_to_thread=True,
)
def rotate_token(database: Database, actor: Actor, token_id: UUID, body: bytes) -> TokenCreated:
    """Replace a token by a new one, whose secret appears only in this response. The old one stays valid for the overlap."""
    return token_actions.rotate(database, actor, token_id, decode(body, RotateToken))


@delete("/tokens/{token_id:uuid}", opt={"permission": Permission.MANAGE_TOKENS}, sync_to_thread=True)
def revoke_token(database: Database, actor: Actor, token_id: UUID) -> None:
    """Revoke a token. It stops working at once."""
    token_actions.revoke(database, actor, token_id)


router = Router(
    PREFIX,
    route_handlers=[
        list_users,
        create_user,
        set_password,
        edit_user,
        delete_user,
        list_sessions,
        end_sessions,
        list_own_sessions,
        end_own_session,
        list_tokens,
        create_token,
        rotate_token,
        revoke_token,
    ],
)
