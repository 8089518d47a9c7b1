"""Runs a function in a thread of its own, with the context variables of the thread that starts it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any


class Background:
    """A function that has begun to run."""

    def __init__(self, function: Callable[[], Any], name: str) -> None:
        self.ended = threading.Event()
        self._function, self._context = function, copy_context()
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def thread(self) -> int:
        """The native id of its thread."""
        return self._thread.native_id or 0

    def result(self) -> Any:
        """What the function returns, as soon as it does. Raises what it raises."""
        self.ended.wait()
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self._error = error
        finally:
            self.ended.set()
