"""Where passwords are hashed: two threads of their own, and a short line in front of them. A hash takes 19 MiB and a core for some 30 ms; however
many people sign in at once, the threads that serve everyone else stay free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from appliance.server.errors import TooManyRequests

P = ParamSpec("P")
T = TypeVar("T")

WORKERS = 2
LINE = 20
"""How many may wait. Known devices have as many places of their own."""


class PasswordWorkers:
    """Used from one event loop. `close` lets go of the threads; it doesn't wait."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(WORKERS, "passwords")
        self._inside = {False: 0, True: 0}

    async def run(self, work: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        """Do it for anybody. Raises TooManyRequests if the line is full."""
        return await self._run(False, partial(work, *args, **options))

    async def run_for_known(self, work: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        """Do it for somebody who is known already, in places that strangers can't take."""
        return await self._run(True, partial(work, *args, **options))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, is_known: bool, work: Callable[[], T]) -> T:
        if self._inside[is_known] >= WORKERS + LINE:
            raise TooManyRequests("Too many people are signing in; try again in a moment.", retry_after=1)
        self._inside[is_known] += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        done.add_done_callback(lambda _: self._leave(is_known))
        return await done

    def _leave(self, is_known: bool) -> None:
        self._inside[is_known] -= 1
