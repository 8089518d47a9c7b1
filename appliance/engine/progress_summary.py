"""The last lines of a run: what failed and where, the counts of the other tasks, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from appliance.core.flow import Flow
from appliance.core.states import Cancelled, Failed, Finished, Mapped, Skipped, State, TriggerFailed

_MOST_LINES = 10
_MOST_TEXT = 300


def summary(flow: Flow, state: State, seconds: float) -> Iterator[str]:
    """One line for the whole run, then one for each task whose own code failed, with location and cause first."""
    verb = "ended" if state.is_finished() else "stopped"
    states = state.result if isinstance(state.result, Mapping) else {}
    ends = [
        (flow.slugs[task], index, end)
        for task, own in states.items()
        for index, end in (enumerate(own.map_states) if isinstance(own, Mapped) else [(-1, own)])
    ]
    message = "" if "cause" in state.data else f"{state.message} "  # the lines of the tasks say it
    yield f"Flow {flow.name!r} {verb} after {seconds:.2f} s: {type(state).__name__}. {message}{_counts(ends)}".rstrip()
    failed = [one for one in ends if isinstance(one[2], Failed) and not isinstance(one[2], TriggerFailed)]
    for slug, index, end in failed[:_MOST_LINES]:
        name = repr(slug) if index < 0 else f"{slug!r}[{index}]"
        place = end.data.get("location")
        cause = " ".join((end.message or type(end).__name__).split())
        cause = cause if len(cause) <= _MOST_TEXT else f"{cause[: _MOST_TEXT - 3]}..."
        yield f"  {f'{place}: ' if place else ''}{cause} (task {name})"
    if len(failed) > _MOST_LINES:
        yield f"  and {len(failed) - _MOST_LINES} more failed tasks"


def _counts(ends: list[tuple[str, int, State]]) -> str:
    counts = Counter(_word(end) for _, _, end in ends)
    order = ("succeeded", "failed", "not run", "skipped", "cancelled", "not finished")
    return ", ".join(f"{counts[word]} {word}" for word in order if counts[word]) + "." if counts else ""


def _word(state: State) -> str:
    for kind, word in ((TriggerFailed, "not run"), (Failed, "failed"), (Skipped, "skipped"), (Cancelled, "cancelled")):
        if isinstance(state, kind):
            return word
    return "succeeded" if isinstance(state, Finished) else "not finished"
