"""Retries actions that Postgres rolled back, because of a conflict or because the connection was lost before the commit, and those that had too
much to compute in their transaction: that is computed first, while nobody waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from appliance.kit import backoff, clock, effort
from appliance.server.db.session import commits_of_this_thread
from appliance.server.errors import Contended, Interrupted, MustWait

P = ParamSpec("P")
R = TypeVar("R")

_TIMES = 3
_SOON = 1.0
"""Seconds: a connection that was lost sooner was cut. One that fell silent has used up the caller's time, and so would the next."""
_COMPUTED = 5
"""How often a transaction is begun again because something had to be computed first; then, it takes as long as it takes."""


def retried(action: Callable[P, R]) -> Callable[P, R]:
    """Retry an action that is one transaction: up to three times after a conflict, once when its connection was cut.

    Nothing is done twice: as soon as anything was, or may have been, committed, the error is raised.
    """

    @wraps(action)
    def attempt(*arguments: P.args, **options: P.kwargs) -> R:
        tries, pauses, computed = 0, backoff.delays(0.1, 1.0, factor=3), 0
        while True:
            before, began = commits_of_this_thread(), clock.monotonic()
            try:
                with effort.beginning_again(computed < _COMPUTED):
                    return action(*arguments, **options)
            except effort.TooLong as error:
                if _is_event_loop():
                    raise MustWait("There is too much to compute in the event loop.") from error
                if error.work is None:
                    computed = _COMPUTED
                else:
                    error.work()
                    computed += 1
                continue
            except (Contended, Interrupted) as error:
                conflict = isinstance(error, Contended)
                again = tries < _TIMES if conflict else tries == 0 and clock.monotonic() - began < _SOON
                if not again or commits_of_this_thread() != before:
                    raise
            tries += 1
            threading.Event().wait(next(pauses))

    return attempt


def _is_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
