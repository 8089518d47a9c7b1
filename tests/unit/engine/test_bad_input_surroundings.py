"""The bad-input catalogue, cases 93, 97 and 100: what a task does to its process, what is mapped over, and where a run takes place."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.core import states
from appliance.core.annotations import flatten, unmapped
from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.secrets import Secret
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.executors.executor import Executor
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.processes import ProcessExecutor
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.run import run_flow

ROOT = Path(__file__).resolve().parents[3]
in_process = pytest.mark.parametrize("make", [LocalExecutor, lambda: ThreadExecutor(2)], ids=["local", "threads"])

# --- case 93: what a task does to its process. Workers: here; more of them in tests/conformance/test_executor_processes.py

ENDS = {
    "leaves at once": ("os._exit(7)", "exit code 7"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "kills itself": ("os.kill(os.getpid(), 9)", "SIGKILL"),
    "calls sys.exit": ("sys.exit(4)", "SystemExit: 4"),
}
LEAVES = {
    "a fork that returns": "os.fork() or os._exit(0)",
    "closed streams": "os.close(0); os.close(1); os.close(2)",
    "another directory": "os.chdir('/')",
    "another umask": "os.umask(0o777)",
    "another locale": "import locale; locale.setlocale(locale.LC_ALL, 'C')",
    "no signal handlers": "import signal; [signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)]",
}


def doing(code: str) -> tuple[Flow, Any, Any, Any]:
    def act() -> str:
        exec(code, {"os": os, "sys": sys})
        return "went on"

    def see() -> tuple[str, int, bool]:
        os.umask(umask := os.umask(0o22))
        return str(Path.cwd()), umask, os.fstat(1).st_mode > 0

    with Flow("f") as flow:
        beside = task(lambda: 1, name="beside")()
        acting = task(act, name="acting")(upstream_tasks=[beside])
        after = task(see, name="after", trigger=lambda _: True)(upstream_tasks=[acting])
    return flow, beside, acting, after


@pytest.mark.parametrize("how", ENDS)
def test_case_93_a_task_that_ends_its_worker_fails_with_the_code(how: str) -> None:
    code, says = ENDS[how]
    flow, beside, acting, after = doing(code)
    final = run_flow(flow, executor=ProcessExecutor(1))
    assert isinstance(final.result[acting], states.Failed)
    assert says in final.result[acting].message
    assert isinstance(final.result[beside], states.Success)
    assert isinstance(final.result[after], states.Success)


@pytest.mark.parametrize("what", LEAVES)
def test_case_93_what_a_task_does_to_its_worker_reaches_no_other_task(what: str) -> None:
    here, umask = str(Path.cwd()), os.umask(0o22)
    os.umask(umask)
    flow, _, acting, after = doing(LEAVES[what])
    final = run_flow(flow, executor=ProcessExecutor(1))
    assert final.result[acting].result == "went on"
    assert final.result[after].result == (here, umask, True)


@pytest.mark.parametrize(
    ("code", "ends"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9), ("ctypes.string_at(0)", -11)]
)
def test_case_93_in_the_flows_own_process_the_exit_code_is_what_an_agent_reports(code: str, ends: int) -> None:
    done = script(f"""
        import ctypes, os
        from appliance import Flow, task
        with Flow("f") as flow:
            task(lambda: {code}, name="ends")()
        flow.run()
        print("never")
    """)
    assert done.returncode == ends
    assert "never" not in done.stdout


def script(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run this code in a new interpreter."""
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )


# --- case 97: what is mapped over


def mapping(value: Any, make: Callable[[], Executor], wrap: Callable[[Any], Any] = lambda x: x) -> State:
    """The state of a task mapped over what another one returned, its children's results as its result."""
    with Flow("f") as flow:
        source = task(lambda: value, name="source")()
        found = task(lambda x: x, name="mapped").map(wrap(source))
        task(lambda: 1, name="beside")()
    return run_flow(flow, executor=make()).result[found]


@in_process
@pytest.mark.parametrize("value", [None, {"a": 1}, {1, 2}, 5, float("nan"), object()])
def test_case_97_what_has_no_elements_in_order_is_refused_with_its_type(
    value: Any, make: Callable[[], Executor]
) -> None:
    state = mapping(value, make)
    assert type(state) is states.Failed
    assert state.message == (
        f"At least one upstream state has an unmappable result: task 'source' returned {type(value).__name__}; return a list."
    )


@in_process
@pytest.mark.parametrize(
    ("value", "elements"),
    [("abc", ["a", "b", "c"]), (b"ab", [97, 98]), ((1, 2), [1, 2]), (range(3), [0, 1, 2]), ([None, []], [None, []])],
)
def test_case_97_every_sequence_is_dealt_out_by_index(
    value: Any, elements: list[Any], make: Callable[[], Executor]
) -> None:
    state = mapping(value, make)
    assert isinstance(state, states.Mapped)
    assert state.result == elements


@in_process
@pytest.mark.parametrize("value", [[], (), "", range(0)])
def test_case_97_nothing_to_map_over_is_a_success_without_children(value: Any, make: Callable[[], Executor]) -> None:
    state = mapping(value, make)
    assert isinstance(state, states.Mapped)
    assert (state.n_map_states, state.result) == (0, [])


@in_process
@pytest.mark.parametrize(
    ("value", "elements"), [([[], []], []), ([[1], [], [2, 3]], [1, 2, 3]), (["ab", [1]], ["a", "b", 1])]
)
def test_case_97_flatten_takes_one_level_away(value: Any, elements: list[Any], make: Callable[[], Executor]) -> None:
    state = mapping(value, make, flatten)
    assert isinstance(state, states.Mapped)
    assert state.result == elements


@in_process
@pytest.mark.parametrize("value", [None, 5, [1, 2], [[1], None]])
def test_case_97_flattening_what_is_not_nested_is_refused(value: Any, make: Callable[[], Executor]) -> None:
    state = mapping(value, make, flatten)
    assert type(state) is states.Failed
    assert "unmappable" in state.message


@in_process
def test_case_97_unequal_lengths_end_with_the_shortest(make: Callable[[], Executor]) -> None:
    with Flow("f") as flow:
        long, short = task(lambda: [1, 2, 3], name="long")(), task(lambda: "ab", name="short")()
        found = task(lambda x, y, z: (x, y, z), name="both").map(long, short, unmapped([7]))
        none = task(lambda x, y: x, name="none").map(long, task(lambda: [], name="empty")())
    final = run_flow(flow, executor=make())
    assert final.result[found].result == [(1, "a", [7]), (2, "b", [7])]
    assert (final.result[none].n_map_states, final.result[none].result) == (0, [])


# --- case 100: where a run takes place


def test_case_100_two_runs_in_threads_see_nothing_of_each_other(caplog: pytest.LogCaptureFixture) -> None:
    both = threading.Barrier(2, timeout=30)

    def see(n: int) -> tuple[Any, ...]:
        both.wait()
        get_logger().info("line of %s", n)
        seen = (n, context.flow_name, context.parameters["n"], context.who, Secret("KEY").get(), context.map_index)
        both.wait()
        return seen

    def flow_named(name: str) -> tuple[Flow, Any]:
        with Flow(name) as flow:
            seen = task(see, name="see", log_stdout=True)(Parameter("n"))
        return flow, seen

    found: dict[str, State] = {}

    def work(name: str, n: int) -> None:
        flow, seen = flow_named(name)
        found[name] = run_flow(
            flow, {"n": n}, executor=ThreadExecutor(1), context={"who": name, "secrets": {"KEY": f"secret of {name}"}}
        ).result[seen]

    threads = [threading.Thread(target=work, args=one) for one in (("one", 1), ("two", 2))]
    with caplog.at_level(logging.INFO, "appliance.run"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found["one"].result == (1, "one", 1, "one", "secret of one", -1)
    assert found["two"].result == (2, "two", 2, "two", "secret of two", -1)
    assert context.get("flow_name") is None


def test_case_100_flows_built_in_two_threads_get_their_own_tasks() -> None:
    inside = threading.Barrier(2, timeout=30)
    built: dict[str, Flow] = {}

    def build(name: str) -> None:
        with Flow(name) as flow:
            inside.wait()
            task(lambda: 1, name=f"of {name}")()
            inside.wait()
        built[name] = flow

    threads = [threading.Thread(target=build, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {name: [one.name for one in flow.tasks] for name, flow in built.items()} == {
        "one": ["of one"],
        "two": ["of two"],
    }


FLOW = """
from appliance import Flow, Parameter, ProcessExecutor, ThreadExecutor, task

@task
def add(x, y):
    return x + y

with Flow("f") as flow:
    total = add(Parameter("n", default=1), 2)
    mapped = add.map([1, 2], y=[3, 4])

def check(**options):
    state = flow.run(**options)
    assert state.is_successful(), state
    if (state.result[total].result, state.result[mapped].result) != (3, [4, 6]):
        raise SystemExit("wrong results")
"""


@pytest.mark.parametrize("options", ["", "executor=ThreadExecutor(2)", "executor=ProcessExecutor(1)"])
def test_case_100_after_a_fork(options: str) -> None:
    done = script(f"""{FLOW}
import os
check()
check({options})
pid = os.fork()
check({options})
if not pid:
    os._exit(0)
print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")
    assert done.stdout == "child ended with 0\n", done.stderr


@pytest.mark.parametrize("option", ["-O", "-OO", "-I", "-Walways"])
def test_case_100_under_other_options_of_python(option: str) -> None:
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    done = script(
        f"{path}{FLOW}\ncheck(); check(executor=ThreadExecutor(2)); check(executor=ProcessExecutor(1)); print('ran')",
        option,
    )
    assert done.stdout == "ran\n", done.stderr


def test_case_100_imported_and_run_in_a_thread() -> None:
    done = script("""
        import threading

        def work():
            from appliance import Flow, ProcessExecutor, task
            with Flow("f") as flow:
                one = task(lambda: 1, name="one", timeout=5)()
            assert flow.run().result[one].result == 1
            assert flow.run(executor=ProcessExecutor(1)).result[one].result == 1
            print("ran")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """)
    assert done.stdout == "ran\n", done.stderr


def test_case_100_in_a_running_event_loop_as_in_a_notebook() -> None:
    async def later() -> int:
        return 1

    with Flow("f") as flow:
        found = task(later)()

    async def cell() -> State | None:
        return flow.run()

    state = asyncio.run(cell())
    assert state is not None
    assert state.result[found].result == 1


def test_case_100_as_process_number_one() -> None:
    unshare = ["unshare", "--fork", "--pid"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system lets no process be number one")
    code = f"{FLOW}\nimport os\ncheck(); check(executor=ThreadExecutor(2)); check(executor=ProcessExecutor(1)); print(os.getpid())"
    done = subprocess.run(
        [*unshare, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout == "1\n", done.stderr
