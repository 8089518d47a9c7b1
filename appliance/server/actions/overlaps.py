"""What happens to a run that comes due while the one before it on the same schedule is still in progress: the schedule's policy.

`allow` starts it, `queue` makes it wait (the claim does both), `skip` ends it as Skipped, `cancel` stops the older run.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.states import change_state, facts_of
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import dispatch, readable
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import states
from appliance.server.domain.transitions import Accept
from appliance.server.domain.verbs import may
from appliance.server.errors import Conflict, NotFound

_BATCH = 500
STOPPED = "Stopped for the next run of the same schedule."


def settle(db: Database, now: datetime) -> dict[str, int]:
    """Skip the newer run or stop the older one, for each overlap; how many of each."""
    with db.read() as session:
        overlaps = dispatch.overlapping(session, now, _BATCH)
    counts = {"skipped": 0, "stopped": 0}
    for newer, older, older_name, policy in overlaps:
        with readable.set_aside():
            if policy == "skip":
                counts["skipped"] += _skip(db, newer, older_name, now)
            else:
                counts["stopped"] += _stop(db, older, now)
    return counts


@retried
def _skip(db: Database, flow_run_id: UUID, older_name: str, now: datetime) -> bool:
    with db.write("overlap.skip") as session:
        run = states.lock(session, flow_run_id)
        state = None if run is None else may("skip", facts_of(run))
        if run is None or not isinstance(state, Accept):
            return False  # cancelled or claimed in between
        message = f"Skipped: run {older_name!r} of the same schedule was still in progress when this one came due."
        change_state(session, run, state.change(now, message), SYSTEM)
        return True


def _stop(db: Database, flow_run_id: UUID, now: datetime) -> bool:
    try:
        cancel_run(db, SYSTEM, flow_run_id, ChangeFlowRun(reason=STOPPED), now=now)
    except (Conflict, NotFound):  # it has ended in between
        return False
    return True
