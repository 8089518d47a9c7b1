"""REST: facts about this server, setting it up, signing in and out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie

from appliance.config import Settings
from appliance.kit import clock
from appliance.kit.version import VERSION
from appliance.protocol.system import ServerInfo
from appliance.protocol.users import ChangePassword, Login, Me, Setup
from appliance.server.actions import passwords, sessions, setup
from appliance.server.api import PREFIX, disk
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission, permissions_of
from appliance.server.auth.identity import Actor, Credential
from appliance.server.auth.sessions import COOKIE
from appliance.server.auth.throttle import LoginThrottle
from appliance.server.db.session import Database


@get("/info", opt={"permission": Permission.PUBLIC}, sync_to_thread=True)
def info(database: Database, settings: Settings) -> ServerInfo:
    """Get the server's version, name and time, and whether it must be set up first."""
    return ServerInfo(
        version=VERSION,
        site_name=settings.site_name,
        setup_required=setup.setup_required(database),
        server_time=clock.now(),
    )


@post("/setup", opt={"permission": Permission.PUBLIC, "body": Setup}, status_code=201, sync_to_thread=True)
def use_setup(database: Database, settings: Settings, body: bytes) -> Response[Me]:
    """Set up a new appliance with its one-time token. Signs the new administrator in."""
    return _signed_in(setup.use_setup(database, decode(body, Setup), _lifetime(settings)), settings)


@post("/login", opt={"permission": Permission.PUBLIC, "body": Login}, status_code=200, sync_to_thread=True)
def login(
    request: Request[Any, Any, Any], database: Database, settings: Settings, throttle: LoginThrottle, body: bytes
) -> Response[Me]:
    """Sign in with a password. The response sets the session cookie and contains the CSRF token."""
    session = sessions.sign_in(database, throttle, decode(body, Login), _peer(request), _lifetime(settings))
    return _signed_in(session, settings)


@post("/logout", opt={"permission": Permission.SELF}, status_code=204, sync_to_thread=True)
def logout(request: Request[Any, Any, Any], database: Database) -> Response[None]:
    """End the session. API tokens are not affected."""
    credential: Credential = request.auth
    if credential.kind == "session":
        sessions.sign_out(database, credential.id)
    response: Response[None] = Response(None, status_code=204)
    response.delete_cookie(COOKIE)
    return response


@post("/password", opt={"permission": Permission.SELF, "body": ChangePassword}, status_code=200, sync_to_thread=True)
def change_password(
    request: Request[Any, Any, Any], database: Database, throttle: LoginThrottle, actor: Actor, body: bytes
) -> Me:
    """Change your own password. All your sessions end, except the one that sends this; API tokens are not affected."""
    credential: Credential = request.auth
    change = decode(body, ChangePassword)
    passwords.change(database, throttle, actor, change, _peer(request), credential.session_id)
    return _me(replace(actor, must_change_password=False), credential.csrf_token)


@get("/me", opt={"permission": Permission.SELF, "uncompressed": True}, sync_to_thread=False)
def me(request: Request[Any, Any, Any], actor: Actor) -> Me:
    """Get the caller's identity and permissions."""
    credential: Credential = request.auth
    return _me(actor, credential.csrf_token)


def _signed_in(session: sessions.SignedIn, settings: Settings) -> Response[Me]:
    cookie = Cookie(
        key=COOKIE,
        value=session.cookie,
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies,
        path="/",
        max_age=int(_lifetime(settings).total_seconds()),
    )
    return Response(_me(session.actor, session.csrf_token), cookies=[cookie])


def _me(actor: Actor, csrf_token: str) -> Me:
    return Me(
        username=actor.name,
        role=actor.role or "viewer",
        csrf_token=csrf_token,
        permissions=sorted(permission.value for permission in permissions_of(actor)),
        must_change_password=actor.must_change_password,
    )


def _peer(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


def _lifetime(settings: Settings) -> timedelta:
    return timedelta(hours=settings.session_hours)


router = Router(
    PREFIX, route_handlers=[info, use_setup, login, logout, change_password, me, disk.show_disk, disk.free_space]
)
