"""What a drawing of a flow shows: the text in each box and along each arrow, whatever format it is drawn in."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.core.graph import Graph
from appliance.core.parameter import Parameter
from appliance.core.states import Mapped, State
from appliance.core.task import Task

Kind = Literal["task", "parameter", "plumbing"]
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


@dataclass(slots=True)
class Box:
    """One task. `outcome` is the name of the state that gives the colour, None when no state is known."""

    label: str
    slug: str
    kind: Kind
    mapped: bool
    outcome: str | None = None
    status: str = ""
    hint: str = ""


@dataclass(slots=True)
class Arrow:
    """All edges between the same two tasks, by the numbers of their boxes."""

    source: int
    target: int
    keys: list[str]
    mapped: bool


@dataclass(slots=True)
class Picture:
    """A flow ready to be drawn. Every box comes after all boxes that it depends on."""

    name: str
    boxes: list[Box]
    arrows: list[Arrow]

    def summary(self) -> str:
        """One sentence for those who can't see the drawing."""
        count = len(self.boxes)
        text = f"{count} {'task' if count == 1 else 'tasks'}, {len(self.arrows)} dependencies"
        states = Counter(box.outcome for box in self.boxes if box.outcome is not None)
        return f"{text}; {', '.join(f'{number} {name}' for name, number in states.most_common())}" if states else text


def picture_of(name: str, graph: Graph, states: Mapping[Task, State]) -> Picture:
    """What is to be drawn of the flow of that name. Raises CycleError."""
    order = graph.sorted_tasks()
    place = {task: number for number, task in enumerate(order)}
    arrows: dict[tuple[int, int], Arrow] = {}
    for task in order:
        for edge in graph.edges_to(task):
            ends = place[edge.upstream_task], place[task]
            arrow = arrows.setdefault(ends, Arrow(*ends, [], False))
            arrow.mapped |= edge.mapped
            if edge.key is not None and not task.auto_generated:
                arrow.keys.append(printable(edge.key))
    boxes = [_box(graph, task, states.get(task)) for task in order]
    return Picture(printable(name), boxes, list(arrows.values()))


def printable(text: str) -> str:
    """Names are free text: nothing in them may control a terminal, break the XML or change the writing direction."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs", "Cn") or c in _BIDI else c for c in text
    )


def _box(graph: Graph, task: Task, state: State | None) -> Box:
    kind: Kind = "parameter" if isinstance(task, Parameter) else "plumbing" if task.auto_generated else "task"
    slug = printable(graph.slugs[task])
    box = Box(printable(task.name), slug, kind, any(edge.mapped for edge in graph.edges_to(task)))
    hint = [slug, type(task).__name__, *(f"tag {printable(tag)}" for tag in sorted(task.tags))]
    if state is not None:
        box.outcome, box.status = _outcome(state)
        hint += [box.status, printable((state.message or "").partition("\n")[0])[:200]]
    box.hint = " · ".join(filter(None, hint))
    return box


def _outcome(state: State) -> tuple[str, str]:
    """The state that gives the colour, and a line that says more. A mapped task looks like the worst of its children."""
    name = type(state).__name__
    if not isinstance(state, Mapped):
        return name, name
    total = state.n_map_states
    children = Counter(type(child).__name__ for child in state.map_states if child is not None)
    if not children:
        return name, f"{total} children"
    worst = min(state.map_states, key=_badness)
    counted = ", ".join(f"{number} {kind}" for kind, number in children.most_common())
    status = f"{total} × {next(iter(children))}" if len(children) == 1 else f"{total}: {counted}"
    return type(worst).__name__, status


def _badness(state: State) -> int:
    return 0 if state.is_failed() else 1 if not state.is_finished() else 2 if state.is_cancelled() else 3
