"""Which finished task runs of earlier attempts run again because something needs a value of theirs that can't be read. The next attempt
acts on this rule, and the server says beforehand what it will lead to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

TaskKey = tuple[str, int]
"""A task's slug and the index of a mapped child; -1 for what is not mapped and for the parent of children."""
_ALL = None
"""Represents every child of a mapped task, however many there will be."""


class Link(NamedTuple):
    """An edge of a flow's graph, between slugs."""

    upstream: str
    downstream: str
    has_key: bool
    """Does the downstream task receive the value?"""
    mapped: bool
    flattened: bool


@dataclass(frozen=True)
class TaskGraph:
    """`tasks` are slugs, each after all that are upstream of it."""

    tasks: tuple[str, ...]
    links: tuple[Link, ...]
    always: frozenset[str] = frozenset()
    """Tasks that run in every attempt, such as parameters."""
    cleaning: frozenset[str] = frozenset()
    """Tasks that clean up what every attempt sets up again."""


def to_repeat(
    graph: TaskGraph, finished: Mapping[TaskKey, int | None], is_gone: Callable[[TaskKey], bool]
) -> set[TaskKey]:
    """The keys of `finished` that run again. Its values are the numbers of children of mapped tasks, None for all others.

    `is_gone` is asked about each task run whose value is needed: can't it be read any more?
    """
    return _Reuse(graph, finished, is_gone).find()


class _Reuse:
    """Decides, from the end of the graph to its start."""

    def __init__(
        self, graph: TaskGraph, finished: Mapping[TaskKey, int | None], is_gone: Callable[[TaskKey], bool]
    ) -> None:
        self._graph, self._finished, self._is_gone = graph, finished, is_gone
        self._mapped = {link.downstream for link in graph.links if link.mapped}
        self._from: dict[str, list[Link]] = defaultdict(list)
        for link in graph.links:
            self._from[link.upstream].append(link)
        self._children: dict[str, list[int]] = defaultdict(list)
        for slug, index in finished:
            if index >= 0:
                self._children[slug].append(index)
        self._again: set[TaskKey] = set()

    def find(self) -> set[TaskKey]:
        for slug in reversed(self._graph.tasks):
            self._look_at(slug)
        return self._again

    def _look_at(self, slug: str) -> None:
        indices = [*self._children.get(slug, ()), -1]
        if slug in self._graph.cleaning:
            self._again.update((slug, index) for index in indices if (slug, index) in self._finished)
            return
        needs: set[int] | None = set()
        for link in self._from.get(slug, ()):
            more = self._needs_of(link)
            needs = _ALL if needs is _ALL or more is _ALL else needs | more
        needed: Iterable[int] = indices if needs is _ALL else needs
        self._again.update(
            (slug, index) for index in needed if (slug, index) in self._finished and self._is_gone((slug, index))
        )

    def _needs_of(self, link: Link) -> set[int] | None:
        """The task runs whose values the downstream task needs: none, some children, or all."""
        task = link.downstream
        if link.mapped and not link.flattened and link.upstream in self._mapped:
            return self._running(task) if link.has_key else set()
        if task in self._mapped:  # the number of its children is counted again
            return _ALL if self._resolves(task) else set()
        return _ALL if link.has_key and self._running(task) != set() else set()

    def _running(self, slug: str) -> set[int] | None:
        """The indices of the task runs that will run."""
        if slug not in self._mapped:
            return set() if self._is_kept(slug, -1) else {-1}
        if not self._resolves(slug):
            return set()
        width = self._finished.get((slug, -1))
        return _ALL if width is None else {index for index in range(width) if not self._is_kept(slug, index)}

    def _resolves(self, slug: str) -> bool:
        """Does the parent of a mapped task run? It runs in every attempt, unless it ended without children."""
        return self._finished.get((slug, -1)) is not None or not self._is_kept(slug, -1)

    def _is_kept(self, slug: str, index: int) -> bool:
        return (slug, index) in self._finished and (slug, index) not in self._again and slug not in self._graph.always
