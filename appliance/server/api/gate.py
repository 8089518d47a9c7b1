"""The gate: no request reaches a handler before its caller is authenticated and authorized. Access is denied by default."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from anyio import to_thread
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from appliance.kit import clock
from appliance.server.api import turns
from appliance.server.auth import sessions
from appliance.server.auth.callers import Caller, RequestCredentials, from_package_client, identify
from appliance.server.auth.guards import Permission, require
from appliance.server.db.reads import users
from appliance.server.db.session import Database
from appliance.server.domain import releases
from appliance.server.errors import Forbidden, NewerClient, SetupRequired, Unauthenticated

SAFE = frozenset({"GET", "HEAD"})
SMALL_BODY = 128 * 1024
KEY_HEADER = "idempotency-key"


class Gate:
    """ASGI middleware around every route. It checks the client's release, setup, credentials, permission, CSRF and content type, in this order."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self._database = database
        self._claimed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _method(scope) == "OPTIONS":  # Litestar adds these handlers automatically; nothing here needs them
            raise MethodNotAllowedException(headers={"allow": ", ".join(_methods(scope))})
        route = scope["route_handler"].opt
        permission: Permission = route["permission"]
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        if permission is Permission.PUBLIC:
            scope["user"] = scope["auth"] = None
        elif route.get(turns.IN_TURN) and _is_small(connection):
            scope["state"][turns.ADMIT] = partial(self._admit, permission, connection)
        else:
            scope["state"][turns.ADMIT] = _admitted_already
            await to_thread.run_sync(self._admit, permission, connection)
        _check_content_type(connection)
        await self.app(scope, receive, send)

    def _admit(self, permission: Permission, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        if refusal := releases.refusal(connection.headers.get("user-agent", "")):
            raise NewerClient(refusal)
        caller = self._authorize(permission, request_credentials(connection, permission))
        _check_csrf(connection, caller)
        key = connection.headers.get(KEY_HEADER)
        connection.scope["user"] = caller.actor if key is None else replace(caller.actor, key=key)
        connection.scope["auth"] = caller.credential

    def _authorize(self, permission: Permission, credentials: RequestCredentials) -> Caller:
        now = clock.now()
        self._check_claimed()
        caller = identify(self._database, credentials, now)
        if caller is None:
            raise Unauthenticated("Sign in, or send a token in the header: Authorization: Bearer TOKEN.")
        require(caller.actor, permission)
        if credentials.flow_run_id is not None and caller.actor.flow_run_id != credentials.flow_run_id:
            raise Forbidden("These addresses accept only the token of this run's current attempt.")
        return caller

    def _check_claimed(self) -> None:
        if self._claimed:
            return
        with self._database.read() as session:
            self._claimed = users.any_exists(session)
        if not self._claimed:
            raise SetupRequired(
                "This appliance has not been set up yet; open the setup link that was printed at its start."
            )


def request_credentials(connection: ASGIConnection[Any, Any, Any, Any], permission: Permission) -> RequestCredentials:
    """What the request sends to prove who its caller is."""
    flow_run_id = connection.path_params.get("flow_run_id") if permission is Permission.RUN_PROTOCOL else None
    authorization = connection.headers.get("authorization")
    if permission is Permission.READ_PACKAGES and authorization is not None:
        authorization = from_package_client(authorization)
    return RequestCredentials(authorization, connection.cookies.get(sessions.COOKIE), flow_run_id)


def _methods(scope: Scope) -> set[str]:
    return {
        method
        for route in scope["litestar_app"].routes
        if isinstance(route, HTTPRoute) and route.path_format == scope.get("path_template")
        for method in route.methods
    }


def still_allowed(database: Database, credentials: RequestCredentials, permission: Permission, now: datetime) -> bool:
    """Whether the caller of a long-lived stream still has access."""
    try:
        caller = identify(database, credentials, now)
        if caller is None:
            return False
        require(caller.actor, permission)
    except (Unauthenticated, Forbidden):
        return False
    return True


def check_every_route(app: Litestar) -> None:
    """Raise RuntimeError if a route declares no permission, so that no such app can be built."""
    for handler in handlers(app):
        if not isinstance(handler.opt.get("permission"), Permission):
            raise RuntimeError(
                f"The route {sorted(handler.paths)} declares no permission; give it opt permission=Permission."
            )


def handlers(app: Litestar) -> list[HTTPRouteHandler]:
    """Every handler of the app. Raises RuntimeError for a route that is not HTTP."""
    own: list[HTTPRouteHandler] = []
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            raise RuntimeError(f"The route {route.path} is not an HTTP route; the gate guards only those.")
        own.extend(handler for handler in route.route_handlers if "OPTIONS" not in handler.http_methods)
    return own


def _admitted_already() -> None:
    """Nothing is left to do: the gate has admitted the caller."""


def _is_small(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the body is small enough to read before the caller is authenticated."""
    length = connection.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= SMALL_BODY


def _method(scope: Scope) -> str:
    """The method. Anything other than HTTP has none and is treated as unsafe."""
    return str(scope.get("method", ""))


def _check_csrf(connection: ASGIConnection[Any, Any, Any, Any], caller: Caller) -> None:
    if caller.credential.kind != "session" or _method(connection.scope) in SAFE:
        return
    if not sessions.csrf_matches(caller.credential, connection.headers.get(sessions.CSRF_HEADER)):
        raise Forbidden("The X-CSRF-Token header is missing or wrong; reload the page and try again.")


def _check_content_type(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Browsers send forms and text, but not JSON, across origins without a preflight request, so every body must be JSON."""
    headers = connection.headers
    if _method(connection.scope) in SAFE or (
        headers.get("content-length", "") in ("", "0") and "transfer-encoding" not in headers
    ):
        return
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(status_code=415)
