"""The bad-input catalogue, cases 91 and 92: whatever a task returns or raises, the run goes on by its rules and says what was wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from appliance.core import signals, states, triggers
from appliance.core.control import case
from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.executors.executor import Executor
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.processes import ProcessExecutor
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.run import run_flow
from tests import depth

IN_PROCESS = [LocalExecutor, lambda: ThreadExecutor(2)]
everywhere = pytest.mark.parametrize(
    "make", [*IN_PROCESS, lambda: ProcessExecutor(1)], ids=["local", "threads", "processes"]
)
in_process = pytest.mark.parametrize("make", IN_PROCESS, ids=["local", "threads"])
Make = Callable[[], Executor]


class HostileRepr:
    def __repr__(self) -> str:
        raise RuntimeError("hostile repr")

    __str__ = __repr__


class HostileComparison:
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("hostile eq")

    def __bool__(self) -> bool:
        raise RuntimeError("hostile bool")

    def __len__(self) -> int:
        raise RuntimeError("hostile len")


class HostileReduce:
    def __reduce__(self) -> Any:
        raise RuntimeError("hostile reduce")


class HostileAttributes:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("hostile attribute")


class EndlessRepr:
    def __repr__(self) -> str:
        return repr(self)


class Ambiguous:
    """As arrays and frames are: a comparison gives no bool, and its truth is an error."""

    def __eq__(self, other: object) -> Any:
        return self

    def __ne__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("The truth value is ambiguous.")


class HostileElements(list[int]):
    def __iter__(self) -> Any:
        raise RuntimeError("hostile items")


class LyingLength(list[int]):
    def __len__(self) -> int:
        return 10**12


async def coroutine() -> int:
    return 3


HOSTILE: dict[str, Callable[[], Any]] = {
    "a lock": threading.Lock,
    "hostile repr": HostileRepr,
    "endless repr": EndlessRepr,
    "hostile eq, bool and len": HostileComparison,
    "hostile reduce": HostileReduce,
    "hostile attributes": HostileAttributes,
    "ambiguous truth": Ambiguous,
    "a NaN": lambda: float("nan"),
    "an exception": lambda: ValueError("returned, not raised"),
    "a task": lambda: Task("returned"),
    "a class": lambda: HostileRepr,
}
UNPICKLABLE = {"a lock", "hostile reduce", "hostile attributes"}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("appliance.run")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(before)


def returning(value: Callable[[], Any]) -> tuple[Flow, dict[str, Task]]:
    """What a task returned is passed on, mapped over and compared; beside it stands a task that has nothing to do with it."""
    with Flow("hostile") as flow:
        source = task(lambda: value(), name="source")()
        passed = task(lambda x: type(x).__name__, name="passed")(source)
        mapped = task(lambda x: x, name="mapped").map(source)
        with case(source, 1):
            chosen = task(lambda: "chosen", name="chosen")()
        last = task(lambda: "last", name="last", trigger=triggers.all_finished)(upstream_tasks=[passed, mapped])
        beside = task(lambda: "beside", name="beside")()
    return flow, {
        "source": source,
        "passed": passed,
        "mapped": mapped,
        "chosen": chosen,
        "last": last,
        "beside": beside,
    }


def run(flow: Flow, make: Make) -> State:
    return run_flow(flow, executor=make())


@everywhere
@pytest.mark.parametrize("kind", HOSTILE)
def test_case_91_whatever_a_task_returns_the_run_goes_on(kind: str, make: Make) -> None:
    flow, tasks = returning(HOSTILE[kind])
    final = run(flow, make)
    found = {name: final.result[one] for name, one in tasks.items()}
    assert isinstance(found["beside"], states.Success)
    assert isinstance(found["last"], states.Success)
    assert isinstance(found["mapped"], states.Failed)
    if make().invoke is not None and kind in UNPICKLABLE:
        assert "can't be pickled" in found["source"].message
        assert isinstance(found["passed"], states.TriggerFailed)
    else:
        assert isinstance(found["source"], states.Success)
        assert isinstance(found["passed"], states.Success)
        assert f"returned {type(found['source'].result).__name__}; return a list" in found["mapped"].message
    assert all(state.is_finished() for state in found.values())


@in_process
def test_case_91_comparing_a_hostile_result_fails_the_branch_only(make: Make) -> None:
    flow, tasks = returning(HostileComparison)
    final = run(flow, make)
    assert isinstance(final.result[tasks["chosen"]], states.TriggerFailed)
    assert isinstance(final.result[tasks["beside"]], states.Success)


@everywhere
def test_case_91_a_returned_coroutine_is_run(make: Make) -> None:
    with Flow("f") as flow:
        found = task(lambda: coroutine(), name="found")()
    assert run(flow, make).result[found].result == 3


@everywhere
def test_case_91_a_large_result_arrives_whole(make: Make) -> None:
    """More than any pipe or message holds: 300 MB stand for 1 GB without needing the memory of a whole machine."""
    size = depth.pick(quick=30_000_000, normal=300_000_000, full=300_000_000)
    with Flow("f") as flow:
        found = task(lambda: bytes(size), name="large")()
    state = run(flow, make).result[found]
    assert len(state.result) == size
    assert len(repr(state)) < 200


@in_process
@pytest.mark.parametrize("value", [lambda: HostileElements([1]), LyingLength, HostileAttributes, HostileComparison])
def test_case_91_elements_that_can_not_be_read_fail_the_mapped_task_only(value: Callable[[], Any], make: Make) -> None:
    flow, tasks = returning(lambda: value())
    final = run(flow, make)
    assert isinstance(final.result[tasks["mapped"]], states.Failed)
    assert "unmappable" in final.result[tasks["mapped"]].message
    assert isinstance(final.result[tasks["last"]], states.Success)


def test_case_91_arrays_and_frames_pass_through_every_step() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2]})
    with Flow("f") as flow:
        source = task(lambda: frame, name="source")()
        length = task(lambda x: len(x), name="length")(source)
        arrays = task(lambda x: x + 1, name="more").map(task(lambda: frame["a"].to_numpy(), name="array")())
    final = run(flow, LocalExecutor)
    assert final.result[length].result == 2
    assert final.result[arrays].result == [2, 3]


# --- case 92: what a task raises


class OutsideException(BaseException):
    pass


class HostileText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("hostile str")

    __repr__ = __str__


class EndlessText(Exception):
    def __str__(self) -> str:
        return str(self)


class NoText(Exception):
    def __str__(self) -> Any:
        return 5


class UnpicklableArguments(Exception):
    def __init__(self, one: int, two: Any) -> None:
        super().__init__(one)
        self.two = two


class Notes(Exception):
    __notes__ = 5


RAISED: dict[str, tuple[Callable[[], BaseException], str]] = {
    "BaseException": (lambda: OutsideException("outside"), "OutsideException: outside"),
    "SystemExit": (lambda: SystemExit(3), "SystemExit: 3"),
    "GeneratorExit": (GeneratorExit, "GeneratorExit"),
    "StopIteration": (lambda: StopIteration(1), "StopIteration: 1"),
    "MemoryError": (MemoryError, "MemoryError"),
    "unpicklable arguments": (lambda: UnpicklableArguments(1, threading.Lock()), "UnpicklableArguments: 1"),
    "a group": (lambda: ExceptionGroup("several", [ValueError(1), KeyError(2)]), "ExceptionGroup: several (2 sub-ex"),
    "hostile text": (HostileText, "HostileText"),
    "endless text": (EndlessText, "EndlessText"),
    "no text": (NoText, "NoText"),
    "hostile notes": (lambda: Notes("n"), "Notes: n"),
    "half a character and NUL": (lambda: ValueError("\ud800\0"), "ValueError: "),
}


def raising(error: Callable[[], BaseException], **options: Any) -> tuple[Flow, Task, Task, Task]:
    def fail() -> None:
        raise error()

    with Flow("raises") as flow:
        failing = task(fail, name="failing", **options)()
        after = task(lambda x: x, name="after")(failing)
        beside = task(lambda: 1, name="beside")()
    return flow, failing, after, beside


@everywhere
@pytest.mark.parametrize("kind", RAISED)
def test_case_92_whatever_a_task_raises_becomes_its_state(kind: str, make: Make) -> None:
    error, says = RAISED[kind]
    flow, failing, after, beside = raising(error)
    final = run(flow, make)
    state = final.result[failing]
    assert type(state) is states.Failed
    assert state.message.startswith(says)
    assert type(final.result[after]) is states.TriggerFailed
    assert type(final.result[beside]) is states.Success
    assert set(state.data) >= {"exception", "traceback"}


@everywhere
def test_case_92_unbounded_recursion_fails_the_task_only(make: Make) -> None:
    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    with Flow("f") as flow:
        found = task(lambda: deeper(0), name="deep")()
    state = run(flow, make).result[found]
    assert state.message.startswith("RecursionError")
    assert len(state.data["traceback"]) < 40_000


@everywhere
def test_case_92_ten_megabytes_of_text_are_cut_in_states_and_log_lines(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    flow, failing, _, _ = raising(lambda: ValueError("begins" + "x" * 10_000_000 + "ends"))
    with caplog.at_level(logging.INFO, "appliance.run"):
        final = run(flow, make)
    state = final.result[failing]
    assert state.message.startswith("ValueError: begins")
    assert state.message.endswith("ends")
    assert len(state.message) + sum(map(len, state.data.values())) < 100_000
    assert len(final.message) + sum(len(str(value)) for value in final.data.values()) < 100_000
    assert max(len(record.getMessage()) for record in caplog.records) < 100_000


def test_case_92_a_keyboard_interrupt_in_the_main_thread_ends_the_run_as_cancelled() -> None:
    flow, *_ = raising(KeyboardInterrupt)
    assert type(run(flow, LocalExecutor)) is states.Cancelled


@pytest.mark.parametrize("make", [lambda: ThreadExecutor(1), lambda: ProcessExecutor(1)], ids=["threads", "processes"])
def test_case_92_a_keyboard_interrupt_elsewhere_is_a_failure_of_the_task(make: Make) -> None:
    flow, failing, _, beside = raising(KeyboardInterrupt)
    final = run(flow, make)
    assert type(final.result[failing]) is states.Failed
    assert type(final.result[beside]) is states.Success


# --- the same in what surrounds a task's code


def exits(*_arguments: Any, **_more: Any) -> Any:
    raise SystemExit(1)


def loops(*_arguments: Any, **_more: Any) -> Any:
    raise signals.LOOP(result=1)


class Unfinished(signals.StateSignal):
    """A signal of an author."""

    state_class = states.Running


def unfinished(*_arguments: Any, **_more: Any) -> Any:
    raise Unfinished("on its way")


@in_process
@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"state_handlers": [exits]}, states.Failed, "Exception raised while calling state handlers: SystemExit: 1"),
        ({"state_handlers": [lambda *_: 5]}, states.Failed, "returned int; return a state"),
        ({"trigger": exits}, states.TriggerFailed, "SystemExit: 1"),
        ({"trigger": lambda _: None}, states.TriggerFailed, "did not hold"),
        (
            {"trigger": loops},
            states.TriggerFailed,
            "The trigger raised LOOP, which only the task's own code can; return True or",
        ),
        (
            {"trigger": unfinished},
            states.TriggerFailed,
            "The trigger raised Unfinished, which only the task's own code can",
        ),
        ({"task_run_name": loops}, states.Success, "succeeded"),
        ({"cache_for": timedelta(1), "cache_validator": loops}, states.Cached, "succeeded"),
        ({"task_run_name": exits}, states.Success, "succeeded"),
        ({"task_run_name": "{nothing.there}"}, states.Success, "succeeded"),
    ],
)
def test_case_92_handlers_triggers_and_names_fail_their_task_only(
    options: dict[str, Any], kind: type[State], says: str, make: Make
) -> None:
    with Flow("f") as flow:
        first = task(lambda: 1, name="first")()
        found = task(lambda x: x, name="found", **options)(first)
        beside = task(lambda: 1, name="beside")()
    final = run(flow, make)
    assert type(final.result[found]) is kind
    assert says in final.result[found].message
    assert type(final.result[beside]) is states.Success


@pytest.mark.parametrize("handler", [exits, lambda *_: 5])
def test_case_92_handlers_of_the_flow_fail_the_flow_with_a_sentence(handler: Any) -> None:
    with Flow("f", terminal_state_handler=handler) as flow:
        found = task(lambda: 1, name="first")()
    final = run(flow, LocalExecutor)
    assert type(final) is states.Failed
    assert "state handler" in final.message.lower()
    assert type(final.result[found]) is states.Success
    flow = Flow("f", tasks=[Task("never")], state_handlers=[handler])
    assert type(run(flow, LocalExecutor)) is states.Failed


def test_case_92_a_signal_whose_message_is_huge_is_cut() -> None:
    flow, failing, _, _ = raising(lambda: signals.FAIL("x" * 10_000_000))
    assert len(run(flow, LocalExecutor).result[failing].message) < 100_000
