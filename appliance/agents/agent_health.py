"""Whether an agent is well, as its health endpoint says. A server that can't be reached is not its fault: a restart would not help."""

from __future__ import annotations

from typing import Literal

import msgspec

from appliance.agents.agent import Agent
from appliance.kit import clock
from appliance.kit.version import VERSION

STANDSTILL = 300.0
"""Seconds after which a loop that has done nothing stands still. A request to a server that does not answer is given up before."""


class Health(msgspec.Struct, kw_only=True):
    """`reason`: why it is not ok, in a sentence."""

    status: Literal["ok", "waiting", "failing"]
    reason: str
    agent: str
    kind: str
    version: str = VERSION
    slots: int
    active_runs: int


def health_of(agent: Agent) -> Health:
    """How it is now."""
    vitals = agent.vitals
    still = clock.monotonic() - vitals.beat_at
    status: Literal["ok", "waiting", "failing"] = "failing"
    if vitals.rejected:
        reason = f"The server rejects this agent: {vitals.rejected}"
    elif still > STANDSTILL:
        reason = f"The agent has done nothing for {still:.0f} s; restart it."
    elif vitals.idle:
        reason = vitals.idle
    else:
        reason, status = vitals.away, "waiting" if vitals.away else "ok"
    return Health(
        status=status,
        reason=reason,
        agent=vitals.name,
        kind=agent.kind,
        slots=vitals.slots,
        active_runs=len(agent.holding()),
    )
