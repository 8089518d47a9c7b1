"""`apply_map`: run part of a flow once per element, the way a single task is mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from appliance.core.annotations import Annotation, unwrap
from appliance.core.async_functions import plain_value, refuse_async
from appliance.core.building import active_flow
from appliance.core.collections import Constant, as_task
from appliance.core.edge import Edge
from appliance.core.errors import FlowBuildError
from appliance.core.flow import Flow, current_flow
from appliance.core.parameter import Parameter
from appliance.core.task import Task

R = TypeVar("R")


class _Argument(Task):
    """A placeholder for one argument while the mapped part is being built; no flow ever runs it."""

    auto_generated = True

    def __init__(self, value: Any, is_mapped: bool, flattened: bool) -> None:
        super().__init__(name="argument")
        self.source, self.is_mapped, self.flattened = as_task(value), is_mapped, flattened

    def run(self) -> Any:
        raise FlowBuildError(
            "An argument of apply_map was used after its function returned; use it only inside the function."
        )


def apply_map(func: Callable[..., R], *args: Any, flow: Flow | None = None, **kwargs: Any) -> R:
    """Call `func` once to build its tasks, then map all of them over the arguments; returns what `func` returns.

    Every argument is distributed element by element; wrap one in `unmapped(...)` to pass it whole to every element, or in
    `flatten(...)` to remove one level of nesting first. Inside, `func` sees tasks: it may call tasks, use `case`, `switch` and
    `merge`, and use tasks of the enclosing flow, whose results it gets whole. All its tasks run once per element, even those that
    depend on nothing; the shortest argument decides how often. Each element waits for its part of every argument.
    Raises FlowBuildError for a map or a resource manager inside, since there is only one level of elements.
    """
    outer = flow or current_flow()
    if outer is None:
        raise FlowBuildError("apply_map was used outside a flow; use it inside `with Flow(...)`.")
    refuse_async("The function of apply_map", func)
    token = active_flow.set(outer)  # collections among the arguments become tasks of the flow around
    try:
        positional = [_argument(value) for value in args]
        named = {key: _argument(value) for key, value in kwargs.items()}
    finally:
        active_flow.reset(token)
    arguments = [*positional, *named.values()]
    if not any(argument.is_mapped for argument in arguments):
        raise FlowBuildError("apply_map needs at least one argument to map over; not all of them can be unmapped.")
    piece = Flow(outer.name)
    # Its tasks are tasks of the flow around.
    piece.graph.home, piece.graph.unused = outer.graph.home, outer.graph.unused
    for known in (*outer.tasks, *arguments):  # `case` tells by what is there beforehand what is called inside of it
        piece.add_task(known)
    with piece:
        returned: R = plain_value("The function of apply_map", func(*positional, **named))
    _take_over(outer, piece, arguments)
    return returned


def _argument(value: Any) -> _Argument:
    plain, is_mapped, flattened = unwrap(value, True)
    if isinstance(plain, Annotation):
        raise FlowBuildError("An argument of apply_map can be marked only once.")
    return _Argument(plain, is_mapped, flattened)


def _take_over(outer: Flow, piece: Flow, arguments: list[_Argument]) -> None:
    """Add the tasks of the mapped part to the enclosing flow as mapped tasks."""
    own = [task for task in piece.sorted_tasks() if task not in outer.slugs and not isinstance(task, _Argument)]
    for task in own:
        _refuse_nesting(task, piece.edges_to(task))
    dealt = {task for task in own if not isinstance(task, Constant | Parameter)}
    for argument in arguments:
        outer.add_task(argument.source)
    for task in own:
        outer.add_task(task)
        if task in piece.constants:
            outer.constants.setdefault(task, {}).update(piece.constants[task])
    for task in own:
        edges = [_outer_edge(edge, dealt) for edge in piece.edges_to(task)]
        for edge in edges:
            outer.add_edge(*edge.tasks, edge.key, edge.mapped, edge.flattened)
        if task in dealt and not any(edge.upstream_task in dealt for edge in edges):
            for argument in sorted(arguments, key=lambda argument: not argument.is_mapped):
                _wait_for(outer, task, argument)


def _outer_edge(edge: Edge[Task], dealt: set[Task]) -> Edge[Task]:
    upstream = edge.upstream_task
    if isinstance(upstream, _Argument):
        return Edge(upstream.source, edge.downstream_task, edge.key, upstream.is_mapped, upstream.flattened)
    return Edge(upstream, edge.downstream_task, edge.key, upstream in dealt)


def _wait_for(outer: Flow, task: Task, argument: _Argument) -> None:
    """Make a first task of the piece wait for an argument, used or not: so every task of the piece has as many children as the
    shortest argument has elements, and each runs once its element of every argument is there."""
    source = argument.source
    known = [edge for edge in outer.edges_to(task) if edge.upstream_task is source]
    if any((edge.mapped, edge.flattened) == (argument.is_mapped, argument.flattened) for edge in known):
        return
    if not argument.is_mapped and (known or isinstance(source, Constant)):
        return
    if any(edge.key is None for edge in known):
        raise FlowBuildError(
            f"Task {task.name!r} uses an argument of apply_map only as a whole; call it outside apply_map."
        )
    outer.add_edge(source, task, None, argument.is_mapped, argument.flattened)


def _refuse_nesting(task: Task, edges: list[Edge[Task]]) -> None:
    if any(edge.mapped for edge in edges):
        raise FlowBuildError(
            f"Task {task.name!r} can't be mapped inside apply_map; map it outside, or call it without .map()."
        )
    if task.runs_on_cancel:
        raise FlowBuildError("A resource manager can't be used inside apply_map; open it around apply_map.")
