"""Runs the code of async tasks to its end, in an event loop of its own."""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType
from typing import TYPE_CHECKING, Any

from appliance.core.logs import get_logger
from appliance.engine.background import Background

if TYPE_CHECKING:
    import asyncio

ASYNC = frozenset({AsyncGeneratorType, CoroutineType})
"""What calling an async function gives."""
_logger = get_logger()


def finish(code: Any, seconds: float | None = None, late: BaseException | None = None) -> Any:
    """The result of a coroutine, and what an async generator yields as a list. Raises `late` after so many seconds.

    It runs in another thread if this one has an event loop.
    """
    import asyncio  # takes 30 ms, which a flow without async tasks can save

    async def limited() -> Any:
        try:
            async with asyncio.timeout(seconds) as scope:
                result = await code if type(code) is CoroutineType else code
                if type(result) is AsyncGeneratorType:
                    result = [item async for item in result]
        except TimeoutError:
            if scope.expired() and late is not None:
                raise late from None
            raise
        await _look_for_others()
        return result

    if asyncio._get_running_loop() is None:
        return asyncio.run(limited())
    return Background(lambda: asyncio.run(limited()), "appliance-loop").result()


async def _look_for_others() -> None:
    """Name the asyncio tasks that the coroutine has started and not awaited: they are cancelled with its event loop."""
    import asyncio

    await asyncio.sleep(0)  # those that only have to return do so
    others = sorted(_name(task) for task in asyncio.all_tasks() if task is not asyncio.current_task())
    if others:
        names = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        _logger.warning(
            "The task has returned while asyncio tasks that it started were running; they were cancelled: %s. Await them before "
            "the end, with asyncio.TaskGroup for example.", names,
        )  # fmt: skip


def _name(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", task.get_name()))
