"""The graph of a flow: tasks in the order they were added, edges, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.core.building import Line
from appliance.core.edge import Edge
from appliance.core.errors import CycleError, FlowBuildError
from appliance.core.task import Task


class Graph:
    """Tasks and edges with constant-time lookups in both directions, in the stable order in which they were added."""

    def __init__(self) -> None:
        self.slugs: dict[Task, str] = {}
        self._to: dict[Task, dict[str | Task, Edge[Task]]] = {}
        self._from: dict[Task, list[Edge[Task]]] = {}
        self._names: dict[str, int] = {}
        self._taken: set[str] = set()
        self._sorted: tuple[Task, ...] | None = None
        self.home = object()  # what tasks that are called in this graph remember it by
        self.unused: dict[Any, Line] = {}

    def add_task(self, task: Task) -> None:
        """Add a task under its own slug, or else under the next free one: `name[-tags]-N`."""
        if task in self.slugs:
            return
        slug = task.slug if task.slug is not None else self._free_slug(task)
        if slug in self._taken:
            raise FlowBuildError(
                f"The flow already has a task with the slug {slug!r}; give one of them a different slug or name."
            )
        self._place(task, slug)

    def _free_slug(self, task: Task) -> str:
        base = _base(task)
        number = self._names.get(base, 0) + 1
        while f"{base}-{number}" in self._taken:
            number += 1
        self._names[base] = number
        return f"{base}-{number}"

    def _place(self, task: Task, slug: str) -> None:
        self._taken.add(slug)
        self.unused.pop(task, None)
        self.slugs[task] = slug
        self._to[task], self._from[task] = {}, []
        self._sorted = None

    def _link(self, edge: Edge[Task]) -> None:
        self._to[edge.downstream_task][_slot(edge)] = edge
        self._from[edge.upstream_task].append(edge)
        self._sorted = None

    def add_edge(self, edge: Edge[Task]) -> Edge[Task]:
        """Add an edge and its tasks; the same dependency twice is one edge."""
        self.add_task(edge.upstream_task)
        self.add_task(edge.downstream_task)
        known = self._to[edge.downstream_task].get(_slot(edge))
        if known is not None:
            if edge.key is not None:
                raise FlowBuildError(
                    f"Argument {edge.key!r} of task {edge.downstream_task.name!r} already has a value; pass it only once."
                )
            if (known.mapped, known.flattened) != (edge.mapped, edge.flattened):
                raise FlowBuildError(f"{known} already exists but is mapped differently; keep one of the two.")
            return known
        self._link(edge)
        return edge

    def edge_into(self, task: Task, key: str) -> Edge[Task] | None:
        """The edge that feeds argument `key` of the task."""
        return self._to[task].get(key) if task in self._to else None

    def copy(self) -> Graph:
        """The same tasks and edges in a graph of its own."""
        new = Graph()
        new.__setstate__(self.__getstate__())
        new._names, new.home = dict(self._names), object()
        return new

    def drop_arguments(self, task: Task) -> None:
        """Remove the edges that feed arguments of the task; it still waits for what it waited for without data."""
        for edge in self.edges_to(task):
            if edge.key is not None:
                del self._to[task][_slot(edge)]
                self._from[edge.upstream_task].remove(edge)
        self._sorted = None

    def replaced(self, old: Task, new: Task) -> Graph:
        """This graph with `new` in the place of `old`: it gets the edges of `old` beside those it may already have.

        All other tasks keep their slugs; `new` inherits that of `old` when it has the same name and tags and no slug of its own.
        """
        graph = Graph()
        graph._taken.update(slug for task, slug in self.slugs.items() if task is not old)
        for task, slug in self.slugs.items():
            if task is not old:
                graph._place(task, slug)
            elif new not in self.slugs and new.slug is None and _base(new) == _base(old):
                graph._place(new, slug)
            elif new not in self.slugs:
                graph.add_task(new)
        for edge in self.edges():
            upstream, downstream = (new if task is old else task for task in edge.tasks)
            graph.add_edge(edge if old not in edge.tasks else edge.between(upstream, downstream))
        return graph

    def __getstate__(self) -> dict[str, Any]:
        """Flat lists, so that pickling doesn't recurse along chains of tasks, however long."""
        place = {task: number for number, task in enumerate(self.slugs)}
        edges = [
            (place[edge.upstream_task], place[edge.downstream_task], edge.key, edge.mapped, edge.flattened)
            for edge in self.edges()
        ]
        return {"tasks": list(self.slugs.items()), "edges": edges, "home": self.home}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Graph.__init__(self)
        self.home = state["home"]
        for task, slug in state["tasks"]:
            self._place(task, slug)
        tasks = list(self.slugs)
        for upstream, downstream, *marks in state["edges"]:
            self._link(Edge(tasks[upstream], tasks[downstream], *marks))

    def edges(self) -> list[Edge[Task]]:
        return [edge for slots in self._to.values() for edge in slots.values()]

    def edges_to(self, task: Task) -> list[Edge[Task]]:
        return list(self._to[task].values())

    def edges_from(self, task: Task) -> list[Edge[Task]]:
        return list(self._from[task])

    def root_tasks(self) -> list[Task]:
        return [task for task, slots in self._to.items() if not slots]

    def terminal_tasks(self) -> list[Task]:
        return [task for task, edges in self._from.items() if not edges]

    def deciding_tasks(self) -> list[Task]:
        """The terminal tasks; a clean-up among them is replaced by the tasks that it follows, if there are any.

        Of those, a task counts only if nothing but clean-ups follows it: what follows it otherwise decides in its place.
        """
        tasks: dict[Task, None] = {}
        stack = self.terminal_tasks()[::-1]
        while stack:
            task = stack.pop()
            before = [edge.upstream_task for edge in self._to[task].values() if edge.key is None]
            before = [one for one in before if not one.is_gate]
            if not task.runs_on_cancel or not before:
                tasks[task] = None
                continue
            for one in reversed(before):
                if all(edge.downstream_task.runs_on_cancel for edge in self._from[one]):
                    stack.append(one)
        return list(tasks)

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> tuple[Task, ...]:
        """The tasks in topological order, and otherwise in the order they were added. Raises CycleError.

        With `root_tasks`, only these and those downstream of them.
        """
        if self._sorted is None:
            self._sorted = self._sort()
        if root_tasks is None:
            return self._sorted
        reached = set(root_tasks)
        for task in self._sorted:
            if task in reached:
                reached.update(edge.downstream_task for edge in self._from[task])
        return tuple(task for task in self._sorted if task in reached)

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
        seen: set[Task] = set()
        while task not in seen:
            seen.add(task)
            path.append(task)
            task = next(edge.upstream_task for edge in self._to[task].values() if edge.upstream_task in remaining)
        names = [self.slugs[step] for step in reversed([*path[path.index(task) :], task])]
        if len(names) > 12:
            names[6:-5] = [f"... {len(names) - 11} more ..."]
        return CycleError(
            f"These tasks wait for each other in a circle: {' -> '.join(names)}; remove one of these dependencies."
        )


def _base(task: Task) -> str:
    return "-".join((task.name, *sorted(task.tags)))


def _slot(edge: Edge[Task]) -> str | Task:
    return edge.key if edge.key is not None else edge.upstream_task
