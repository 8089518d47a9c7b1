"""Routes of one short write each, on the hot paths: their callers are admitted in the thread that then does the work, and with SQLite,
which has one writer, they take turns in one thread. Threads that meet at SQLite's lock and Python's cost half as much again.

Only `post` below makes such routes, so none can come into being that asks nobody in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any

from litestar import Request
from litestar import post as ordinary_post
from litestar.handlers import HTTPRouteHandler
from litestar.types import Empty
from litestar.types.empty import EmptyType

from appliance.kit import clock
from appliance.server.auth.guards import Permission
from appliance.server.db.session import Database
from appliance.server.errors import Unavailable

ADMIT = "appliance_admit"
"""Under this name the gate leaves in the state of a request's scope what admits its caller."""
IN_TURN = "in_turn"
PATIENCE = 30.0
"""Seconds after which nobody waits for an answer any more: those who come to their turn later are sent away at once."""
_POSTGRES_THREADS = 10


class Turns:
    """The threads, and the line before them. One per app."""

    def __init__(self, database: Database) -> None:
        threads = 1 if database.dialect == "sqlite" else _POSTGRES_THREADS
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="turn")

    async def take(self, work: Callable[[], Any]) -> Any:
        """What the work returns or raises. Raises Unavailable when its turn came too late."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _in_time, work, clock.monotonic())

    def close(self) -> None:
        """Whoever still waits is not served any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def post(
    path: str,
    *,
    permission: Permission,
    body: type,
    status_code: int,
    request_max_body_size: int | EmptyType = Empty,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Litestar's `post` for a function that takes its turn; it is called only when the caller was let in."""

    def decorate(work: Callable[..., Any]) -> HTTPRouteHandler:
        return ordinary_post(
            path,
            opt={"permission": permission, "body": body, IN_TURN: True},
            status_code=status_code,
            request_max_body_size=request_max_body_size,
        )(_taking_turns(work))

    return decorate


def _taking_turns(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    async def turn(request: Request[Any, Any, Any], **given: Any) -> Any:
        turns: Turns = request.app.state["turns"]
        return await turns.take(partial(_admitted, work, request, given))

    return turn


def _admitted(work: Callable[..., Any], request: Request[Any, Any, Any], given: dict[str, Any]) -> Any:
    request.scope["state"].pop(ADMIT)()
    return work(request, **given)


def _in_time(work: Callable[[], Any], asked: float) -> Any:
    if clock.monotonic() - asked > PATIENCE:
        raise Unavailable("The database is busy; try again in a moment.")
    return work()
