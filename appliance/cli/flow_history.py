"""The history of a flow and the figures of its tasks as text."""

from __future__ import annotations

from appliance.cli import zone
from appliance.cli.output import echo, print_table
from appliance.kit.plurals import counted
from appliance.protocol.flow_history import FailureCause, FlowHistory, FlowTasks

_LONGEST = 80


def print_history(history: FlowHistory) -> None:
    """A line about durations, and a table of causes."""
    if not history.runs:
        echo("The flow has not run yet.")
        return
    echo(_typical(history))
    rows = [
        (cause.runs, zone.local(cause.last_at), cause.task_slug, "yes" if cause.known else "", _message(cause))
        for cause in history.causes
    ]
    print_table(("FAILED", "LAST", "TASK", "KNOWN", "WHY"), rows, "None of them failed.")


def print_tasks(figures: FlowTasks) -> None:
    """A table of tasks, and of how many runs it is."""
    rows = [
        (
            task.slug,
            task.ended,
            f"{100 * task.failed / task.ended:.0f} %" if task.ended else "",
            task.retries,
            seconds_text(task.median_seconds),
            seconds_text(task.p95_seconds),
            f"{100 * task.critical_share:.0f} %",
        )
        for task in figures.tasks
    ]
    columns = ("TASK", "ENDED", "FAILED", "RETRIES", "MEDIAN", "95 %", "CRITICAL PATH")
    print_table(columns, rows, "No run of the flow has ended yet.")
    left_out = f"; {counted(figures.left_out, 'run')} with too many tasks left out" if figures.left_out else ""
    echo(f"In {_last(figures.runs)} that ended{left_out}.")


def _typical(history: FlowHistory) -> str:
    half, most = seconds_text(history.median_seconds), seconds_text(history.p95_seconds)
    if len(history.runs) == 1:
        return f"The only run took {half}." if half else "The only run has not succeeded."
    if not half:
        return f"None of {_last(len(history.runs))} succeeded."
    return f"Of {_last(len(history.runs))}, half of those that succeeded took at most {half}, and 95 % at most {most}."


def _last(number: int) -> str:
    return "the last run" if number == 1 else f"the last {counted(number, 'run')}"


def seconds_text(seconds: float | None) -> str:
    """Such as 850 ms, 4.2 s, or 1:02:03."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _message(cause: FailureCause) -> str:
    line = " ".join(cause.message.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
