"""Tasks that start runs of other flows, and their contract. Under an agent, the server creates the child run with the token of the parent's
attempt, and the engine waits for it; elsewhere, the child runs in this process."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
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
    """The result of a task that starts a run: the run, and the name of its last known state. A run in this process has no name and no URL."""

    flow: str
    state: str
    id: str | None = None
    name: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Child:
    """A child as the task knows it that has started it or waits for it, when there is nothing more to wait for."""

    run: ChildRun
    what: str
    """The run in a sentence."""
    type: str
    message: str | None


class ChildRuns(Protocol):
    """Where a run that a server tracks gets its children."""

    @property
    def flow_run_id(self) -> str: ...

    def take(self, slug: str, map_index: int) -> Child | State:
        """What the task run has waited for, or the state in which it ends without that."""
        ...


class _Door:
    """How this process starts children; it works for one run."""

    opened: ChildRuns | None = None


def connect(children: ChildRuns) -> None:
    """From now on, tasks of the run with this id get their children there."""
    _Door.opened = children


class ChildTask(Task, ABC):
    """A task that starts a run, or waits for one."""

    runs_here = True
    waits = True

    @abstractmethod
    def request(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What the server is asked for, as fields of AskChild. Raises TypeError or ValueError for inputs that can't be sent."""

    @abstractmethod
    def outcome(self, child: Child, inputs: Mapping[str, Any]) -> State:
        """How the task ends."""

    @abstractmethod
    def run_here(self, inputs: Mapping[str, Any]) -> State:
        """Do all of it in this process."""

    def carry_out(self, inputs: Mapping[str, Any]) -> State:
        """The same, or take the child that the engine has waited for."""
        children, run = _Door.opened, current_task_run.get()
        if children is None or run is None or run.flow_run.flow_run_id != children.flow_run_id:
            return self.run_here(inputs)
        child = children.take(run.task_slug, run.map_index)
        return self.outcome(child, inputs) if isinstance(child, Child) else child


class RunFlow(ChildTask):
    """Starts a run of a flow, given as an object or by name, and by default waits for it; its result is a ChildRun.

    Under an agent, a flow that is named is one of the same project, or of `project`, in its latest version or in `version`; `labels` and
    `run_name` are those of the child. A task run never has a second child: retries and restarts find the first again, and restart it if it has
    failed. If the child fails, the task does, and if it is cancelled, so is the task. Cancelling a run cancels the children that it waits for.
    """

    def __init__(
        self,
        flow: Any,
        *,
        project: str | None = None,
        version: int | None = None,
        wait: bool = True,
        labels: Iterable[str] | None = None,
        run_name: str | None = None,
        **options: Any,
    ) -> None:
        flow_name = flow if isinstance(flow, str) else getattr(flow, "name", None)
        if not isinstance(flow_name, str) or not flow_name or not (flow is flow_name or _is_flow(flow)):
            raise TaskDefinitionError(f"A task starts a flow or the flow with a name, not {type(flow).__name__}.")
        self.child = flow_name
        given = {"project": checks.text("project", project), "version": _version(version)}
        self.starts = {"flow": flow_name} | {name: value for name, value in given.items() if value is not None}
        self.flow = flow
        self.waits = checks.require("wait", wait, bool, "True or False")
        self.child_labels = None if labels is None else sorted(checks.strings("labels", labels))
        self.run_name = checks.text("run_name", run_name)
        super().__init__(**{"name": flow_name, **options})

    def run(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> Any:
        """`parameters`, and keyword arguments, are values of the child's parameters."""
        return self.carry_out({"parameters": parameters, **values})

    def request(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        parameters = _values(**inputs)
        return {"parameters": parameters, "labels": self.child_labels, "name": self.run_name, "wait": self.waits}

    def result_of(self, child: ChildRun) -> Any:
        """What the task's result is."""
        return child

    def outcome(self, child: Child, inputs: Mapping[str, Any]) -> State:
        if not self.waits:  # the end of the child is its own affair
            return Success(f"Started {child.what[0].lower()}{child.what[1:]}.", self.result_of(child.run))
        return ended(child, self.result_of(child.run))

    def run_here(self, inputs: Mapping[str, Any]) -> State:
        parameters = _values(**inputs)
        flow = _named(self.child) if isinstance(self.flow, str) else self.flow
        if flow is None:
            return Failed(
                f"There is no flow {self.child!r} in the modules that are loaded. Without a server, a child runs in this process: import "
                "its module, or start the flow by its object."
            )
        if _level.get() == MOST_LEVELS:
            return Failed(TOO_DEEP)
        token = _level.set(_level.get() + 1)
        try:
            return self.outcome(self._run_child(flow, parameters), inputs)
        finally:
            _level.reset(token)

    def _run_child(self, flow: Any, parameters: dict[str, Any]) -> Child:
        from uuid import uuid4  # it would delay the import of the SDK

        state: State = flow.run(parameters=parameters, run_on_schedule=False, progress=False)
        if isinstance(state, Cancelled) and state.result is None:
            raise KeyboardInterrupt  # it came while the child ran, and is meant for the parent as well
        child_id = str(uuid4())
        child = Child(
            ChildRun(self.child, type(state).name, child_id),
            f"The run of flow {self.child!r}",
            state.type,
            state.message,
        )
        if (run := current_task_run.get()) is not None:
            states = state.result if isinstance(state.result, Mapping) else {}  # else a handler has replaced the state
            run.flow_run.children[child_id] = child, {slug: states.get(task) for task, slug in flow.slugs.items()}
        return child


def ended(child: Child, result: Any) -> State:
    """How a task ends whose child has ended like this."""
    if child.type == "SUCCESS":
        return Success(f"{child.what} succeeded.", result)
    why = child.message or "No reason was given."
    if child.type == "CANCELLED":
        return Cancelled(f"{child.what} was cancelled: {why}")
    return Failed(f"{child.what} {'failed' if child.type == 'FAILED' else f'ended {child.run.state}'}: {why}")


def ended_here(child_id: str) -> tuple[Child, Mapping[str, State | None]] | None:
    """A child that has run in this process for the current run, and how its tasks have ended, by slug."""
    run = current_task_run.get()
    return None if run is None else run.flow_run.children.get(child_id)


def run_flow(
    flow: Any,
    parameters: Any = None,
    *,
    project: str | None = None,
    version: int | None = None,
    wait: bool = True,
    labels: Iterable[str] | None = None,
    run_name: str | None = None,
    upstream_tasks: Iterable[Any] | None = None,
    **options: Any,
) -> RunFlow:
    """Inside `with Flow(...)`, add a task that starts a run of another flow; see RunFlow. Other keywords are options of the task."""
    task = RunFlow(flow, project=project, version=version, wait=wait, labels=labels, run_name=run_name, **options)
    return (
        task(upstream_tasks=upstream_tasks) if parameters is None else task(parameters, upstream_tasks=upstream_tasks)
    )


class Startable:
    """What flows have to be started by tasks of others."""

    def as_task(self, **options: Any) -> RunFlow:
        """A task that starts a run of this flow; see RunFlow for the options. Call it with the flow's parameters as keywords."""
        return RunFlow(self, **options)


def _values(parameters: Mapping[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    """The arguments of `run` in one dict."""
    return {**checks.mapping("parameters", parameters), **values}


def _version(version: int | None) -> int | None:
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        raise TaskDefinitionError(f"version must be the number of a version, such as 3, not {version!r}.")
    return version


def _is_flow(value: object) -> bool:
    return isinstance(value, Startable)


def _named(name: str) -> Any:
    """The flow with this name at the top level of a module that is loaded, the main one first."""
    for module in (sys.modules["__main__"], *list(sys.modules.values())):
        for value in list(getattr(module, "__dict__", {}).values()):
            if isinstance(value, Startable) and getattr(value, "name", None) == name:
                return value
    return None
