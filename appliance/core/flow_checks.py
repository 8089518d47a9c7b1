"""Checks of a whole flow before it runs: each argument has a value, and no task that was made for it is left out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from appliance.core.errors import FlowBuildError
from appliance.core.graph import Graph
from appliance.core.task import Task

_UNUSED_TASK = (
    "Task {made!r} was made in flow {flow!r} but never called there, so it does not run; "
    "call it, as in my_task(...), add it with flow.add_task(my_task), or make it outside the flow."
)
_UNUSED_RESOURCE = (
    "Resource {made!r} was made in flow {flow!r} but never entered there, so it is not set up; "
    "call the tasks that need it inside a block of its own, as in `with my_resource(...) as resource:`."
)


def check_values(name: str, graph: Graph, constants: Mapping[Task, Mapping[str, Any]]) -> None:
    """Raises FlowBuildError for an argument without a value; `name` is that of the flow."""
    for task, slug in graph.slugs.items():
        for key in task.required_inputs():
            if key not in constants.get(task, ()) and graph.edge_into(task, key) is None:
                raise FlowBuildError(
                    f"Task {slug!r} of flow {name!r} has no value for its argument {key!r}; "
                    "pass one, or give the argument a default."
                )


def warn_of_unused(flow: Any, name: str, graph: Graph) -> None:
    """Name, once, the tasks and resources that were made in the flow's block and never used there, so that they never run."""
    for made, (file, line) in graph.unused.items():
        if made not in graph.slugs and not _is_kept_elsewhere(made, flow):
            sentence = _UNUSED_TASK if isinstance(made, Task) else _UNUSED_RESOURCE
            warnings.warn_explicit(sentence.format(made=made.name, flow=name), UserWarning, file, line)
    graph.unused.clear()


def _is_kept_elsewhere(task: Any, flow: Any) -> bool:
    """Does a module that the block imported hold it, for others to call?"""
    for module in list(sys.modules.values()):
        values = list(getattr(module, "__dict__", {}).values())
        if any(value is task for value in values) and not any(value is flow for value in values):
            return True
    return False
