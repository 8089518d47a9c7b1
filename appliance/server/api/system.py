"""REST: facts about this server, setting it up, signing in and out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from anyio import to_thread
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
from appliance.server.auth import devices
from appliance.server.auth.guards import Permission, permissions_of
from appliance.server.auth.identity import Actor, Credential
from appliance.server.auth.origins import Origin, origin_of
from appliance.server.auth.password_workers import PasswordWorkers
from appliance.server.auth.passwords import shortest
from appliance.server.auth.sessions import COOKIE
from appliance.server.auth.throttle import LoginThrottle
from appliance.server.db.session import Database
from appliance.server.errors import TooManyRequests

REFUSAL = 0.5
"""Seconds that a refusal takes, so that refusals alone, each asked for after the other, keep no server busy."""
STRANGERS_BODY = 16 * 1024
"""Bytes of a request whose caller is not known yet."""


@get("/info", opt={"permission": Permission.PUBLIC}, sync_to_thread=True)
def info(database: Database, settings: Settings) -> ServerInfo:
    """Get the server's version, name and time, and whether it must be set up first."""
    return ServerInfo(
        version=VERSION,
        site_name=settings.site_name,
        setup_required=setup.setup_required(database),
        shortest_password=shortest(settings.development),
        server_time=clock.now(),
    )


@post(
    "/setup",
    opt={"permission": Permission.PUBLIC, "body": Setup},
    status_code=201,
    request_max_body_size=STRANGERS_BODY,
)
async def use_setup(
    request: Request[Any, Any, Any],
    database: Database,
    settings: Settings,
    password_workers: PasswordWorkers,
    body: bytes,
) -> Response[Me]:
    """Set up a new appliance with its one-time token. Signs the new administrator in."""
    message = decode(body, Setup)
    lifetime, origin = _lifetime(settings), _origin(request)
    session = await password_workers.run(setup.use_setup, database, message, lifetime, origin=origin)
    return _signed_in(session, settings)


@post(
    "/login",
    opt={"permission": Permission.PUBLIC, "body": Login},
    status_code=200,
    request_max_body_size=STRANGERS_BODY,
)
async def login(
    request: Request[Any, Any, Any],
    database: Database,
    settings: Settings,
    throttle: LoginThrottle,
    password_workers: PasswordWorkers,
    body: bytes,
) -> Response[Me]:
    """Sign in with a password. The response sets the session cookie and contains the CSRF token. The browser's former session ends."""
    message = decode(body, Login)
    account, cookie = sessions.account_of(message), request.cookies.get(devices.COOKIE)
    device = await to_thread.run_sync(devices.known, database, account, cookie) if cookie else None
    run = password_workers.run if device is None else password_workers.run_for_known
    former, lifetime, origin = request.cookies.get(COOKIE), _lifetime(settings), _origin(request)
    try:
        with throttle.attempt(account, _peer(request), device):
            session = await run(sessions.sign_in, database, message, lifetime, former, origin=origin)
    except TooManyRequests:
        await asyncio.sleep(REFUSAL)
        raise
    return _signed_in(session, settings)


@post("/logout", opt={"permission": Permission.SELF}, status_code=204, sync_to_thread=True)
def logout(request: Request[Any, Any, Any], database: Database, actor: Actor) -> Response[None]:
    """End the session. API tokens are not affected."""
    credential: Credential = request.auth
    if credential.kind == "session":
        sessions.sign_out(database, credential.id, actor)
    response: Response[None] = Response(None, status_code=204)
    response.delete_cookie(COOKIE)
    return response


@post("/password", opt={"permission": Permission.SELF, "body": ChangePassword}, status_code=200)
async def change_password(
    request: Request[Any, Any, Any],
    database: Database,
    throttle: LoginThrottle,
    password_workers: PasswordWorkers,
    actor: Actor,
    body: bytes,
) -> Me:
    """Change your own password. All your sessions end, except the one that sends this; API tokens are not affected."""
    credential: Credential = request.auth
    change = decode(body, ChangePassword)
    with throttle.change(actor.name, _peer(request)):
        await password_workers.run_for_known(passwords.change, database, actor, change, credential.session_id)
    return _me(replace(actor, must_change_password=False), credential.csrf_token)


@get("/me", opt={"permission": Permission.SELF, "uncompressed": True}, sync_to_thread=False)
def me(request: Request[Any, Any, Any], actor: Actor) -> Me:
    """Get the caller's identity and permissions."""
    credential: Credential = request.auth
    return _me(actor, credential.csrf_token)


def _signed_in(session: sessions.SignedIn, settings: Settings) -> Response[Me]:
    cookies = [
        _cookie(COOKIE, session.cookie, _lifetime(settings), settings),
        _cookie(devices.COOKIE, session.device, devices.LIFETIME, settings),
    ]
    return Response(_me(session.actor, session.csrf_token), cookies=cookies)


def _cookie(name: str, value: str, lifetime: timedelta, settings: Settings) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies,
        path="/",
        max_age=int(lifetime.total_seconds()),
    )


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


def _origin(request: Request[Any, Any, Any]) -> Origin:
    return origin_of(request.headers.get("user-agent", ""), _peer(request))


def _lifetime(settings: Settings) -> timedelta:
    return timedelta(hours=settings.session_hours)


router = Router(
    PREFIX, route_handlers=[info, use_setup, login, logout, change_password, me, disk.show_disk, disk.free_space]
)
