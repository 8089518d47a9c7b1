"""`cache_for`: when an earlier result is used, where that is written down, and that a broken cache costs a run and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy
import pandas
import pytest

from appliance.core.cache_validators import all_inputs, all_parameters, never_use, partial_inputs_only
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.results import Result
from appliance.core.states import Cached, State, Success, TriggerFailed
from appliance.core.task import Task
from appliance.engine import cache_records as caches
from appliance.engine import memory_sizes
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.results.local import LocalResult
from appliance.engine.results.memory import MemoryResult
from appliance.kit import clock
from tests.unit.core.test_results_templates import Awkward
from tests.unit.engine.test_checkpoints import Down, made

HOUR = timedelta(hours=1)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def time() -> Iterator[Clock]:
    caches.forget()
    source = Clock()
    with clock.stopped(source):
        yield source
    caches.forget()


@pytest.fixture(params=["memory of the process", "place"])
def place(request: pytest.FixtureRequest) -> Result | None:
    return None if request.param == "memory of the process" else MemoryResult()


class Counted:
    """A task's code that counts its runs and returns their number, or something else."""

    __name__ = "counted"

    def __init__(self, value: Callable[[int], Any] = lambda runs: runs) -> None:
        self.runs = 0
        self._value = value

    def __call__(self, **inputs: Any) -> Any:
        self.runs += 1
        return self._value(self.runs)


def run_once(
    code: Counted, result: Result | None = None, inputs: dict[str, Any] | None = None, *, flow_name: str = "f",
    parameters: dict[str, Any] | None = None, **options: Any,
) -> State:  # fmt: skip
    """The state of a task with this code, in a flow that is made anew like in another process."""
    with Flow(flow_name) as flow:
        one = made(lambda **values: code(**values), **{"cache_for": HOUR, **options})(**(inputs or {}))
        for name in parameters or {}:
            Parameter(name, default=None)()
    flow.result = result
    state: State = FlowRunner(flow, None, parameters).run().result[one]
    return state


def test_a_result_is_used_until_it_is_too_old(place: Result | None, time: Clock) -> None:
    code = Counted()
    first = run_once(code, place)
    assert isinstance(first, Cached) and first.message == "Task run succeeded." and first.result == 1
    assert first.cached_result_expiration == time.now + HOUR
    time.now += timedelta(minutes=59)
    second = run_once(code, place)
    assert isinstance(second, Cached) and second.result == 1
    assert (
        second.message
        == "Using the result of 2026-01-31T12:00:00.000000Z, which is valid until 2026-01-31T13:00:00.000000Z."
    )
    time.now += timedelta(minutes=1)
    assert run_once(code, place).result == 2
    assert code.runs == 2


def test_none_and_false_are_results_too(place: Result | None) -> None:
    for value in (None, False, 0, ""):
        code = Counted(lambda _runs, value=value: value)  # type: ignore[misc]
        for _ in range(2):
            state = run_once(code, place, cache_key=repr(value))
            assert isinstance(state, Cached) and state.result == value and type(state.result) is type(value)
        assert code.runs == 1


def test_never_use(place: Result | None) -> None:
    code = Counted()
    assert [run_once(code, place, cache_validator=never_use).result for _ in range(2)] == [1, 2]


def test_each_combination_of_inputs_is_kept(place: Result | None) -> None:
    code = Counted()
    asked = [{"x": [1, 2], "y": {"a", "b"}}, {"x": [2, 1], "y": {"a", "b"}}, {"x": [1, 2], "y": {"b", "a"}}]
    found = [run_once(code, place, inputs, cache_validator=all_inputs).result for inputs in asked]
    assert found == [1, 2, 1]
    validator = partial_inputs_only(["y"])
    assert [run_once(code, place, inputs, cache_validator=validator).result for inputs in asked] == [3, 3, 3]


def test_parameters_of_the_flow_count_when_asked(place: Result | None) -> None:
    code = Counted()
    found = [
        run_once(code, place, parameters={"day": day}, cache_validator=all_parameters).result
        for day in ("mon", "tue", "mon")
    ]
    assert found == [1, 2, 1]


def test_a_key_is_shared_by_flows_and_without_one_by_none(place: Result | None) -> None:
    code = Counted()
    assert [run_once(code, place, flow_name=name).result for name in ("a", "b", "a")] == [1, 2, 1]
    assert [run_once(code, place, flow_name=name, cache_key="ours").result for name in ("a", "b")] == [3, 3]


@pytest.mark.parametrize("threads", [False, True])
def test_children_of_a_mapped_task_have_their_own(place: Result | None, threads: bool) -> None:
    ran: list[int] = []

    def double(x: int) -> int:
        ran.append(x)
        return x * 2

    def mapped_over(values: list[int], validator: Any) -> list[int]:
        with Flow("f") as flow:
            each = made(double, cache_for=HOUR, cache_validator=validator, cache_key=str(validator)).map(values)
        flow.result = place
        return list(FlowRunner(flow, ThreadExecutor(2) if threads else None).run().result[each].result)

    assert mapped_over([1, 2, 3], None) == [2, 4, 6]
    assert mapped_over([1, 2, 3], None) == [2, 4, 6]
    assert sorted(ran) == [1, 2, 3]
    assert mapped_over([1, 2], all_inputs) == [2, 4]
    assert mapped_over([0, 2, 1], all_inputs) == [0, 4, 2]  # found wherever in the list they are
    assert sorted(ran) == [0, 1, 1, 2, 2, 3]


def test_a_function_decides_over_the_earlier_state_and_the_values() -> None:
    asked: list[Any] = []

    def when_told(state: Cached, inputs: Any, parameters: Any) -> bool:
        asked.append((set(state.hashed_inputs or ()), dict(inputs), dict(parameters)))
        return bool(inputs["use"])

    code = Counted()
    found = [run_once(code, None, {"use": use}, cache_validator=when_told).result for use in (True, True, False, True)]
    assert found == [1, 1, 2, 2]
    assert asked[0] == ({"use"}, {"use": True}, {})


def test_a_cached_result_stops_before_running() -> None:
    heard: list[str] = []
    handlers = (lambda _task, old, new: heard.append(f"{old.name}>{new.name}"),)
    for _ in range(2):
        run_once(Counted(), None, state_handlers=handlers)
    assert heard == ["Pending>Running", "Running>Cached", "Pending>Cached"]


def test_the_trigger_has_its_say_before_a_result_is_used(place: Result | None) -> None:
    fails = [False]

    def before() -> None:
        if fails[0]:
            raise ValueError("no")

    def run() -> State:
        with Flow("f") as flow:
            last: Task = made(lambda: 1, cache_for=HOUR)(upstream_tasks=[made(before)()])
        flow.result = place
        found: State = FlowRunner(flow).run().result[last]
        return found

    assert isinstance(run(), Cached)
    fails[0] = True
    assert isinstance(run(), TriggerFailed)


def test_failures_and_skips_are_not_cached(place: Result | None) -> None:
    from appliance.core import signals

    def ends(runs: int) -> int:
        if runs == 1:
            raise ValueError("no")
        if runs == 2:
            raise signals.SKIP("not today")
        return runs

    code = Counted(ends)
    found = [run_once(code, place) for _ in range(4)]
    assert [type(state).__name__ for state in found] == ["Failed", "Skipped", "Cached", "Cached"]
    assert code.runs == 3


# --- the records


def record_of(place: MemoryResult) -> str:
    return next(location for location in place.contents if location.startswith("cache/"))


def test_the_record_holds_a_location_and_hashes_and_no_value() -> None:
    place = MemoryResult()
    run_once(Counted(lambda _runs: "a private result"), place, {"x": "a private input"}, cache_validator=all_inputs)
    content = place.contents[record_of(place)]
    assert b"private" not in content
    record = msgspec.json.decode(content)
    assert sorted(record) == ["created", "expires", "inputs", "location", "parameters", "sha256"]
    assert place.read(record["location"], record["sha256"]) == "a private result"
    assert (record["created"], record["expires"]) == ("2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z")


def test_the_site_gives_a_place_to_caches_that_have_none(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", tmp_path.as_uri())
    code = Counted()
    assert "result_location" in run_once(code).data
    caches.forget()  # what another process doesn't know
    assert run_once(code).result == 1


def test_what_shall_not_be_stored_is_remembered_only() -> None:
    place, code = MemoryResult(), Counted()
    assert [run_once(code, place, checkpoint=False).result for _ in range(2)] == [1, 1]
    assert place.contents == {}


def drop(place: MemoryResult) -> None:
    del place.contents[msgspec.json.decode(place.contents[record_of(place)])["location"]]


def replace(place: MemoryResult) -> None:
    place.store("other", msgspec.json.decode(place.contents[record_of(place)])["location"])


def lead_out(place: MemoryResult) -> None:
    record = msgspec.json.decode(place.contents[record_of(place)])
    place.contents[record_of(place)] = msgspec.json.encode({**record, "location": "../../etc/passwd"})


def garble(content: bytes) -> Callable[[MemoryResult], None]:
    return lambda place: place.contents.__setitem__(record_of(place), content)


@pytest.mark.parametrize(
    "damage",
    [drop, replace, lead_out, *map(garble, (b"", b"{", b"[]", b"\xff", b'{"created": 1}', b'{"created":"x"}'))],
)
def test_a_broken_record_is_a_miss_with_a_warning(
    damage: Callable[[MemoryResult], None], caplog: pytest.LogCaptureFixture
) -> None:
    place, code = MemoryResult(), Counted()
    run_once(code, place)
    damage(place)
    assert run_once(code, place).result == 2
    assert len([line for line in caplog.messages if "The cache of task" in line]) == 1
    assert run_once(code, place).result == 2


def test_a_place_that_is_away_only_costs_a_run(caplog: pytest.LogCaptureFixture) -> None:
    place = Down()
    place.optional = True  # the site's
    code = Counted()
    for expected in (1, 2):
        state = run_once(code, place)
        assert type(state) is Success and state.result == expected
    assert any("can't be cached: The place can't be reached." in line for line in caplog.messages)


def test_inputs_without_content_only_cost_a_run(place: Result | None, caplog: pytest.LogCaptureFixture) -> None:
    code = Counted()
    for expected in (1, 2):
        state = run_once(code, place, {"x": threading.Lock()}, cache_validator=all_inputs)
        assert type(state) is Success and state.result == expected
    assert any("input 'x' of type lock can't be compared" in line for line in caplog.messages)


def test_a_validator_that_raises_only_costs_a_run(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_arguments: Any) -> bool:
        raise KeyError("day")

    code = Counted()
    assert [run_once(code, None, cache_validator=broken).result for _ in range(2)] == [1, 2]
    assert any("its validator failed: KeyError: 'day'" in line for line in caplog.messages)


def test_a_duration_without_end_is_no_failure() -> None:
    code = Counted()
    assert type(run_once(code, None, cache_for=timedelta.max)) is Success


def test_runs_that_write_the_same_record_never_tear_it(tmp_path: Any) -> None:
    place = LocalResult(tmp_path)
    begin = threading.Barrier(6)
    found: list[Any] = []

    def work(number: int) -> None:
        begin.wait()
        for _ in range(5):
            found.append(run_once(Counted(lambda _runs: [number] * 1000), place, cache_key="shared"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 30 and all(isinstance(state, Cached) for state in found)
    assert all(state.result == [state.result[0]] * 1000 for state in found)


def test_the_memory_of_the_process_is_bounded(monkeypatch: pytest.MonkeyPatch, time: Clock) -> None:
    monkeypatch.setattr(caches, "_REMEMBERED", 3)
    code = Counted()
    for number in range(5):
        run_once(code, None, cache_key=str(number))
    assert len(caches._memory) == 3
    assert run_once(code, None, cache_key="4").result == 5
    assert run_once(code, None, cache_key="0").result == 6


def test_the_memory_of_the_process_is_bounded_by_bytes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(caches, "_MOST_BYTES", 1_000_000)
    code = Counted(lambda runs: bytes(400_000))
    for number in range(5):
        run_once(code, None, cache_key=str(number))
    assert len(caches._memory) == 2
    assert caches._memory.size <= 1_000_000
    assert run_once(code, None, cache_key="4").result is not None and code.runs == 5
    run_once(code, None, cache_key="0")
    assert code.runs == 6
    large = Counted(lambda runs: bytes(2_000_000))
    with caplog.at_level("WARNING"):
        assert not run_once(large, None, cache_key="large").is_cached()
    assert "can't be cached: it takes about 1 MB of memory" in caplog.text
    assert len(caches._memory) == 2, "and nothing was forgotten for it"


def test_a_remembered_list_is_not_what_others_changed() -> None:
    code = Counted(lambda runs: [])
    for _ in range(2):
        state = run_once(code, None, cache_key="list")
        assert state.result == []
        state.result.append(1)
    assert code.runs == 1


class SlotsOnly:
    __slots__ = ("content", "unset")

    def __init__(self, content: Any) -> None:
        self.content = content


FRAME = pandas.DataFrame({"n": numpy.arange(1000), "s": ["x" * 100] * 1000})


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        (None, 0, 100),
        (bytes(1_000_000), 1_000_000, 1_001_000),
        (numpy.zeros(100_000), 800_000, 801_000),
        (FRAME, 100_000, 400_000),
        ([bytes(1000)] * 1000, 1_000, 20_000),
        ([bytes(1000) + bytes([n % 256]) for n in range(1000)], 1_000_000, 1_100_000),
        ([{"a": bytes(1000)} for _ in range(100_000)], 10_000_000, 200_000_000),
        (Counted(), 0, 2_000),
        (SlotsOnly(bytes(100_000)), 100_000, 101_000),
        (Awkward(), 0, 2_000),
        (numpy.array([bytes(1000) + b"a", bytes(1000) + b"b"], dtype=object), 2_000, 3_000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_sizes_are_about_right(value: Any, least: int, most: int) -> None:
    assert least <= memory_sizes.estimate(value) <= most
