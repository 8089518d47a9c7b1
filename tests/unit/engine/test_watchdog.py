"""A block that takes too long is noticed by another thread, in whichever order blocks begin, and also in a forked process."""

from __future__ import annotations

import multiprocessing
import sys
import threading

import pytest

from appliance.core.run_context import current_task_run
from appliance.engine.watchdog import watched

WAIT = 30
LONG = 1e9
SHORT = 0.01


def is_noticed() -> bool:
    rang = threading.Event()
    with watched(rang.set, after=SHORT, every=LONG):
        return rang.wait(WAIT)


def test_a_short_block_inside_a_long_one_is_noticed_first() -> None:
    outer = threading.Event()
    with watched(outer.set, after=LONG, every=LONG):
        assert is_noticed()
    assert not outer.is_set()


def test_a_long_block_is_noticed_again_and_again() -> None:
    times = threading.Semaphore(0)
    with watched(times.release, after=SHORT, every=SHORT):
        assert all(times.acquire(timeout=WAIT) for _ in range(3))


def test_a_block_that_has_ended_is_not_noticed() -> None:
    late = threading.Event()
    with watched(late.set, after=SHORT, every=SHORT):
        pass
    assert is_noticed()
    assert not late.is_set()


def test_the_thread_belongs_to_no_task() -> None:
    runs = []
    rang = threading.Event()

    def look() -> None:
        runs.append(current_task_run.get())
        rang.set()

    with watched(look, after=SHORT, every=LONG):
        assert rang.wait(WAIT)
    assert runs == [None]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't fork")
def test_a_forked_process_notices_its_own_blocks() -> None:
    with watched(lambda: None, after=LONG, every=LONG):
        process = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(0 if is_noticed() else 1))
        process.start()
        process.join(2 * WAIT)
    assert process.exitcode == 0
