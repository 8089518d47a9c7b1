"""`appliance.context`: the same names in tasks and in every template, and dates that follow from the run's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from appliance.core.annotations import unmapped
from appliance.core.context import KEYS, context
from appliance.core.errors import ParameterError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.task_decorator import task
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.results.memory import MemoryResult
from appliance.kit import ids

ALWAYS = set(KEYS) - {"task_loop_result", "resume"}
RUN = "0189f7e0-0000-7000-8000-000000000000"


@task(task_run_name="run", tags=["x"])
def look(n: int, names: list[str]) -> dict[str, Any]:
    return {name: context.get(name) for name in names}


@pytest.mark.parametrize("executor", [LocalExecutor(), ThreadExecutor(max_workers=2), ProcessExecutor(max_workers=1)])
def test_every_name_is_there_on_every_executor(executor: Executor) -> None:
    with Flow("f") as flow:
        children = look.map([7], names=unmapped(list(KEYS)))
        Parameter("region", default="eu")
    state = FlowRunner(flow, executor, flow_run_id=RUN, flow_run_name="calm-otter").run()
    (seen,) = state.result[children].result
    assert {name for name, value in seen.items() if value is not None} >= ALWAYS
    assert seen["parameters"] == {"region": "eu"}
    assert seen["running_with_backend"] is False
    assert (seen["task_full_name"], seen["task_tags"]) == ("look[0]", {"x"})
    assert seen["task_run_id"] == str(ids.derived(UUID(RUN), seen["task_slug"], 0)), "the id that the server stores"
    assert (seen["flow_run_id"], seen["flow_run_name"]) == (RUN, "calm-otter")


@pytest.mark.parametrize("where", ["task_run_name", "target", "location"])
def test_every_name_is_there_in_every_template(where: str) -> None:
    seen: dict[str, Any] = {}

    def template(**names: Any) -> str:
        seen.update(names)
        return "place"

    always = ALWAYS - {"task_run_name"} if where == "task_run_name" else ALWAYS
    text = "/".join(f"{{{name}}}" for name in sorted(always)) + "/{parameters[region]}"
    rendered = ""
    for form in (template, text):
        place = MemoryResult(location=form if where == "location" else None)
        options: dict[str, Any] = {} if where == "location" else {where: form}
        with Flow("f", result=place) as flow:
            outcome = task(lambda: context.task_run_name or "none", name="one", **options)()
            Parameter("region", default="eu")
        state = flow.run(progress=False)
        assert state is not None and state.is_successful(), state
        final = state.result[outcome]
        rendered = final.result if where == "task_run_name" else final.data["result_location"]
    assert seen.keys() & ALWAYS == always
    assert "None" not in rendered
    assert rendered.endswith("/eu")


@pytest.mark.parametrize("executor", [LocalExecutor(), ThreadExecutor(max_workers=2), ProcessExecutor(max_workers=1)])
def test_a_task_run_without_a_name_of_its_own_is_called_by_its_slug(executor: Executor) -> None:
    @task
    def name(_element: int = 0) -> str:
        return str(context["task_run_name"])

    place = MemoryResult()
    with Flow("f", result=place) as flow:
        one, children = name(), name.map([1, 2])
        bad = name(task_args={"task_run_name": "{task_run_name}!"})
        kept = name.map([1, 2], task_args={"target": "{task_run_name}.txt"})
    state = flow.run(executor=executor, progress=False)
    assert state is not None and state.is_successful(), state
    assert state.result[one].result == "name-1"
    assert state.result[children].result == ["name-2[0]", "name-2[1]"]
    assert state.result[bad].result == "name-3", "a name can't be made of itself"
    assert [child.data["result_location"] for child in state.result[kept].map_states] == [
        "name-4[0].txt",
        "name-4[1].txt",
    ]


def test_local_runs_have_an_id_and_a_name_of_their_own() -> None:
    with Flow("f") as flow:
        seen = task(lambda: (context.flow_run_id, context.flow_run_name, context.task_run_id), name="see")()
    first, second = (flow.run(progress=False).result[seen].result for _ in range(2))  # type: ignore[union-attr]
    assert all(first) and all(second)
    assert first[0] != second[0] and first[2] != second[2]
    odd = FlowRunner(flow, flow_run_id="nightly-7").run().result[seen].result
    assert odd[0] == "nightly-7" and UUID(odd[2])


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T06:30:00", datetime(2026, 3, 1, 6, 30, tzinfo=UTC)),
        ("2026-03-01T06:30:00Z", datetime(2026, 3, 1, 6, 30, tzinfo=UTC)),
        ("2026-03-01T06:30:00+01:00", datetime(2026, 3, 1, 5, 30, tzinfo=UTC)),
        (date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, 6, tzinfo=timezone(timedelta(hours=9))), datetime(2026, 2, 28, 21, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("name", ["date", "scheduled_start_time"])
def test_a_given_date_is_parsed_and_moves_the_days(name: str, given: Any, at: datetime) -> None:
    with Flow("f") as flow:
        seen = task(
            lambda: [context[name], context.date, context.today, context.yesterday, context.tomorrow_nodash], name="see"
        )()
    state = flow.run(context={name: given}, progress=False)
    assert state is not None
    assert state.result[seen].result == [at, at, "2026-03-01", "2026-02-28", "20260302"]


def test_other_days_can_be_given_too() -> None:
    with Flow("f") as flow:
        seen = task(lambda: (context.today, context.yesterday), name="see")()
    state = flow.run(context={"date": "2026-03-01", "today": "a holiday"}, progress=False)
    assert state is not None
    assert state.result[seen].result == ("a holiday", "2026-02-28")


@pytest.mark.parametrize("given", ["soon", 5, None, ""])
def test_what_is_no_date_is_refused_before_the_run(given: Any) -> None:
    with pytest.raises(ParameterError, match=r"context\['date'\] must be a date or a time in ISO 8601"):
        Flow("f").run(context={"date": given})
