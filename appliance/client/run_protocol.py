"""The run's side of the run protocol: permission to begin, numbered reports, and slots. Requests are sent once; callers retry in order."""

from __future__ import annotations

from uuid import UUID

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.run_protocol import (
    AskChild,
    AskSlots,
    AwaitChildren,
    Begin,
    Begun,
    ChildAnswer,
    EndedChildren,
    Reported,
    Slots,
)
from appliance.protocol.secrets import AskSecret, SecretValue


def prepare() -> None:
    """Do now what the first answers would need."""
    wire.prepare(Begun, Reported)


def begin(transport: Transport, flow_run_id: UUID, attempt: int) -> Begun:
    """Ask whether this attempt may run, and for the task runs of earlier ones."""
    begun = answer = _begin(transport, flow_run_id, attempt, "")
    while answer.more_after is not None:
        answer = _begin(transport, flow_run_id, attempt, answer.more_after)
        if answer.verdict != "go":  # the attempt has ended in the meantime
            return answer
        begun.tasks.extend(answer.tasks)
    return begun


def _begin(transport: Transport, flow_run_id: UUID, attempt: int, after: str) -> Begun:
    return transport.post(f"{path('flow-runs', flow_run_id, 'begin')}?after={after}", Begin(attempt=attempt), Begun)


def report(transport: Transport, flow_run_id: UUID, report: bytes) -> Reported:
    """Send one encoded `Report`. It is passed as bytes because a numbered batch never changes."""
    return transport.ask("POST", path("flow-runs", flow_run_id, "report"), Reported, report)


def slots(transport: Transport, flow_run_id: UUID, request: AskSlots) -> Slots:
    """Request a slot of every limit on a task's tags, or release them."""
    return transport.post(path("flow-runs", flow_run_id, "slots"), request, Slots)


def child(transport: Transport, flow_run_id: UUID, request: AskChild) -> ChildAnswer:
    """Start the child of a task run, or find it."""
    return transport.post(path("flow-runs", flow_run_id, "children"), request, ChildAnswer)


def await_children(transport: Transport, flow_run_id: UUID, request: AwaitChildren) -> EndedChildren:
    """Wait for the end of any child."""
    return transport.post(path("flow-runs", flow_run_id, "children", "await"), request, EndedChildren)


def secret(transport: Transport, flow_run_id: UUID, attempt: int, name: str) -> str:
    """The value of a secret that the flow of this attempt declares."""
    request = AskSecret(attempt=attempt, name=name)
    return transport.post(path("flow-runs", flow_run_id, "secrets"), request, SecretValue).value
