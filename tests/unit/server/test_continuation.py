"""How a run goes on: what is reused, what runs again, where it may go on, and what must not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from appliance.protocol.reuse import TaskKey
from appliance.server.domain.continuation import (
    Plan,
    RecordedTask,
    origin_of,
    place_in_words,
    places_of,
    plan,
    refused,
    without,
)


@dataclass(frozen=True)
class Speaking:
    name: str
    host: str
    results_url: str | None
    results_id: str | None
    results_key_id: str | None = None
    provided: dict[str, Any] | None = None


FOLDER = "file:///data/results"
NORTH = {"agent": "north", "host": "n", "results_url": FOLDER, "results_id": "1"}
SOUTH = {"agent": "south", "host": "s", "results_url": FOLDER, "results_id": "2"}


def graph(*edges: str, **options: Any) -> dict[str, Any]:
    """Tasks of one letter, with an edge for each pair of them; `options` are those of tasks."""
    slugs = sorted({slug for edge in edges for slug in edge})
    return {
        "tasks": [{"slug": slug, "name": slug, "type": "FunctionTask"} | options.get(slug, {}) for slug in slugs],
        "edges": [
            {"upstream": edge[0], "downstream": edge[1], "key": "x", "mapped": False, "flattened": False}
            for edge in edges
        ],
    }


def stored(place: str = FOLDER, attempt: int = 1) -> RecordedTask:
    return RecordedTask("SUCCESS", "Success", attempt, location="1", place=place, begun=True)


FAILED = RecordedTask("FAILED", "Failed", begun=True)


def planned(origins: dict[int, Any], anywhere: bool = False, edges: str = "ab", **tasks: RecordedTask) -> Plan:
    recorded: dict[TaskKey, RecordedTask] = {(slug, -1): task for slug, task in tasks.items()}
    again = {key: "failed" for key, task in recorded.items() if task.type != "SUCCESS"}
    return plan(graph(*edges.split()), recorded, again, origins, anywhere=anywhere)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("agent", "places"),
    [
        (Speaking("a", "n", None, None), ()),
        (Speaking("a", "n", "", None), ("host:n",)),
        (Speaking("a", "n", FOLDER, "1"), ("folder:1", "host:n", "folder:1 host:n")),
        (Speaking("a", "n", "appliance:", None, "k"), ("host:n", "key:k", "host:n key:k")),
    ],
)
def test_an_agent_reads_its_folder_and_what_is_on_its_host(agent: Speaking, places: tuple[str, ...]) -> None:
    assert places_of(agent) == places


@pytest.mark.parametrize(
    ("place", "origin", "found"),
    [
        (FOLDER, NORTH, "folder:1"),
        (FOLDER, {**NORTH, "results_id": None}, "host:n"),
        ("file:///srv/chosen", NORTH, "host:n"),
        ("shared+file:///srv/chosen", NORTH, None),
        ("s3://bucket/prefix", NORTH, None),
        (FOLDER, None, None),  # an agent of an earlier release doesn't say
        ("appliance:", NORTH, None),
        ("appliance:", {**NORTH, "results_key_id": "k"}, "key:k"),  # also where the agent's default is a folder
        ("s3://bucket/prefix", {**NORTH, "results_key_id": "k"}, None),
    ],
)
def test_a_run_goes_on_where_a_value_that_it_needs_can_be_read(place: str, origin: Any, found: str | None) -> None:
    assert planned({} if origin is None else {1: origin}, a=stored(place), b=FAILED).place == found


def test_a_value_that_nothing_needs_binds_no_run() -> None:
    found = planned({1: NORTH}, edges="ab bc", a=stored(), b=stored(), c=FAILED)
    assert (found.place, found.reused) == ("folder:1", {("a", -1): "not_needed", ("b", -1): "stored"})
    nothing = RecordedTask("SUCCESS", "Success", location="", begun=True)
    assert planned({1: NORTH}, edges="ab bc", a=stored(), b=nothing, c=FAILED).place is None


def test_a_run_that_needs_a_folder_and_its_host_needs_both() -> None:
    found = planned({1: NORTH}, edges="ac bc", a=stored(), b=stored("file:///srv/chosen"), c=FAILED)
    assert found.place in places_of(Speaking("north", "n", FOLDER, "1"))
    assert (found.place, found.elsewhere) == ("folder:1 host:n", frozenset())


def test_a_run_that_needs_what_is_sealed_and_a_folder_needs_both() -> None:
    origin = {**NORTH, "results_key_id": "k"}
    found = planned({1: origin}, edges="ac bc", a=stored(), b=stored("appliance:"), c=FAILED)
    assert found.place in places_of(Speaking("north", "n", FOLDER, "1", "k"))
    assert found.place not in places_of(Speaking("north", "n", FOLDER, "1"))


def test_a_run_that_needs_what_two_keys_have_sealed_needs_an_agent_with_both() -> None:
    south = Speaking("south", "s", FOLDER, None, "new", {"results_key_ids": ["new", "b-old"]})
    origin = origin_of(south)
    assert origin is not None and origin["results_key_ids"] == ["new", "b-old"]
    before = {**NORTH, "results_key_id": "b-old"}
    values = {"a": stored("appliance:"), "b": stored("appliance:", attempt=2), "c": FAILED}
    found = planned({1: before, 2: origin}, edges="ac bc", **values)
    assert (found.place, found.elsewhere) == ("key:b-old key:new", frozenset())
    assert found.place in places_of(south)
    assert found.place not in places_of(Speaking("north", "n", FOLDER, None, "new"))
    many = [f"k{number}" for number in range(9)]
    assert len(places_of(Speaking("x", "n", FOLDER, "1", "k0", {"results_key_ids": many}))) == 2**6 - 1


def test_who_can_read_what_is_sealed_is_said_with_what_to_do() -> None:
    origin = {**NORTH, "results_key_id": "k"}
    assert place_in_words("key:k", ["north", "south"], origin) == (
        "Only agents north, south can read the results that agent north has sealed, so no other takes the run."
    )
    assert "set APPLIANCE_BUNDLE_KEY_FILE to the same key for one" in place_in_words("key:k", [], origin)
    assert place_in_words("folder:1", ["north"], NORTH) == (
        f"Only agent north can read the results in {FOLDER}, so no other takes the run."
    )


def test_of_several_places_the_one_with_most_values_wins_and_the_others_run_again() -> None:
    tasks = {"a": stored(), "b": stored(attempt=2), "c": stored(attempt=2), "d": FAILED}
    found = planned({1: NORTH, 2: SOUTH}, edges="ad bd cd", **tasks)
    assert (found.place, found.elsewhere) == ("folder:2", {("a", -1)})
    assert found.runs == {("d", -1): "failed", ("a", -1): "elsewhere"}


def test_anywhere_runs_again_what_only_some_can_read_and_what_that_needs() -> None:
    found = planned({1: NORTH}, True, edges="ab bc", a=stored(), b=stored(), c=FAILED)
    assert found.place is None
    assert found.runs == {("c", -1): "failed", ("b", -1): "elsewhere", ("a", -1): "elsewhere"}


@pytest.mark.parametrize("task", [RecordedTask("SUCCESS", "Success", begun=True), stored("memory:")])
def test_a_value_that_was_not_kept_is_made_again(task: RecordedTask) -> None:
    assert planned({1: NORTH}, a=task, b=FAILED).runs[("a", -1)] == "not_kept"


def test_what_comes_after_a_task_that_stays_paused_does_not_run() -> None:
    paused = RecordedTask("PAUSED", "Paused")
    found = plan(graph("ab", "cd"), {("a", -1): paused, ("c", -1): paused}, {}, {})
    assert without(found, {("a", -1)}).runs == {("c", -1): "waited", ("d", -1): "not_run"}


ONCE = graph("ab", a={"never_repeat": True})


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (FAILED, "Task 'a' has already begun in attempt 1"),
        (stored(attempt=3), "Task 'a' has succeeded in attempt 3"),
        (RecordedTask("SUCCESS", "Success", marked=True), "Task 'a' has succeeded"),
        (RecordedTask("FAILED", "TriggerFailed"), ""),
        (RecordedTask("SCHEDULED", "AwaitingRetry", begun=True), ""),  # its own retry
        (RecordedTask("SUCCESS", "Skipped"), ""),
    ],
)
def test_what_has_begun_is_not_repeated_if_that_is_marked(task: RecordedTask, sentence: str) -> None:
    found = refused(ONCE, {("a", -1): task}, {("a", -1): "failed"})
    assert found.startswith(sentence) and bool(found) == bool(sentence)
    assert refused(ONCE, {("a", -1): task}, {("b", -1): "failed"}) == ""
