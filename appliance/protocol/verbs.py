"""What people and scripts can do to a flow run, declared once: REST routes, GraphQL mutations, bulk actions, commands, and the
UI's menu are built from this table or checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.protocol.flow_runs import ChangeFlowRun, EditFlowRun, MarkFlowRun, RestartFlowRun, ResumeFlowRun


@dataclass(frozen=True)
class Verb:
    """One verb. `name` is the name of its action and its value in a bulk request; with hyphens, of its command and route."""

    name: str
    permission: str
    request: type[ChangeFlowRun]
    summary: str  # for the route, the mutation, and the command
    bulk_summary: str | None = None  # for many runs; None if it works on one run only
    label: str = ""  # on the UI's buttons
    method: str = "POST"

    @property
    def command(self) -> str:
        """Its name on the command line and in the route."""
        return self.name.replace("_", "-")

    @property
    def route(self) -> str:
        """The path below the run's own path; empty for a verb with its own HTTP method."""
        return f"/{self.command}" if self.method == "POST" else ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The request's fields other than reason, idempotency key, and version."""
        return tuple(name for name in self.request.__struct_fields__ if name not in ChangeFlowRun.__struct_fields__)


VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "cancel",
            "runs:cancel",
            ChangeFlowRun,
            "Cancel a run. A run that has not started ends at once; an active one ends when its process has stopped.",
            "Cancel the runs. Active runs are asked to stop.",
            label="Stop",
        ),
        Verb(
            "pause",
            "runs:pause",
            ChangeFlowRun,
            "Pause a scheduled run until it is resumed.",
            "Pause the runs that are scheduled.",
            label="Pause",
        ),
        Verb(
            "resume",
            "runs:resume",
            ResumeFlowRun,
            "Resume a paused run: all of its paused tasks, or just one.",
            "Resume the runs that are paused.",
            label="Resume",
        ),
        Verb(
            "restart",
            "runs:restart",
            RestartFlowRun,
            "Restart a run from where it failed. Failed tasks and everything downstream run again; stored results are reused.",
            "Restart the runs that did not succeed.",
            label="Restart",
        ),
        Verb(
            "mark",
            "runs:mark",
            MarkFlowRun,
            "Set the final state of a run or of one of its task runs. Cancel a live run first.",
            "Set the final state of the runs. Live runs stay unchanged.",
            label="Mark as",
        ),
        Verb(
            "start_now",
            "runs:edit",
            ChangeFlowRun,
            "Start a scheduled run now instead of at its time.",
            "Start the scheduled runs now.",
            label="Start now",
        ),
        Verb(
            "edit",
            "runs:edit",
            EditFlowRun,
            "Edit a run that has not started. Its name, labels, priority, and time can be changed.",
            "Edit the runs that have not started.",
            label="Edit",
            method="PATCH",
        ),
        Verb(
            "delete",
            "runs:delete",
            ChangeFlowRun,
            "Delete a run that has ended or has not started. Its task runs, states, and logs are deleted too.",
            "Delete the runs with their task runs, states, and logs.",
            label="Delete",
            method="DELETE",
        ),
    )
}
"""Every verb by its name."""
