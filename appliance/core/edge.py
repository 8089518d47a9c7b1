"""A dependency between two tasks: the downstream one waits, and with a key also receives the upstream result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from appliance.core.errors import FlowBuildError


class Named(Protocol):
    """What an edge needs from the tasks at its ends."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Edge(Generic[T]):
    """`key` names the argument of the downstream run(); `mapped` distributes the result element by element."""

    upstream_task: T
    downstream_task: T
    key: str | None = None
    mapped: bool = False
    flattened: bool = False

    def __post_init__(self) -> None:
        if self.upstream_task is self.downstream_task:
            raise FlowBuildError(f"Task {self.upstream_task.name!r} can't depend on itself; remove that dependency.")
        if self.key is not None and not self.key.isidentifier():
            raise FlowBuildError(f"{self.key!r} is not a valid argument name; use a Python identifier as the key.")

    @property
    def tasks(self) -> tuple[T, T]:
        """(upstream, downstream)"""
        return self.upstream_task, self.downstream_task

    def between(self, upstream_task: T, downstream_task: T) -> Edge[T]:
        """The same dependency between other tasks."""
        return Edge(upstream_task, downstream_task, self.key, self.mapped, self.flattened)

    def __repr__(self) -> str:
        arrow = "->" if self.key is None else f"-({self.key})->"
        return f"<Edge {self.upstream_task.name} {arrow} {self.downstream_task.name}>"
