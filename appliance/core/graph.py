"""The graph of a flow: tasks in the order they were added, edges, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.core.edge import Edge
from appliance.core.errors import CycleError, FlowBuildError
from appliance.core.task import Task


class Graph:
    """Tasks and edges with constant-time lookups in both directions. Order is the order of adding, so it is stable."""

    def __init__(self) -> None:
        self.slugs: dict[Task, str] = {}
        self._to: dict[Task, dict[str | Task, Edge]] = {}
        self._from: dict[Task, list[Edge]] = {}
        self._names: dict[str, int] = {}
        self._taken: set[str] = set()
        self._sorted: tuple[Task, ...] | None = None

    def add_task(self, task: Task) -> None:
        """Add a task and give it the next free slug: `name[-tags]-N`."""
        if task in self.slugs:
            return
        slug = task.slug
        if slug is None:
            base = "-".join((task.name, *sorted(task.tags)))
            number = self._names.get(base, 0) + 1
            while f"{base}-{number}" in self._taken:
                number += 1
            self._names[base] = number
            slug = f"{base}-{number}"
        elif slug in self._taken:
            raise FlowBuildError(f"The flow already has a task with the slug {slug!r}; choose another name.")
        self._taken.add(slug)
        task.slug = self.slugs[task] = slug
        self._to[task], self._from[task] = {}, []
        self._sorted = None

    def add_edge(self, edge: Edge) -> Edge:
        """Add an edge and its tasks; the same dependency twice is one edge."""
        self.add_task(edge.upstream_task)
        self.add_task(edge.downstream_task)
        slot = edge.key if edge.key is not None else edge.upstream_task
        known = self._to[edge.downstream_task].get(slot)
        if known is not None:
            if edge.key is not None:
                raise FlowBuildError(
                    f"Argument {edge.key!r} of task {edge.downstream_task.name!r} already has a value; give it once."
                )
            return known
        self._to[edge.downstream_task][slot] = edge
        self._from[edge.upstream_task].append(edge)
        self._sorted = None
        return edge

    def edges(self) -> list[Edge]:
        return [edge for slots in self._to.values() for edge in slots.values()]

    def edges_to(self, task: Task) -> list[Edge]:
        return list(self._to[task].values())

    def edges_from(self, task: Task) -> list[Edge]:
        return list(self._from[task])

    def root_tasks(self) -> list[Task]:
        return [task for task, slots in self._to.items() if not slots]

    def terminal_tasks(self) -> list[Task]:
        return [task for task, edges in self._from.items() if not edges]

    def sorted_tasks(self) -> tuple[Task, ...]:
        """Every task after all it waits for; otherwise in the order of adding. Raises CycleError."""
        if self._sorted is None:
            self._sorted = self._sort()
        return self._sorted

    def _sort(self) -> tuple[Task, ...]:
        order: dict[Task, None] = {}
        for start in self.slugs:  # depth first, without recursion: flows may be ten thousand tasks long
            if start in order:
                continue
            stack, open_tasks = [start], set[Task]()
            while stack:
                task = stack[-1]
                missing = (
                    []
                    if task in order
                    else [e.upstream_task for e in self._to[task].values() if e.upstream_task not in order]
                )
                if not missing:
                    order[task] = None
                    open_tasks.discard(stack.pop())
                    continue
                if task in open_tasks:
                    raise self._cycle(set(self.slugs) - set(order))
                open_tasks.add(task)
                stack.extend(reversed(missing))
        return tuple(order)

    def _cycle(self, suspects: Iterable[Task]) -> CycleError:
        remaining = set(suspects)
        task = next(task for task in self.slugs if task in remaining)
        path: list[Task] = []
        while task not in path:
            path.append(task)
            task = next(edge.upstream_task for edge in self._to[task].values() if edge.upstream_task in remaining)
        names = [self.slugs[step] for step in reversed([*path[path.index(task) :], task])]
        return CycleError(
            f"These tasks wait for each other in a circle: {' -> '.join(names)}; remove one of these dependencies."
        )
