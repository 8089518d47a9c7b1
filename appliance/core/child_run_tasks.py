"""The tasks about child runs that users of Prefect 1 know: one starts a run and returns its id, others wait for it or read what one of its tasks
has returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from appliance.core.child_flows import Child, ChildRun, ChildTask, RunFlow, ended, ended_here
from appliance.core.errors import ResultError
from appliance.core.results import Unloaded
from appliance.core.run_context import current_task_run
from appliance.core.states import Failed, State, Success


@dataclass(frozen=True)
class TaskResult:
    """How a task run of a child has ended: its state, as type, name and message, and its value, or where that is stored."""

    type: str
    name: str
    message: str = ""
    value: Any = None
    is_kept: bool = True


@dataclass(frozen=True)
class ReadChild(Child):
    """A child with the results of one of its tasks; None: it has no such task run. `mapped`: they are a list."""

    results: tuple[TaskResult, ...] | None = None
    mapped: bool = False


class StartFlowRun(RunFlow):
    """Starts a run of the flow with this name; its result is the run's id. By default, it does not wait for the run's end."""

    def __init__(
        self,
        flow_name: str,
        project_name: str | None = None,
        *,
        wait: bool = False,
        version: int | None = None,
        labels: Iterable[str] | None = None,
        run_name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            flow_name, project=project_name, wait=wait, version=version, labels=labels, run_name=run_name, **options
        )

    def result_of(self, child: ChildRun) -> Any:
        return child.id


def create_flow_run(
    flow_name: str,
    project_name: str | None = None,
    parameters: Any = None,
    *,
    version: int | None = None,
    labels: Iterable[str] | None = None,
    run_name: str | None = None,
    upstream_tasks: Iterable[Any] | None = None,
    **options: Any,
) -> StartFlowRun:
    """Inside `with Flow(...)`, add a task that starts a run of another flow and returns its id at once. To map it, use
    `StartFlowRun(...).map(parameters=...)`."""
    task = StartFlowRun(flow_name, project_name, version=version, labels=labels, run_name=run_name, **options)
    return (
        task(upstream_tasks=upstream_tasks) if parameters is None else task(parameters, upstream_tasks=upstream_tasks)
    )


class WaitForFlowRun(ChildTask):
    """Waits for a run that another task of this run has started; its result is a ChildRun. With `raise_final_state`, it ends as the run does."""

    def run(self, flow_run_id: Any, raise_final_state: bool = False) -> Any:
        return self.carry_out({"flow_run_id": flow_run_id, "raise_final_state": raise_final_state})

    def request(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"flow_run_id": _id(inputs["flow_run_id"])}

    def outcome(self, child: Child, inputs: Mapping[str, Any]) -> State:
        if inputs["raise_final_state"]:
            return ended(child, child.run)
        return Success(f"{child.what} has ended {child.run.state}.", child.run)

    def run_here(self, inputs: Mapping[str, Any]) -> State:
        ended_run = ended_here(str(_id(inputs["flow_run_id"])))
        return Failed(_STRANGE) if ended_run is None else self.outcome(ended_run[0], inputs)


class GetTaskRunResult(ChildTask):
    """Waits for a run that another task of this run has started, and reads what its task with this slug has returned; for a mapped task, a list,
    or the result of one child. The value is read from the place where results of this task are stored: that of its flow, or its option `result`."""

    def run(self, flow_run_id: Any, task_slug: str, map_index: int = -1) -> Any:
        return self.carry_out({"flow_run_id": flow_run_id, "task_slug": task_slug, "map_index": map_index})

    def request(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        slug, index = inputs["task_slug"], inputs.get("map_index", -1)
        if not isinstance(slug, str) or not slug:
            raise TypeError("task_slug must be the slug of a task of the child, such as 'load-1'")
        if not isinstance(index, int) or index < -1:
            raise TypeError("map_index must be a whole number, -1 for a task that is not mapped")
        return {"flow_run_id": _id(inputs["flow_run_id"]), "result_of": slug, "result_index": index}

    def outcome(self, child: Child, inputs: Mapping[str, Any]) -> State:
        assert isinstance(child, ReadChild)
        if child.results is None:
            return Failed(f"{child.what} has no such task run; its state is {child.run.state}.")
        wrong = next((one for one in child.results if one.type != "SUCCESS"), None)
        if wrong is not None:
            return Failed(f"A task run of {child.what[0].lower()}{child.what[1:]} is {wrong.name}: {wrong.message}")
        if not all(one.is_kept for one in child.results):
            return Failed(
                f"{child.what} has not stored this result; give its flow a place for results, such as result=LocalResult(...)."
            )
        try:
            values = [self._value(one) for one in child.results]
        except ResultError as error:
            return Failed(f"The result of {child.what[0].lower()}{child.what[1:]} can't be read here: {error}", error)
        return Success("The result was read.", values if child.mapped else values[0])

    def _value(self, result: TaskResult) -> Any:
        if not isinstance(result.value, Unloaded):
            return result.value
        run = current_task_run.get()
        place = self.result if self.result is not None or run is None else run.flow_run.result
        if place is None:
            raise ResultError("this flow has no place for results; give the flow or the task the option `result`.")
        return place.read(result.value.location, result.value.sha256)

    def run_here(self, inputs: Mapping[str, Any]) -> State:
        request = self.request(inputs)
        ended_run = ended_here(str(request["flow_run_id"]))
        if ended_run is None:
            return Failed(_STRANGE)
        child, states = ended_run
        results, mapped = _results_here(states, request["result_of"], request["result_index"])
        return self.outcome(ReadChild(**vars(child), results=results, mapped=mapped), inputs)


wait_for_flow_run = WaitForFlowRun(name="wait_for_flow_run")
get_task_run_result = GetTaskRunResult(name="get_task_run_result")

_STRANGE = "No task of this run has started a run with this id; wait for the result of create_flow_run or run_flow."


def _results_here(
    states: Mapping[str, State | None], slug: str, map_index: int
) -> tuple[tuple[TaskResult, ...] | None, bool]:
    """The results of a task that has run in this process, and whether it was mapped."""
    state = states.get(slug)
    children = getattr(state, "map_states", None)
    if children is not None and map_index >= 0:
        state, children = (children[map_index] if map_index < len(children) else None), None
    if state is None:
        return None, False
    states_of_all = [state] if children is None else children
    return tuple(map(_task_result, states_of_all)), children is not None


def _task_result(state: State) -> TaskResult:
    kept = not isinstance(state.result, Unloaded)
    return TaskResult(state.type, type(state).name, state.message or "", state.result, is_kept=kept)


def _id(run: Any) -> UUID:
    """Of a run, given as the result of a task that has started it."""
    value = run.id if isinstance(run, ChildRun) else run
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str):
        raise TypeError(f"flow_run_id must be the result of create_flow_run or run_flow, not {type(value).__name__}")
    return UUID(value)
