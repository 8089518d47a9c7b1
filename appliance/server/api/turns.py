"""Routes of one short write each, on the hot paths: their callers are admitted in the thread that then does the work. With SQLite,
which has one writer, that is the event loop's own as long as nobody else writes, the body is small and the disk is quick, and else one
other thread, in which they take turns. Threads that meet at SQLite's lock and Python's cost half as much again.

Only `post` below makes such routes, so none can come into being that asks nobody in.
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
"""Under this name the gate leaves in the state of a request's scope what admits its caller."""
IN_TURN = "in_turn"
PATIENCE = 30.0
"""Seconds after which nobody waits for an answer any more: those who come to their turn later are sent away at once."""
_POSTGRES_THREADS = 10
SHORT_BODY = 16 * 1024
SLOW, SPARED = 0.05, 1.0
"""Seconds: after a turn in the event loop that took so long, as when the disk is slow, the loop is spared for so long. So turns can't
hold it up for more than a twentieth of the time."""

_Steps = tuple[Callable[[], Any], ...]


class Turns:
    """The threads, and the line before them. One per app."""

    def __init__(self, database: Database) -> None:
        self._database = database
        threads = 1 if database.dialect == "sqlite" else _POSTGRES_THREADS
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="turn")
        self._in_line = 0
        self._spared_until = clock.monotonic() if database.dialect == "sqlite" else math.inf

    async def take(self, *steps: Callable[[], Any], short: bool = False) -> Any:
        """What the last step returns, or any of them raises; those before it may be done again. What is not `short` is done in a thread.
        Raises Unavailable when its turn came too late."""
        asked = clock.monotonic()
        if short and not self._in_line and asked >= self._spared_until:
            try:
                return self._here(steps)
            except MustWait:  # it is done again from its start, in the line
                pass
        self._in_line += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _in_time, steps, asked)
        finally:
            self._in_line -= 1

    def _here(self, steps: _Steps) -> Any:
        began, found = clock.monotonic(), None
        try:
            for step in steps:
                with self._database.at_once():
                    found = step()
            return found
        finally:
            ended = clock.monotonic()
            if ended - began > SLOW:
                self._spared_until = ended + SPARED

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
            opt={"permission": permission, "body": body, "answer": get_type_hints(work)["return"], IN_TURN: True},
            status_code=status_code,
            request_max_body_size=request_max_body_size,
        )(_taking_turns(work, status_code))

    return decorate


def _taking_turns(work: Callable[..., Any], status: int) -> Callable[..., Any]:
    @wraps(work)
    async def turn(request: Request[Any, Any, Any], **given: Any) -> JsonAnswer:
        turns: Turns = request.app.state["turns"]
        short = len(given["body"]) <= SHORT_BODY
        admit = request.scope["state"][ADMIT]
        return JsonAnswer(status, await turns.take(admit, partial(_answer, work, request, given), short=short))

    turn.__annotations__ = {**work.__annotations__, "return": JsonAnswer}  # `wraps` has made it what the work returns
    return turn


def _answer(work: Callable[..., Any], request: Request[Any, Any, Any], given: dict[str, Any]) -> bytes:
    return msgspec.json.encode(work(request, **given))


def _in_time(steps: _Steps, asked: float) -> Any:
    if clock.monotonic() - asked > PATIENCE:
        raise Unavailable("The database is busy; try again in a moment.")
    found = None
    for step in steps:
        found = step()
    return found
