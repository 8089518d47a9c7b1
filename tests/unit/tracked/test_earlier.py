"""Which states of earlier attempts are gone on from: values that are lost are made again where something needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.core.annotations import flatten, unmapped
from appliance.core.errors import RepeatError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.results import Result, Unloaded
from appliance.core.states import Failed, Retrying
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.results.local import LocalResult
from appliance.engine.tracked.earlier import initial_states, refuse_repeats, repeats_in_words
from appliance.protocol.run_protocol import EarlierTask


@task
def first(x: Any = 0) -> Any:
    return x


@task
def second(x: Any = 0, y: Any = 0) -> Any:
    return x


def known(slug: str, index: int = -1, type: str = "SUCCESS", name: str = "Success", **fields: Any) -> EarlierTask:
    return EarlierTask(task_slug=slug, map_index=index, type=type, name=name, **fields)  # type: ignore[arg-type]


def mapped(slug: str, *locations: str | None) -> list[EarlierTask]:
    parent = known(slug, name="Mapped", data={"n_map_states": len(locations)})
    return [parent, *(known(slug, index, result_location=one) for index, one in enumerate(locations))]


def kept(flow: Flow, *tasks: EarlierTask, place: Result | None = None) -> set[tuple[str, int]]:
    def place_of(_task: Task) -> Result | None:
        return place

    return set(initial_states(flow, tasks, place_of))


with Flow("chain") as chain:
    second(x=first(first()))


def test_a_value_is_lost_only_when_it_is_needed() -> None:
    lost, none = known("first-1"), known("first-2", result_location="")
    assert kept(chain, lost, none) == {("first-1", -1), ("first-2", -1)}  # what needs the first has finished
    assert kept(chain, lost, known("first-2")) == set()  # the second must run again, so the first must too
    done = known("second-1")
    assert kept(chain, lost, known("first-2"), done) == {("first-1", -1), ("first-2", -1), ("second-1", -1)}


def test_a_value_is_reused_while_it_lies_where_it_was_stored(tmp_path: Path) -> None:
    place = LocalResult(tmp_path)
    stored = place.write(5)
    there = known("first-2", result_location=stored.location, data={"result_sha256": stored.sha256})
    found = initial_states(chain, [there], lambda _task: place)
    state = found["first-2", -1]
    assert state.result == Unloaded(stored.location, stored.sha256)
    assert state.data["result_location"] == stored.location
    assert kept(chain, there, place=None) == set()  # the place isn't known any more
    (tmp_path / stored.location).unlink()
    assert kept(chain, there, place=place) == set()


def test_retries_and_failures_come_back_as_they_were() -> None:
    data = {"start_time": "2026-01-31T06:00:00.000000Z", "run_count": 2}
    retry = known("first-1", type="SCHEDULED", name="AwaitingRetry", run_count=2, data=data)
    failure = known("first-2", type="FAILED", name="TimedOut", message="too long", run_count=3)
    open_ones = [known("second-1", type="RUNNING", name="Running")]
    found = initial_states(chain, [retry, failure, *open_ones], lambda _task: None)
    assert set(found) == {("first-1", -1), ("first-2", -1)}
    again, failed = found["first-1", -1], found["first-2", -1]
    assert isinstance(again, Retrying) and again.context["task_run_count"] == again.run_count == 2
    assert isinstance(failed, Failed) and str(failed.result) == "too long"


def test_children_are_made_again_one_by_one() -> None:
    with Flow("children") as flow:
        some = first.map(Parameter("xs"))
        more = second.map(some, unmapped(first()))
        second(x=more)
    plain = [known("xs"), known("first-2")]
    lost = [*plain, *mapped("first-1", None, None), *mapped("second-1", "", "")]
    assert ("first-2", -1) not in kept(flow, *lost)  # the children are counted again, with all that they are given
    assert {("first-1", 0), ("first-1", 1), ("second-1", 0)} <= kept(flow, *lost)
    broken = [one for one in lost if (one.task_slug, one.map_index) != ("second-1", 1)]
    assert {index for slug, index in kept(flow, *broken) if slug == "first-1"} == {-1, 0}


def test_a_reduced_or_flattened_task_is_needed_whole() -> None:
    with Flow("reduced") as reduced:
        second(x=first.map([1, 2]))
    with Flow("flat") as flat:
        second.map(flatten(first.map([1, 2])))
    for flow in (reduced, flat):
        assert {index for _, index in kept(flow, *mapped("first-1", "", None))} == {-1, 0}
        (list_slug,) = [slug for slug in flow.slugs.values() if slug.startswith("List") or slug.startswith("Constant")]
        assert (list_slug, -1) not in kept(flow, known(list_slug), *mapped("first-1", "", None))


def test_what_tidies_up_runs_in_every_attempt() -> None:
    class Cleanup(Task):
        runs_on_cancel = True

        def run(self, x: Any) -> None: ...

    with Flow("tidy") as flow:
        Cleanup(name="cleanup")(first())
    assert kept(flow, known("first-1", result_location=""), known("cleanup-1", result_location="")) == {("first-1", -1)}


def test_tasks_that_the_flow_no_longer_has_are_no_trouble() -> None:
    assert kept(chain, known("removed-1"), known("first-1", result_location="")) >= {("first-1", -1)}


def test_what_must_not_be_repeated_ends_the_attempt_instead() -> None:
    with Flow("paid") as flow:
        second(x=first(task_args={"never_repeat": True}))
    lost, unknown = known("first-1"), known("first-1", type="RUNNING", name="Running")
    for one in (lost, unknown):
        repeated: set[tuple[str, int]] = set()
        states = initial_states(flow, [one], lambda _task: None, repeated)
        with pytest.raises(
            RepeatError, match="Task 'first' has already begun in an earlier attempt and is marked never_repeat"
        ):
            refuse_repeats(flow, [one], states, repeated)
    done = known("first-1", result_location="")
    refuse_repeats(flow, [done], initial_states(flow, [done], lambda _task: None), set())
    refuse_repeats(chain, [unknown], {}, set())


def test_the_log_names_what_succeeded_and_runs_again() -> None:
    with Flow("children") as flow:
        second(x=first.map(first(Parameter("x"))))
    repeated: set[tuple[str, int]] = set()
    initial_states(flow, [known("x"), known("first-1"), *mapped("first-2", None, None)], lambda _task: None, repeated)
    assert "first-1, first-2 (2 children)." in repeats_in_words(flow, repeated)
    assert repeats_in_words(flow, {("x", -1)}) == ""
