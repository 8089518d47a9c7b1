"""Storing results, reading what an earlier attempt stored, and targets: what is written, what is run, what is told."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from appliance.core.annotations import flatten, unmapped
from appliance.core.cache_validators import all_inputs
from appliance.core.errors import ResultError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.results import Unloaded
from appliance.core.states import Cached, Failed, Mapped, Running, State, Success, TriggerFailed
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.calls import Invocation
from appliance.engine.executors.executor import Executor
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.processes import ProcessExecutor
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.results.local import LocalResult
from appliance.engine.results.memory import MemoryResult
from appliance.engine.task_runner import TaskRunner
from tests.unit.core.test_results_templates import Awkward

HERE = Path(__file__).resolve().parents[3]


def made(function: Callable[..., Any], **options: Any) -> Task:
    """A task with these options."""
    found = task(name=function.__name__)(function)
    for name, value in options.items():
        setattr(found, name, value)
    return found


def flow_of(*tasks: Task, result: Any = None, **arguments: Any) -> Flow:
    """Each task takes the result of the one before."""
    with Flow("f") as flow:
        last: Any = None
        for number, one in enumerate(tasks):
            last = one(last) if number else one(**arguments)
    flow.result = result
    return flow


def states(flow: Flow, **options: Any) -> dict[str, State]:
    final = FlowRunner(flow, **options).run()
    return {one.name: state for one, state in final.result.items()}


@pytest.fixture(autouse=True)
def no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLIANCE_RESULTS_URL", raising=False)
    monkeypatch.delenv("APPLIANCE_CHECKPOINTING", raising=False)


def load() -> list[int]:
    return [1, 2, 3]


def total(values: Any) -> Any:
    return sum(values)


def _double(x: int) -> int:
    return x * 2


class Down(MemoryResult):
    """A place that can't be reached, or only after some tries."""

    def __init__(self, failures: float = math.inf, **options: Any) -> None:
        super().__init__(**options)
        self.failures = failures
        self.asked: list[str] = []

    def _ask(self, location: str) -> None:
        self.asked.append(location)
        self.failures -= 1
        if self.failures >= 0:
            raise ResultError("The place can't be reached.")

    def put(self, location: str, content: bytes) -> None:
        self._ask(location)
        super().put(location, content)

    def get(self, location: str) -> bytes:
        self._ask(location)
        return super().get(location)

    def has(self, location: str) -> bool:
        self._ask(location)
        return super().has(location)


# --- storing


def test_results_are_stored_where_the_author_says() -> None:
    place, own = MemoryResult(), MemoryResult()
    found = states(flow_of(made(load), made(total, result=own), result=place))
    data = found["load"].data
    assert place.read(data["result_location"], data["result_sha256"]) == [1, 2, 3]
    assert len(place.contents) == 1
    assert own.read(found["total"].data["result_location"]) == 6
    assert [state.result for state in found.values()] == [[1, 2, 3], 6]


def test_the_default_location_names_the_run_and_the_task() -> None:
    place = MemoryResult()
    with Flow("f") as flow:
        made(lambda x: x + 1).map([1, 2])
    flow.result = place
    FlowRunner(flow, flow_run_id="0198-run").run()
    folders = {location.rpartition("/")[0].split("/")[3] for location in place.contents}
    assert folders == {"0198-run"}
    assert sorted(location.rpartition("/")[2].split("-")[3] for location in place.contents) == ["0", "1"]


def test_without_a_place_nothing_is_stored() -> None:
    assert states(flow_of(made(load)))["load"].data == {}


@pytest.mark.parametrize("asked", [False, True])
def test_the_sites_place_is_used_when_all_results_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", tmp_path.as_uri())
    if asked:
        monkeypatch.setenv("APPLIANCE_CHECKPOINTING", "1")
    found = states(flow_of(made(load), made(total, checkpoint=False)))
    assert ("result_location" in found["load"].data) is asked
    assert "result_location" not in found["total"].data
    if asked:
        assert found["load"].data["result_place"] == tmp_path.as_uri()
        assert LocalResult(tmp_path).read(found["load"].data["result_location"]) == [1, 2, 3]


@pytest.mark.parametrize(
    "url", ["nowhere", "ftp://x/y", "file://", "s3://", "s3://key:secret@bucket/x", "sftp://h:x/y"]
)
def test_an_address_that_can_not_be_one_is_one_sentence(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", url)
    with pytest.raises(ResultError) as caught:
        FlowRunner(flow_of(made(load)))
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_none_parameters_and_what_shall_not_be_stored_are_not() -> None:
    place = MemoryResult()
    with Flow("f") as flow:
        made(lambda x: None)(Parameter("secret", default="hidden"))
        made(load, checkpoint=False)()
    flow.result = place
    assert FlowRunner(flow).run().is_successful()
    assert place.contents == {}


def test_a_result_that_can_not_be_stored_fails_its_task_and_is_tried_again() -> None:
    runs: list[int] = []
    one = made(lambda: runs.append(1) or 5, max_retries=2, retry_delay=timedelta(0))
    found = next(iter(states(flow_of(one, result=Down(failures=2))).values()))
    assert isinstance(found, Success) and found.result == 5
    assert len(runs) == 3
    found = next(iter(states(flow_of(one, result=Down())).values()))
    assert isinstance(found, Failed)
    assert found.message == "The task ran, but its result could not be stored: The place can't be reached."


def test_a_site_that_can_not_store_fails_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", (tmp_path / "file" / "below").as_uri())
    monkeypatch.setenv("APPLIANCE_CHECKPOINTING", "true")
    found = states(flow_of(made(load), made(lambda values: (value for value in values))))
    assert all(isinstance(state, Success) and state.data == {} for state in found.values())
    assert len([line for line in caplog.messages if "can't be stored for a restart" in line]) == 2


def test_handlers_and_trackers_hear_of_one_success_with_its_location() -> None:
    heard: list[tuple[State, State]] = []
    one = made(load, state_handlers=(lambda _task, old, new: heard.append((old, new)),))
    states(flow_of(one, result=MemoryResult()))
    assert [type(new) for _, new in heard] == [Running, Success]
    assert "result_location" in heard[-1][1].data


@pytest.mark.parametrize("make", [LocalExecutor, lambda: ThreadExecutor(2), lambda: ProcessExecutor(1)])
def test_every_executor_stores_and_finds_in_the_same_way(tmp_path: Path, make: Callable[[], Executor]) -> None:
    def run() -> list[State]:
        with Flow("f") as flow:
            first = made(load, target="first.pickle")()
            each = made(_double, cache_for=timedelta(1), cache_validator=all_inputs).map(first)
            last = made(total)(each)
        flow.result = LocalResult(tmp_path)
        final = FlowRunner(flow, make()).run()
        return [final.result[first], *final.result[each].map_states, final.result[last]]

    before, after = run(), run()
    assert [state.result for state in before] == [state.result for state in after] == [[1, 2, 3], 2, 4, 6, 12]
    assert [type(state) for state in before] == [Success, Cached, Cached, Cached, Success]
    assert [str(state.message).split()[0] for state in after] == ["Result", "Using", "Using", "Using", "Task"]
    assert all(state.data["result_sha256"] for state in (*before, *after))


def test_the_place_does_not_travel_with_the_code_of_tasks() -> None:
    seen: list[Any] = []

    class Elsewhere(LocalExecutor):
        def invoke(self, invocation: Invocation) -> State:  # type: ignore[override]
            seen.append(invocation.context.flow_run.result)
            return invocation()

    flow, place = flow_of(made(load)), MemoryResult()
    flow.result = place
    states(flow, executor=Elsewhere())
    assert seen == [None] and len(place.contents) == 1


def test_only_locations_leave_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[State] = []
    monkeypatch.setattr(TaskRunner, "state_changed", lambda self, slug, index, old, new, count: told.append(new))
    one = made(lambda: "a very private value", cache_for=timedelta(1))
    states(flow_of(one, made(lambda x: [x], target="t"), result=MemoryResult()))
    text = json.dumps([state.to_wire() for state in told])
    assert "private" not in text and text.count("result_sha256") == 2


HARD: dict[str, Any] = {
    "nan": math.nan,
    "array": numpy.zeros(3),
    "empty array": numpy.array([]),
    "frame": pandas.DataFrame({"a": [1, 2]}),
    "empty frame": pandas.DataFrame(),
    "missing": pandas.NA,
    "false": False,
    "empty": [],
    "function": lambda: 1,
}


@pytest.mark.parametrize("kind", HARD)
def test_values_that_are_neither_true_nor_equal_are_stored_and_cached(kind: str) -> None:
    value, place = HARD[kind], MemoryResult()
    for options in ({}, {"cache_for": timedelta(1)}, {"target": "t.pickle"}):
        for _ in range(2):
            found = states(flow_of(made(lambda: value, **options), made(lambda x: type(x).__name__), result=place))
            assert all(state.is_successful() for state in found.values())
            assert found["<lambda>"].result == type(value).__name__


@pytest.mark.parametrize("make", [Awkward, lambda: [Awkward()]])
@pytest.mark.parametrize("options", [{}, {"cache_for": timedelta(1)}, {"target": "t"}])
def test_values_that_can_not_be_pickled_are_a_clear_failure(make: Any, options: dict[str, Any]) -> None:
    one = made(lambda: make(), **options)
    found = next(iter(states(flow_of(one, result=MemoryResult())).values()))
    assert isinstance(found, Failed)
    assert "could not be stored: A value of type" in str(found.message) and "\n" not in str(found.message)


def test_without_a_place_they_are_results_like_any_other() -> None:
    found = states(flow_of(made(Awkward, cache_for=timedelta(1)), made(lambda x: type(x).__name__)))
    assert found["<lambda>"].result == "Awkward"


def test_a_big_value_is_copied_once(tmp_path: Path) -> None:
    place, value, size = LocalResult(tmp_path), bytes(32 << 20), 32 << 20
    tracemalloc.start()
    try:
        stored = place.write(value)
        _, writing = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert len(place.read(stored.location, stored.sha256)) == size
        _, reading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert writing < 1.2 * size
    assert reading < 2.2 * size  # the bytes, and the value made of them


# --- reading what an earlier attempt stored


class Counting(MemoryResult):
    """Remembers what was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_locations: list[str] = []

    def get(self, location: str) -> bytes:
        self.read_locations.append(location)
        return super().get(location)

    def earlier(self, value: Any, location: str) -> Success:
        stored = self.store(value, location)
        return Success(result=Unloaded(stored.location, stored.sha256))


def test_only_what_is_needed_is_read_and_only_once() -> None:
    place = Counting()
    with Flow("f") as flow:
        used, unused, after = made(load), made(lambda: 9, name="unused"), made(lambda: 1, name="after")
        a, b = used(), unused()
        first, second = made(total)(a), made(total)(a)
        last = after(upstream_tasks=[b])
    flow.result = place
    earlier = {
        (flow.slugs[a], -1): place.earlier([4, 5], "a"),
        (flow.slugs[b], -1): place.earlier("b", "b"),
    }
    final = FlowRunner(flow, initial_task_states=earlier).run()
    assert [final.result[one].result for one in (first, second, last)] == [9, 9, 1]
    assert place.read_locations == ["a"]
    assert final.result[b].result == Unloaded("b", earlier[flow.slugs[b], -1].result.sha256)


@pytest.mark.parametrize("threads", [False, True])
def test_results_of_mapped_children_are_read_by_those_who_need_them(threads: bool) -> None:
    place = Counting()
    with Flow("f") as flow:
        each = made(lambda x: x, name="each").map([1, 2, 3])
        again = made(lambda x, y: x + y, name="again").map(each, unmapped(each))
        flat = made(lambda x: x, name="flat").map(flatten(made(lambda: [[0]], name="lists")()))
        end = made(total)(each)
    again.run = lambda x, y: (x, y)  # type: ignore[method-assign]
    flow.result = place
    slug = flow.slugs[each]
    earlier: dict[tuple[str, int], State] = {(slug, i): place.earlier(10 * i, f"each{i}") for i in range(3)}
    earlier[slug, -1] = Mapped(n_map_states=3)
    earlier[next(s for t, s in flow.slugs.items() if t.name == "lists"), -1] = place.earlier([["x"], ["y"]], "lists")
    final = FlowRunner(flow, ThreadExecutor(2) if threads else None, initial_task_states=earlier).run()
    assert final.is_successful(), final.result
    assert final.result[end].result == 30
    assert final.result[again].result == [(0, [0, 10, 20]), (10, [0, 10, 20]), (20, [0, 10, 20])]
    assert final.result[flat].result == ["x", "y"]
    assert set(place.read_locations) == {"each0", "each1", "each2", "lists"}


def test_a_list_that_only_counts_the_children_is_read_too() -> None:
    place = Counting()
    with Flow("f") as flow:
        values, big = made(load)(), made(lambda: "big", name="big")()
        each = made(lambda x: x, name="each").map([7, 8], upstream_tasks=[values])
        both = made(lambda x, y: x, name="both").map([5], unmapped(big))
    flow.result = place
    names = {one.name: slug for one, slug in flow.slugs.items()}
    earlier: dict[tuple[str, int], State] = {
        (names["load"], -1): place.earlier([0, 0, 0], "values"),
        (names["big"], -1): place.earlier("big", "big"),
        (names["both"], -1): Mapped(n_map_states=1),
        (names["both"], 0): Success(result=1),
    }
    final = FlowRunner(flow, initial_task_states=earlier).run()
    assert final.is_successful()
    assert (final.result[each].result, final.result[both].result) == ([7, 8], [1])
    assert place.read_locations == ["values"]


def damaged(place: Counting, state: Success, how: str) -> None:
    if how == "missing":
        del place.contents[state.result.location]
    elif how == "empty":
        place.contents[state.result.location] = b""
    elif how == "replaced":
        place.store("other", state.result.location)
    elif how == "truncated":
        place.contents[state.result.location] = place.contents[state.result.location][:-1]


@pytest.mark.parametrize("how", ["missing", "empty", "replaced", "truncated", "outside", "no place"])
def test_what_can_not_be_read_fails_the_task_that_needs_it(how: str) -> None:
    place, ran = Counting(), []
    flow = flow_of(made(load), made(lambda x: ran.append(x), max_retries=3, retry_delay=timedelta(0)), result=place)
    state = place.earlier([1], "a/b")
    damaged(place, state, how)
    if how == "outside":
        state = Success(result=Unloaded("../../etc/passwd", "0" * 64))
    if how == "no place":
        flow.result = None
    found = states(flow, initial_task_states={("load-1", -1): state})
    failed = found["<lambda>"]
    assert isinstance(failed, Failed) and str(failed.message).startswith("Failed to retrieve task results: ")
    assert not ran


# --- targets


def test_a_target_is_written_and_then_used() -> None:
    place, runs = MemoryResult(), []
    one = made(lambda day: runs.append(day) or day * 2, target="{flow_name}/{day}-{date:%Y}.pickle")
    at = datetime(2026, 1, 31, tzinfo=UTC)
    for expected in (Success, Cached, Cached):
        found = next(iter(states(flow_of(one, result=place, day="mon"), scheduled_start_time=at).values()))
        assert type(found) is expected and found.result == "monmon"
        assert found.data["result_location"] == "f/mon-2026.pickle" and len(found.data["result_sha256"]) == 64
    assert found.message == "Result found at task target f/mon-2026.pickle."
    assert runs == ["mon"]
    states(flow_of(one, result=place, day="tue"), scheduled_start_time=at)
    assert sorted(place.contents) == ["f/mon-2026.pickle", "f/tue-2026.pickle"]


def test_a_target_may_be_a_function_and_knows_parameters_context_and_inputs() -> None:
    seen: dict[str, Any] = {}

    def where(**names: Any) -> str:
        seen.update(names)
        return "here"

    with Flow("f") as flow:
        Parameter("region", default="eu")
        made(lambda n: n, target=where)(3)
    flow.result = MemoryResult()
    FlowRunner(flow, context={"team": "data"}, flow_run_id="id").run()
    wanted = {
        "region": "eu",
        "n": 3,
        "team": "data",
        "flow_run_id": "id",
        "map_index": -1,
        "flow_name": "f",
        "task_run_count": 1,
    }
    assert wanted.items() <= seen.items()
    assert {"date", "today", "yesterday_nodash", "task_slug", "task_name"} <= seen.keys()


def test_a_cached_target_stops_before_running() -> None:
    heard: list[str] = []
    place = MemoryResult()
    place.store(1, "t")
    one = made(load, target="t", state_handlers=(lambda _t, old, new: heard.append(f"{old.name}>{new.name}"),))
    states(flow_of(one, result=place))
    assert heard == ["Pending>Cached"]


def test_the_trigger_has_its_say_before_a_target_is_used() -> None:
    place = MemoryResult()
    place.store(1, "t")

    def broken() -> None:
        raise ValueError("no")

    found = states(flow_of(made(broken), made(lambda x: x, target="t"), result=place))
    assert isinstance(found["<lambda>"], TriggerFailed)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{nobody}", "The result location uses {nobody}, which is not available; available: date,"),
        ("../up", "must be relative and stay inside its store"),
        ("/etc/x", "must be relative"),
        (lambda: 5, "must be a non-empty string, not 5"),
    ],
)
def test_a_target_that_can_not_be_one_fails_the_task_before_it_runs(target: Any, message: str) -> None:
    ran: list[int] = []
    found = next(iter(states(flow_of(made(lambda: ran.append(1), target=target), result=MemoryResult())).values()))
    assert isinstance(found, Failed) and message in str(found.message)
    assert not ran


def test_a_target_needs_a_place() -> None:
    found = states(flow_of(made(load, target="x")))["load"]
    assert isinstance(found, Failed) and "set result=LocalResult(...) on the task or its flow" in str(found.message)


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_broken_target_is_a_failure_and_not_a_value(content: bytes) -> None:
    place = MemoryResult()
    place.put("t", content)
    found = states(flow_of(made(load, target="t"), result=place))["load"]
    assert isinstance(found, Failed) and "memory:/t" in str(found.message)
    assert place.contents["t"] == content


def test_a_place_that_is_away_for_a_moment_is_asked_again() -> None:
    place = Down(failures=1)
    one = made(load, target="t", max_retries=1, retry_delay=timedelta(0))
    assert isinstance(states(flow_of(one, result=place))["load"], Success)
    assert place.asked == ["t", "t", "t"]


@pytest.mark.parametrize("option", ["target", "location"])
def test_children_of_a_mapped_task_never_share_a_location(option: str) -> None:
    def outcome(template: str) -> list[State]:
        place = MemoryResult(location=template if option == "location" else None)
        with Flow("f") as flow:
            each = made(lambda x, y: x, **({"target": template} if option == "target" else {})).map([1, 2], unmapped(3))
        flow.result = place
        return list(FlowRunner(flow).run().result[each].map_states)

    for template in ("one", "{task_slug}/{y}"):
        assert all("is the same for all children" in str(state.message) for state in outcome(template))
    for template in ("{map_index}", "{x}"):
        assert [state.result for state in outcome(template)] == [1, 2]


def test_a_loop_ends_with_one_stored_result() -> None:
    from appliance.core import signals
    from appliance.core.context import context

    def rounds() -> int:
        if context.task_loop_count < 3:
            raise signals.LOOP(result=context.task_loop_count)
        return int(context.task_loop_count)

    place = MemoryResult()
    assert states(flow_of(made(rounds, target="t"), result=place))["rounds"].result == 3
    assert list(place.contents) == ["t"]


def test_heavy_libraries_stay_away_until_a_result_needs_them() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom appliance import Flow, task, LocalResult\n"
        "with Flow('f') as f: task(lambda: 1)()\n"
        "f.run()\n"
        "print([m for m in ('cloudpickle', 'obstore', 'pandas', 'paramiko', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE)
    assert done.stdout.strip() == "[]"
