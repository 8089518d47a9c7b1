"""Branches in a flow: `case`, `switch`, `ifelse` and `merge`, and the filter after a map. A branch that is not taken is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from appliance.core import comparisons, triggers
from appliance.core.annotations import mapped as deal_out
from appliance.core.async_functions import plain_value, refuse_async
from appliance.core.collections import Constant, as_task, tasks_in
from appliance.core.errors import FlowBuildError
from appliance.core.flow import Flow, current_flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.signals import SKIP
from appliance.core.task import Task
from appliance.core.task_options import takes


class CompareValue(Task):
    """Skips unless the result equals the branch's value."""

    auto_generated = True
    is_gate = True

    def __init__(self, expected: Any) -> None:
        super().__init__(name=f"CompareValue: {str(expected)!r}")
        self.expected = expected

    def run(self, value: Any) -> None:
        if not comparisons.is_equal(value, self.expected):
            raise SKIP(
                f"Provided value {comparisons.summary(value)} did not match {comparisons.summary(self.expected)}."
            )


class Merge(Task):
    """The result of the branch that ran: the first that is not None."""

    auto_generated = True
    default_trigger = staticmethod(triggers.not_all_skipped)
    default_skip_on_upstream_skip = False

    def run(self, **branches: Any) -> Any:
        return next((branches[key] for key in sorted(branches, key=_number) if branches[key] is not None), None)


class IsTrue(Task):
    """The truth of a result."""

    auto_generated = True

    def run(self, value: Any) -> bool:
        return comparisons.truth(value)


class FilterTask(Task):
    """Keeps the results of a list for which `filter_func` is true: by default all but None and exceptions.

    `log_func` receives the list that is kept; what it returns is logged. The task also runs when upstream tasks failed.
    """

    default_trigger = staticmethod(triggers.all_finished)
    default_skip_on_upstream_skip = False

    def __init__(
        self,
        filter_func: Callable[[Any], bool] | None = None,
        log_func: Callable[[list[Any]], str] | None = None,
        **options: Any,
    ) -> None:
        for name, function in (("filter_func", filter_func), ("log_func", log_func)):
            if function is not None and not takes(function, 1):
                raise TypeError(f"{name} must be a function of one result.")
            refuse_async(name, function)
        super().__init__(**options)
        self.filter_func = filter_func or _is_usable
        self.log_func = log_func

    def run(self, task_results: Iterable[Any]) -> list[Any]:
        kept = [result for result in task_results if plain_value("filter_func", self.filter_func(result))]
        if self.log_func is not None:
            get_logger(self.name).info("%s", plain_value("log_func", self.log_func(kept)))
        return kept


class case:
    """Tasks called inside the block run only when the result of `task` equals `value`.

    Inside `apply_map` each element is decided separately.
    """

    def __init__(self, task: Task, value: Any) -> None:
        if isinstance(value, Task):
            raise FlowBuildError("The value of a case must be a constant, not a task.")
        if not isinstance(task, Task):
            raise TypeError("case compares the result of a task; use `if` for a plain value.")
        self.task, self.value = task, value

    def __enter__(self) -> None:
        self.flow = _active("case")
        self.before = set(self.flow.slugs)

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        inside = {task: None for task in self.flow.tasks if task not in self.before and not _is_source(task)}
        if not inside:
            return
        gate = CompareValue(self.value).bind(value=self.task, flow=self.flow)
        for task in inside:
            before = [upstream for upstream in self.flow.upstream_tasks(task) if upstream in inside]
            if not any(upstream.is_gate or _follows_skips(task) for upstream in before):
                task.set_upstream(gate, flow=self.flow)


def switch(condition: Any, cases: Mapping[Any, Any], mapped: bool = False) -> None:
    """Run only the task whose key equals the result of `condition`, or all tasks in a list of them; None means do nothing."""
    flow = _active("switch")
    for value, branch in cases.items():
        if branch is None:
            continue
        gate = CompareValue(value).bind(value=condition, mapped=mapped, flow=flow)
        for task in tasks_in(branch) or [as_task(branch)]:
            task.set_dependencies(flow=flow, upstream_tasks=[gate], mapped=mapped)


def ifelse(condition: Any, true_task: Any, false_task: Any, mapped: bool = False) -> None:
    """Run `true_task` when the result of `condition` is true, otherwise `false_task`: a task, or a list of them. None means do
    nothing."""
    truth = IsTrue().bind(value=condition, mapped=mapped, flow=_active("ifelse"))
    switch(truth, {True: true_task, False: false_task}, mapped=mapped)


def merge(*tasks: Any, flow: Flow | None = None, mapped: bool = False, **options: Any) -> Task:
    """The result of whichever of these tasks was not skipped: the first that is not None. `options` are those of a task."""
    branches: Iterable[Any] = (deal_out(task) for task in tasks) if mapped else tasks
    return Merge(**options).bind(**{f"task_{number}": task for number, task in enumerate(branches, 1)}, flow=flow)


def _is_usable(result: Any) -> bool:
    return result is not None and not isinstance(result, BaseException)


def _is_source(task: Task) -> bool:
    return isinstance(task, Constant | Parameter)


def _follows_skips(task: Task) -> bool:
    """Is it certain not to run when one of its upstream tasks was skipped or failed?"""
    return task.skip_on_upstream_skip and task.trigger is triggers.all_successful


def _number(key: str) -> int:
    return int(key.removeprefix("task_"))


def _active(word: str) -> Flow:
    flow = current_flow()
    if flow is None:
        raise FlowBuildError(f"{word} was used outside a flow; use it inside `with Flow(...)`.")
    return flow
