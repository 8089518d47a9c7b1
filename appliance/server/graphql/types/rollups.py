"""How runs ended, hour by hour, in GraphQL."""

from __future__ import annotations

from datetime import datetime

import strawberry

from appliance.server.db.rows.rollups import HourSum


@strawberry.type(description="The runs that ended in one hour with one state. `seconds` is the sum of their durations.")
class RunRollup:
    hour: datetime
    state_type: str
    state_name: str
    runs: int
    seconds: float
    longest: float


def run_rollup(row: HourSum) -> RunRollup:
    return RunRollup(
        hour=row.hour,
        state_type=row.state_type,
        state_name=row.state_name,
        runs=int(row.runs),
        seconds=float(row.seconds),
        longest=float(row.longest),
    )
