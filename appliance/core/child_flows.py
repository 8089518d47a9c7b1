"""Tasks that start runs of other flows. Under an agent, the server creates the child run with the token of the parent's attempt, and the
engine waits for it; elsewhere, the child runs in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.core.errors import TaskDefinitionError
from appliance.core.run_context import current_task_run
from appliance.core.states import Cancelled, Failed, State, Success
from appliance.core.task import Task
from appliance.kit import options as checks

MOST_LEVELS = 20
"""How deep runs may start runs, which also ends flows that start each other."""

TOO_DEEP = f"Runs may start runs at most {MOST_LEVELS} levels deep; flows that start each other never end."
_level: ContextVar[int] = ContextVar("child_flow_level", default=0)


@dataclass(frozen=True)
class ChildRun:
    """The result of a task that starts a run: the run, and the name of its last known state. A run in this process has no id and no name."""

    flow: str
    state: str
    id: str | None = None
    name: str | None = None
    url: str | None = None


class ChildRuns(Protocol):
    """Where a run that a server tracks gets its children."""

    @property
    def flow_run_id(self) -> str: ...

    def outcome(self, slug: str, map_index: int) -> State:
        """How the task run ends, now that its child has ended or need not be waited for."""
        ...


class _Door:
    """How this process starts children; it works for one run."""

    opened: ChildRuns | None = None


def connect(children: ChildRuns) -> None:
    """From now on, tasks of the run with this id get their children there."""
    _Door.opened = children


class RunFlow(Task):
    """Starts a run of a flow, given as an object or by name, and by default waits for it; its result is a ChildRun.

    Under an agent, a flow that is named is one of the same project, or of `project`; `labels` and `run_name` are those of the child. A task
    run never has a second child: retries and restarts find the first again, and restart it if it has failed. If the child fails, the task does, and
    if it is cancelled, so is the task. Cancelling a run cancels the children that it waits for.
    """

    runs_here = True

    def __init__(
        self,
        flow: Any,
        *,
        project: str | None = None,
        wait: bool = True,
        labels: Iterable[str] | None = None,
        run_name: str | None = None,
        **options: Any,
    ) -> None:
        flow_name = flow if isinstance(flow, str) else getattr(flow, "name", None)
        if not isinstance(flow_name, str) or not flow_name or not (flow is flow_name or _is_flow(flow)):
            raise TaskDefinitionError(f"A task starts a flow or the flow with a name, not {type(flow).__name__}.")
        self.child = flow_name
        self.starts = {"flow": flow_name} | ({} if checks.text("project", project) is None else {"project": project})
        self.flow = flow
        self.waits = checks.require("wait", wait, bool, "True or False")
        self.child_labels = None if labels is None else sorted(checks.strings("labels", labels))
        self.run_name = checks.text("run_name", run_name)
        super().__init__(**{"name": flow_name, **options})

    def run(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> Any:
        """`parameters`, and keyword arguments, are values of the child's parameters."""
        children, run = _Door.opened, current_task_run.get()
        if children is not None and run is not None and run.flow_run.flow_run_id == children.flow_run_id:
            return children.outcome(run.task_slug, run.map_index)
        given = self.values(parameters, **values)
        if _level.get() == MOST_LEVELS:
            return Failed(TOO_DEEP)
        token = _level.set(_level.get() + 1)
        try:
            return self._run_here(given)
        finally:
            _level.reset(token)

    def values(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> dict[str, Any]:
        """The arguments of `run` in one dict."""
        return {**checks.mapping("parameters", parameters), **values}

    def _run_here(self, parameters: dict[str, Any]) -> Any:
        name = self.child
        flow = _named(name) if isinstance(self.flow, str) else self.flow
        if flow is None:
            return Failed(
                f"There is no flow {name!r} in the modules that are loaded. Without a server, a child runs in this process: import "
                "its module, or start the flow by its object."
            )
        state: State = flow.run(parameters=parameters, run_on_schedule=False, progress=False)
        if isinstance(state, Cancelled) and state.result is None:
            raise KeyboardInterrupt  # it came while the child ran, and is meant for the parent as well
        child = ChildRun(flow=name, state=type(state).name)
        if not self.waits:  # the child has run all the same, but its end is its own affair
            return child
        return ended(child, f"The run of flow {name!r}", state.type, state.message)


def ended(child: ChildRun, what: str, type: str, message: str | None) -> State:
    """How a task ends whose child has ended in a state of this type."""
    if type == "SUCCESS":
        return Success(f"{what} succeeded.", child)
    why = message or "No reason was given."
    if type == "CANCELLED":
        return Cancelled(f"{what} was cancelled: {why}")
    return Failed(f"{what} {'failed' if type == 'FAILED' else f'ended {child.state}'}: {why}")


def run_flow(
    flow: Any,
    parameters: Any = None,
    *,
    project: str | None = None,
    wait: bool = True,
    labels: Iterable[str] | None = None,
    run_name: str | None = None,
    upstream_tasks: Iterable[Any] | None = None,
    **options: Any,
) -> RunFlow:
    """Inside `with Flow(...)`, add a task that starts a run of another flow; see RunFlow. Other keywords are options of the task."""
    task = RunFlow(flow, project=project, wait=wait, labels=labels, run_name=run_name, **options)
    return (
        task(upstream_tasks=upstream_tasks) if parameters is None else task(parameters, upstream_tasks=upstream_tasks)
    )


class Startable:
    """What flows have to be started by tasks of others."""

    def as_task(self, **options: Any) -> RunFlow:
        """A task that starts a run of this flow; see RunFlow for the options. Call it with the flow's parameters as keywords."""
        return RunFlow(self, **options)


def _is_flow(value: object) -> bool:
    return isinstance(value, Startable)


def _named(name: str) -> Any:
    """The flow with this name at the top level of a module that is loaded, the main one first."""
    for module in (sys.modules["__main__"], *list(sys.modules.values())):
        for value in list(getattr(module, "__dict__", {}).values()):
            if isinstance(value, Startable) and getattr(value, "name", None) == name:
                return value
    return None
