"""Random flows as plain values: what hypothesis draws and shrinks, how they read in a failure, and the flow they stand for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from appliance.core import signals, triggers
from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.task import Task

KINDS = ("plain", "keyed", "mapped")
TRIGGERS = {
    "all_successful": triggers.all_successful,
    "all_failed": triggers.all_failed,
    "any_successful": triggers.any_successful,
    "any_failed": triggers.any_failed,
    "all_finished": triggers.all_finished,
    "not_all_skipped": triggers.not_all_skipped,
    "some_failed(1, 1)": triggers.some_failed(at_least=1, at_most=1),
    "some_successful(0.5)": triggers.some_successful(at_least=0.5),
}
LAST = ("ok", "SUCCESS", "SKIP", "raise", "FAIL", "VALIDATIONFAIL")
PASSING = ("raise", "FAIL", "RETRY", "LOOP")

Script = tuple[str, ...]
"""What one call of a task after the other does; the last entry holds for all that follow."""


@dataclass(frozen=True)
class Node:
    """One task: its edges as (index of an earlier task, kind), the scripts that its children take in turn, its options."""

    edges: tuple[tuple[int, str], ...]
    scripts: tuple[Script, ...]
    width: int
    retries: int
    trigger: str
    skips: bool

    @property
    def mapped(self) -> bool:
        return any(kind == "mapped" for _, kind in self.edges)

    def script(self, index: int) -> Script:
        return self.scripts[max(index, 0) % len(self.scripts)]

    def __str__(self) -> str:
        after = ", ".join(f"{kind} {number}" for number, kind in self.edges) or "nothing"
        does = " | ".join(" then ".join(script) for script in self.scripts)
        skips = "" if self.skips else ", runs after skips"
        return f"after {after}: {does}; {self.width} wide, {self.retries} retries, {self.trigger}{skips}"


@dataclass(frozen=True)
class FlowPlan:
    """A whole flow: every task comes after those its edges name. `references` decide its state; none: the terminal tasks."""

    nodes: tuple[Node, ...]
    references: frozenset[int]

    def __repr__(self) -> str:
        lines = [f"  task {number} {node}" for number, node in enumerate(self.nodes)]
        return "\n".join(["FlowPlan:", *lines, f"  references: {sorted(self.references) or 'terminal tasks'}"])

    def terminal(self) -> set[int]:
        return set(range(len(self.nodes))) - {number for node in self.nodes for number, _ in node.edges}


_scripts = st.builds(
    lambda first, last: (*first, last), st.lists(st.sampled_from(PASSING), max_size=2), st.sampled_from(LAST)
)


@st.composite
def plans(draw: st.DrawFn, most: int = 12) -> FlowPlan:
    """Flows of up to `most` tasks, wide enough for all rules to meet."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, most))):
        upstream = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        nodes.append(
            Node(
                edges=tuple((one, draw(st.sampled_from(KINDS))) for one in sorted(upstream)),
                scripts=tuple(draw(st.lists(_scripts, min_size=1, max_size=3))),
                width=draw(st.integers(0, 3)),
                retries=draw(st.integers(0, 2)),
                trigger=draw(st.sampled_from(sorted(TRIGGERS))),
                skips=draw(st.booleans()),
            )
        )
    return FlowPlan(tuple(nodes), frozenset(draw(st.sets(st.integers(0, len(nodes) - 1), max_size=2))))


class Scripted(Task):
    """Does at each call what its node's script says, and counts the calls."""

    def __init__(self, node: Node, number: int, calls: Counter[tuple[int, int]]) -> None:
        retries: dict[str, Any] = {"max_retries": node.retries, "retry_delay": timedelta(0)} if node.retries else {}
        super().__init__(f"task{number}", trigger=TRIGGERS[node.trigger], skip_on_upstream_skip=node.skips, **retries)
        self.node, self.number, self.calls = node, number, calls

    def run(self, **_inputs: Any) -> list[int]:
        key = self.number, context.map_index
        script = self.node.script(context.map_index)
        action = script[min(self.calls[key], len(script) - 1)]
        self.calls[key] += 1
        result = list(range(self.node.width))
        if action == "raise":
            raise ValueError("scripted")
        if action != "ok":
            signal = getattr(signals, action)
            raise signal("scripted", result) if action == "SUCCESS" else signal("scripted")
        return result


def build(plan: FlowPlan) -> tuple[Flow, list[Task], Counter[tuple[int, int]]]:
    """The flow of a plan, its tasks in order, and the calls that they will count by (task, map index)."""
    calls: Counter[tuple[int, int]] = Counter()
    tasks: list[Task] = [Scripted(node, number, calls) for number, node in enumerate(plan.nodes)]
    flow = Flow("property")
    for number, node in enumerate(plan.nodes):
        flow.add_task(tasks[number])
        for upstream, kind in node.edges:
            key = None if kind == "plain" else f"x{upstream}"
            flow.add_edge(tasks[upstream], tasks[number], key=key, mapped=kind == "mapped")
    flow.set_reference_tasks([tasks[number] for number in sorted(plan.references)])
    return flow, tasks, calls
