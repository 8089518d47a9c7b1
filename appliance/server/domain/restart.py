"""Which task runs of an ended run are run again by a restart: the unsuccessful ones, and everything downstream of them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from appliance.kit.documents import JsonDocument

TaskKey = tuple[str, int]
"""A task's slug and the index of a mapped child; -1 for what is not mapped and for the parent of children."""


def to_run_again(
    edges: Sequence[JsonDocument], types: Mapping[TaskKey, str], from_task: str | None = None
) -> set[TaskKey]:
    """The keys of `types` (recorded task runs by the type of their state) that are to run again; also those of the task that is
    named, with all of its children.

    Of a mapped task only the children that did not succeed do, and of what is mapped over them only the children that follow those.
    """
    indices: dict[str, list[int]] = defaultdict(list)
    for slug, index in types:
        indices[slug].append(index)
    after: dict[str, list[JsonDocument]] = defaultdict(list)
    for edge in edges:
        after[edge["upstream"]].append(edge)
    again = {key for key, type in types.items() if type != "SUCCESS" or key[0] == from_task}
    queue = deque(again if from_task is None else again | {(from_task, -1)})
    while queue:
        slug, index = queue.popleft()
        for edge in after[slug]:
            fresh = [key for key in _following(edge, index, indices) if key not in again]
            again.update(fresh)
            queue.extend(fresh)
    return again


def nothing_failed(type: str, again: set[TaskKey], from_task: str | None) -> bool:
    """Is there no reason to restart a run that has ended as this type? Only a task that the request names would be one."""
    return type == "SUCCESS" and not again and from_task is None


def _following(edge: JsonDocument, index: int, indices: Mapping[str, list[int]]) -> Iterable[TaskKey]:
    """The task runs that come after one child, or after a whole task."""
    slug = edge["downstream"]
    if index >= 0 and edge.get("mapped") and not edge.get("flattened"):
        return [(slug, index)] if index in indices.get(slug, ()) else []
    return [(slug, one) for one in indices.get(slug, ())]
