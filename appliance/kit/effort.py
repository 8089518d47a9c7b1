"""Counts work of which a caller chose the size, such as the steps of a rule. While others wait for this thread, only little of it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable

WHILE_OTHERS_WAIT = 20_000
"""Steps of some 5 µs each: a tenth of a second."""


class TooLong(Exception):
    """There is more to do than may be done here. `work` does it where nobody waits, and remembers the outcome for the next attempt."""

    def __init__(self, work: Callable[[], object] | None = None) -> None:
        super().__init__("There is more to compute than may be computed while others wait.")
        self.work = work


class _Thread(threading.local):
    left: int | None = None
    """None: as much as any other bound allows."""
    begins_again = False


_thread = _Thread()


def spend(steps: int) -> None:
    """Count work before it is done. Raises TooLong."""
    if _thread.left is not None:
        _thread.left -= steps
        if _thread.left < 0:
            raise TooLong


def left() -> int | None:
    """How much may still be done here; None: as much as any other bound allows."""
    return None if _thread.left is None else max(0, _thread.left)


class limited:
    """Limit the work in this block to a number of steps; None: as much as any other bound allows."""

    def __init__(self, steps: int | None) -> None:
        self._steps = steps

    def __enter__(self) -> None:
        self._before, _thread.left = _thread.left, self._steps

    def __exit__(self, *_error: object) -> None:
        _thread.left = self._before


class beginning_again:
    """In this block, TooLong is caught around the transaction, which begins again after the work is done."""

    def __init__(self, is_possible: bool = True) -> None:
        self._is_possible = is_possible

    def __enter__(self) -> None:
        self._before, _thread.begins_again = _thread.begins_again, self._is_possible

    def __exit__(self, *_error: object) -> None:
        _thread.begins_again = self._before


def while_others_wait() -> limited:
    """Around what is done in a transaction: limited if it can begin again."""
    return limited(WHILE_OTHERS_WAIT if _thread.begins_again else None)
