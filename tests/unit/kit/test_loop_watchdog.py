"""A process whose event loop is silent ends and says where it was; one whose loop runs, or has ended, goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from appliance.kit import loop_watchdog

PROGRAM = """
import asyncio, re, sys, threading
from appliance.kit.loop_watchdog import LoopWatchdog

async def main():
    watchdog = LoopWatchdog(0.5)
    watchdog.start()
    if sys.argv[1] == "sleeps":
        threading.Event().wait(60)
    if sys.argv[1] == "holds the interpreter":
        re.match("(a+)+$", "a" * 40 + "b")
    await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=1.5)
    watchdog.stop()
    threading.Event().wait(1)
    print("done")

asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["sleeps", "holds the interpreter"])
def test_a_silent_loop_ends_its_process(what: str) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, timeout=50)
    assert ended.returncode == 1 and "done" not in ended.stdout
    assert "Timeout" in ended.stderr and "in main" in ended.stderr


def test_a_loop_that_runs_goes_on() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, "runs"], capture_output=True, text=True, timeout=50)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_a_server_may_be_silent_for_fifteen_seconds() -> None:
    assert loop_watchdog.SILENCE == 15
