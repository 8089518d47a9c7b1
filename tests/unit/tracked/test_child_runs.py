"""Waiting for child runs: what the server answers, and what the task does then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest

from appliance.client.transport import Transport
from appliance.core.child_flows import Child, RunFlow
from appliance.core.states import Failed, Queued, Scheduled, State
from appliance.engine.tracked.child_runs import TrackedChildren, gives_back
from appliance.kit import ids

RUN, CHILD = ids.uuid7(), ids.uuid7()


def children(*answers: dict[str, Any], **options: Any) -> TrackedChildren:
    """Those of a run whose server gives these answers, one after another."""
    left = list(answers)

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/await"):
            return httpx2.Response(200, json={"ended": [], "mark": ""})
        return httpx2.Response(200, json=left.pop(0))

    http = httpx2.Client(transport=httpx2.MockTransport(respond), base_url="http://server")
    transport = Transport("http://server", "apl_run_x", http)
    return TrackedChildren(transport, RUN, 1, **{"server_starts_runs": True, **options})


def answer(type: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    return {
        "flow_run_id": str(CHILD),
        "name": "calm-otter",
        "flow": "load",
        "state_type": type,
        "state_name": type.title(),
        **fields,
    }


def task_run(**inputs: Any) -> Any:
    return SimpleNamespace(
        task=RunFlow("load"), existing=None, task_slug="load-1", map_index=-1, task_run_count=1, inputs=inputs, reported=None,
        state=None, ended=False,
    )  # fmt: skip


def follow(of: TrackedChildren, run: Any) -> State | None:
    return of.follow(cast(Any, None), run)


def taken(of: TrackedChildren) -> Child | State:
    return of.take("load-1", -1)


def test_a_server_of_an_earlier_release_is_named_as_the_reason() -> None:
    of = children(server_starts_runs=False)
    assert follow(of, task_run()) is None
    state = taken(of)
    assert isinstance(state, Failed) and "earlier release" in str(state.message)


def test_a_child_that_is_over_is_not_waited_for() -> None:
    of = children(answer("SUCCESS", over=True))
    assert follow(of, task_run(parameters={"n": 1})) is None
    child = taken(of)
    assert isinstance(child, Child) and (child.run.id, child.run.url) == (str(CHILD), f"http://server/runs/{CHILD}")


def test_a_task_that_waits_says_for_what_and_asks_no_more_than_it_must() -> None:
    of, run = children(answer(reason="All agents are full.")), task_run()
    state = follow(of, run)
    assert isinstance(state, Queued) and str(state.message).endswith(f"(/runs/{CHILD}): All agents are full.")
    run.reported = state
    assert follow(of, run) is None and isinstance(run.state, Queued)  # the server has no other answer


def test_a_run_whose_place_the_child_needs_is_handed_back() -> None:
    state = follow(children(answer("SCHEDULED", gives_back=True, reason="All agents are full.")), task_run())
    assert isinstance(state, Scheduled) and gives_back(state)


@pytest.mark.parametrize("parameters", [{"n": object()}, 3])
def test_parameters_that_are_no_json_fail_the_task(parameters: Any) -> None:
    of = children()
    assert follow(of, task_run(parameters=parameters)) is None
    assert isinstance(taken(of), Failed)
