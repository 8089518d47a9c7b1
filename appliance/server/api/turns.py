"""Hot routes that make one short write each. The thread that authenticates the caller also does the work. SQLite has one writer, so
that is the event loop's thread while no one else is writing, the body is small and the disk is fast; otherwise it is one other thread,
in which requests take turns. Threads that compete for SQLite's lock and Python's take 50% longer.

Only `post` below creates such routes, so no such route can skip authentication.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any, get_type_hints

import msgspec
from litestar import Request
from litestar import post as ordinary_post
from litestar.handlers import HTTPRouteHandler
from litestar.types import Empty
from litestar.types.empty import EmptyType

from appliance.kit import clock
from appliance.server.api.answers import JsonAnswer
from appliance.server.auth.guards import Permission
from appliance.server.db.session import Database
from appliance.server.errors import MustWait, Unavailable

ADMIT = "appliance_admit"
"""The key in the state of a request's scope under which the gate stores the function that admits the caller."""
IN_TURN = "in_turn"
PATIENCE = 30.0
"""Seconds after which the caller is assumed to have given up: a request whose turn comes later is rejected at once."""
_POSTGRES_THREADS = 10
SHORT_BODY = 16 * 1024
SLOW, SPARED = 0.05, 1.0
"""Seconds. After a turn in the event loop takes longer than the first, as when the disk is slow, turns stay off the loop for the second.
So they can't block it for more than a twentieth of the time."""

_Steps = tuple[Callable[[], Any], ...]


class Turns:
    """The threads, and the queue in front of them. One per app."""

    def __init__(self, database: Database) -> None:
        self._database = database
        threads = 1 if database.dialect == "sqlite" else _POSTGRES_THREADS
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="turn")
        self._in_line = 0
        self._spared_until = clock.monotonic() if database.dialect == "sqlite" else math.inf

    async def take(self, *steps: Callable[[], Any], short: bool = False) -> Any:
        """Run the steps and return the last one's result. Earlier steps may run twice. Anything not `short` runs in a thread. Raises
        Unavailable if its turn comes too late."""
        start = clock.monotonic()
        if short and not self._in_line and start >= self._spared_until:
            try:
                return self._here(steps)
            except MustWait:  # start over, in the queue
                pass
        self._in_line += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _in_time, steps, start)
        finally:
            self._in_line -= 1

    def _here(self, steps: _Steps) -> Any:
        began, result = clock.monotonic(), None
        try:
            for step in steps:
                with self._database.at_once():
                    result = step()
            return result
        finally:
            ended = clock.monotonic()
            if ended - began > SLOW:
                self._spared_until = ended + SPARED

    def close(self) -> None:
        """Drop the requests that are still waiting."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def post(
    path: str,
    *,
    permission: Permission,
    body: type,
    status_code: int,
    request_max_body_size: int | EmptyType = Empty,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Litestar's `post` for a function that takes its turn. It is called only after the caller has been admitted."""

    def decorate(work: Callable[..., Any]) -> HTTPRouteHandler:
        return ordinary_post(
            path,
            opt={"permission": permission, "body": body, "answer": get_type_hints(work)["return"], IN_TURN: True},
            status_code=status_code,
            request_max_body_size=request_max_body_size,
        )(_taking_turns(work, status_code))

    return decorate


def _taking_turns(work: Callable[..., Any], status: int) -> Callable[..., Any]:
    @wraps(work)
    async def turn(request: Request[Any, Any, Any], **arguments: Any) -> JsonAnswer:
        turns: Turns = request.app.state["turns"]
        short = len(arguments["body"]) <= SHORT_BODY
        admit = request.scope["state"][ADMIT]
        return JsonAnswer(status, await turns.take(admit, partial(_answer, work, request, arguments), short=short))

    turn.__annotations__ = {**work.__annotations__, "return": JsonAnswer}  # `wraps` copied the return type of `work`
    return turn


def _answer(work: Callable[..., Any], request: Request[Any, Any, Any], arguments: dict[str, Any]) -> bytes:
    return msgspec.json.encode(work(request, **arguments))


def _in_time(steps: _Steps, start: float) -> Any:
    if clock.monotonic() - start > PATIENCE:
        raise Unavailable("The database is busy; try again in a moment.")
    result = None
    for step in steps:
        result = step()
    return result
