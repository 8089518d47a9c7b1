"""SIGTERM ends a local run as Ctrl-C does: with all cleanup, and then the process with the status that says why."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

START = """
import atexit, os, signal, sys, threading, time
from datetime import timedelta
from appliance import Flow, IntervalSchedule, ProcessExecutor, ThreadExecutor, resource_manager, task
say = lambda text: os.write(1, f"{text}\\n".encode())  # print raises where a signal interrupts another print
atexit.register(say, "exit handler")

@resource_manager
class Cluster:
    def setup(self):
        return 1
    def cleanup(self, one):
        say("cleaned up")

@task
def wait(one, seconds=30):
    say("ready")
    threading.Event().wait(seconds)

def build(executor=None, seconds=30):
    with Flow("f", executor=executor) as flow:
        with Cluster() as cluster:
            wait(cluster, seconds)
    return flow
"""
RUNS = {
    "in this thread": "build().run(progress=False)",
    "on threads": "build(ThreadExecutor(1), 2).run(progress=False)",
    "on processes": "build(ProcessExecutor(1)).run(progress=False)",
    "within another run": """
@task
def outer():
    build().run(progress=False)
with Flow("outer") as flow:
    outer()
flow.run(progress=False)
""",
}


def end(code: str, number: signal.Signals = signal.SIGTERM) -> tuple[int, list[str]]:
    """Send the signal when the script says that it is ready. Returns its exit status and what it says from then on."""
    process = subprocess.Popen(
        [sys.executable, "-c", START + code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    rest = process.stdout.read().splitlines()
    return process.wait(), rest


@pytest.mark.parametrize("run", RUNS)
def test_resources_are_cleaned_up_and_the_status_is_that_of_sigterm(run: str) -> None:
    code = RUNS[run] + "\nsay('goes on')\n"
    assert end(code) == (143, ["cleaned up", "exit handler"])


@pytest.mark.parametrize("executor", ["None", "ProcessExecutor(1)"])
def test_ctrl_c_still_returns_to_the_script(executor: str) -> None:
    code = f"say(type(build({executor}).run(progress=False)).__name__)"
    assert end(code, signal.SIGINT) == (0, ["cleaned up", "Cancelled", "exit handler"])


def test_a_run_that_waits_for_its_next_time_ends() -> None:
    code = """
with Flow("f", schedule=IntervalSchedule(timedelta(days=1))) as flow:
    wait(1)
import appliance.kit.clock as clock
sleep = clock.sleep_until
clock.sleep_until = lambda at: (say("ready"), sleep(at))
flow.run(progress=False)
"""
    assert end(code) == (143, ["exit handler"])


def test_a_handler_of_the_users_wins() -> None:
    code = """
def mine(*_):
    say("mine")
    raise SystemExit(5)
signal.signal(signal.SIGTERM, mine)
build().run(progress=False)
"""
    status, lines = end(code)
    assert (lines[0], "cleaned up" in lines, status != 143) == ("mine", True, True)


def test_outside_of_runs_nothing_is_handled() -> None:
    code = """
with Flow("empty") as flow:
    pass
flow.run(progress=False)
thread = threading.Thread(target=flow.run, kwargs={"progress": False})
thread.start()
thread.join()
say("ready")
threading.Event().wait(30)
"""
    assert end(code) == (-signal.SIGTERM, [])


def test_a_forked_child_ends_on_sigterm_as_ever() -> None:
    code = """
import multiprocessing
@task
def fork():
    child = multiprocessing.get_context("fork").Process(target=threading.Event().wait, args=[30])
    child.start()
    child.terminate()
    child.join()
    say(child.exitcode)
    say("ready")
    threading.Event().wait(30)
with Flow("f") as flow:
    fork()
flow.run(progress=False)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", START + code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert [process.stdout.readline(), process.stdout.readline()] == ["-15\n", "ready\n"]
    process.terminate()
    assert process.wait() == 143
