"""Conditions on flow runs with partial indexes. The values are literal, since the planner can't match bound ones to an index."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import TextClause, text

from appliance.server.domain.transitions import CLAIM, LATE, LIVE, SCHEDULED, TYPES


def has_type(types: Collection[str]) -> TextClause:
    """The run's state is of one of these types."""
    listed = [f"'{type}'" for type in TYPES if type in types]
    return text(
        f"flow_run.state_type = {listed[0]}" if len(listed) == 1 else f"flow_run.state_type in ({', '.join(listed)})"
    )


SCHEDULED_NOW = has_type({SCHEDULED})
ONLY_PLANNED = text(
    "flow_run.schedule_id is not null and flow_run.state_type = 'SCHEDULED' and flow_run.attempt = 0"
    " and flow_run.idempotency_key is null"
    " and (flow_run.version = 1 or (flow_run.version = 2 and flow_run.state_name = 'Late'))"
)
"""The scheduler has planned the run, and since then nobody has taken it or decided anything about it. A backfill's runs have a key."""
RETRIED = text("flow_run.state_type = 'SCHEDULED' and flow_run.attempt > 0")
"""The run has begun, and waits to go on."""
LIVE_NOW = has_type(LIVE)
MAY_BE_CLAIMED = has_type(CLAIM.sources)
MAY_BE_LATE = has_type(LATE.sources)
