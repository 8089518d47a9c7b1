"""The run's side of the run protocol: may I begin, and numbered reports. Each request is sent once; callers try again in order."""

from __future__ import annotations

from uuid import UUID

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.run_protocol import AskSlots, Begin, Begun, Reported, Slots


def begin(transport: Transport, flow_run_id: UUID, attempt: int) -> Begun:
    """Ask whether this attempt may run."""
    return transport.post(path("flow-runs", flow_run_id, "begin"), Begin(attempt=attempt), Begun)


def report(transport: Transport, flow_run_id: UUID, report: bytes) -> Reported:
    """Send one encoded `Report`: bytes, because a batch that was numbered once never changes."""
    return wire.decode(transport.send("POST", path("flow-runs", flow_run_id, "report"), report), Reported)


def slots(transport: Transport, flow_run_id: UUID, asked: AskSlots) -> Slots:
    """Ask for a slot under each limit of a task's tags, or give them back."""
    return transport.post(path("flow-runs", flow_run_id, "slots"), asked, Slots)
