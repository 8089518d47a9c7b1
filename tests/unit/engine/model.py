"""What a run of a plan must come to, written from the rules of triggers, skips, retries and mapping; no line of it is the engine's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.unit.engine.graphs import FlowPlan, Node

FAILED = {"Failed", "ValidationFailed", "TriggerFailed"}
ENDS = {
    "ok": "Success",
    "SUCCESS": "Success",
    "SKIP": "Skipped",
    "raise": "Failed",
    "FAIL": "Failed",
    "VALIDATIONFAIL": "ValidationFailed",
}


@dataclass
class Outcome:
    """The final class of a task's state, how many elements its result has (None: it can't be mapped over), its children."""

    name: str
    width: int | None = None
    children: list[Outcome] | None = None

    def all(self) -> list[Outcome]:
        return self.children or [self]  # of a mapped task its children, where it has any


@dataclass
class Prediction:
    """Of a whole run: the flow's state, each task's (with those of its children), and the calls by (task, map index)."""

    flow: str = "Success"
    tasks: list[tuple[str, list[str]]] = field(default_factory=list)
    calls: Counter[tuple[int, int]] = field(default_factory=Counter)


def predict(plan: FlowPlan) -> Prediction:
    found: list[Outcome] = []
    prediction = Prediction()
    for number, node in enumerate(plan.nodes):
        if node.mapped:
            found.append(_mapped(node, number, found, prediction))
        else:
            found.append(_run(node, number, -1, [found[one] for one, _ in node.edges], prediction))
    prediction.tasks = [(one.name, [child.name for child in one.children or ()]) for one in found]
    decisive = [found[number] for number in plan.references or plan.terminal()]
    keys = [child for one in decisive for child in (one.children if one.children is not None else [one])]
    prediction.flow = "Failed" if any(one.name in FAILED for one in keys) else "Success"
    return prediction


def _mapped(node: Node, number: int, found: list[Outcome], prediction: Prediction) -> Outcome:
    """The parent decides whether there are children and how many; then each child is a run of its own."""
    whole = [found[one] for one, kind in node.edges if kind != "mapped"]
    dealt = [found[one] for one, kind in node.edges if kind == "mapped"]
    if node.skips and (any(one.name == "Skipped" for one in dealt) or _skipped(whole)):
        return Outcome("Skipped")
    widths: list[int] = []
    for one in dealt:
        if one.name == "Skipped":
            continue
        if one.name in FAILED:
            return Outcome("TriggerFailed")
        if one.width is None:
            return Outcome("Failed")
        widths.append(one.width)
    if not widths:
        return Outcome("Skipped")
    children = [
        _run(node, number, index, [*(_element(one, index) for one in dealt), *whole], prediction)
        for index in range(min(widths))
    ]
    return Outcome("Mapped", min(widths), children)


def _element(upstream: Outcome, index: int) -> Outcome:
    if upstream.name == "Skipped":
        return upstream
    return Outcome("Success") if upstream.children is None else upstream.children[index]


def _run(node: Node, number: int, index: int, upstream: list[Outcome], prediction: Prediction) -> Outcome:
    """One task run: skipped after a skip, else judged by its trigger, else called as often as its script and retries say."""
    if node.skips and _skipped(upstream):
        return Outcome("Skipped")
    verdict = _trigger(node.trigger, [one.name for task in upstream for one in task.all()]) if upstream else None
    if verdict is not None:
        return Outcome(verdict)
    script, attempt, called = node.script(index), 1, 0
    while True:
        action = script[min(called, len(script) - 1)]
        called += 1
        if action == "LOOP":  # the next round begins afresh
            attempt = 1
        elif action == "RETRY" or (ENDS[action] in FAILED and attempt <= node.retries):
            attempt += 1
        else:
            prediction.calls[number, index] = called
            name = ENDS[action]
            return Outcome(name, node.width if name == "Success" else None)


def _skipped(upstream: list[Outcome]) -> bool:
    return any(one.name == "Skipped" for task in upstream for one in task.all())


def _trigger(name: str, states: list[str]) -> str | None:
    """None: run. Skipped counts as success."""
    failed = sum(state in FAILED for state in states)
    succeeded = len(states) - failed
    if name == "not_all_skipped" and all(state == "Skipped" for state in states):
        return "Skipped"
    holds = {
        "all_successful": failed == 0,
        "all_failed": succeeded == 0,
        "any_successful": succeeded > 0,
        "any_failed": failed > 0,
        "all_finished": True,
        "not_all_skipped": failed == 0,
        "some_failed(1, 1)": failed == 1,
        "some_successful(0.5)": succeeded >= 0.5 * len(states),
    }[name]
    return None if holds else "TriggerFailed"
