"""REST: users and tokens, for administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Router, delete, get, post, put

from appliance.protocol.message import Page
from appliance.protocol.tokens import CreateToken, TokenCreated, TokenView
from appliance.protocol.users import CreateUser, SetPassword, UserView
from appliance.server.actions import passwords
from appliance.server.actions import tokens as token_actions
from appliance.server.actions import users as user_actions
from appliance.server.api import PREFIX, views
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor, Credential
from appliance.server.auth.password_workers import PasswordWorkers
from appliance.server.db.reads import tokens, users
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


@get("/tokens", opt={"permission": Permission.MANAGE_TOKENS, "items": TokenView}, sync_to_thread=True)
def list_tokens(database: Database) -> Page:
    """List all valid tokens, newest first."""
    with database.read() as session:
        return Page(items=[views.token(row) for row in tokens.live(session)])


@post("/tokens", opt={"permission": Permission.MANAGE_TOKENS, "body": CreateToken}, sync_to_thread=True)
def create_token(database: Database, actor: Actor, body: bytes) -> TokenCreated:
    """Create a token. Its secret appears only in this response."""
    return token_actions.create(database, actor, decode(body, CreateToken))


@delete("/tokens/{token_id:uuid}", opt={"permission": Permission.MANAGE_TOKENS}, sync_to_thread=True)
def revoke_token(database: Database, actor: Actor, token_id: UUID) -> None:
    """Revoke a token. It stops working at once."""
    token_actions.revoke(database, actor, token_id)


router = Router(PREFIX, route_handlers=[list_users, create_user, set_password, list_tokens, create_token, revoke_token])
