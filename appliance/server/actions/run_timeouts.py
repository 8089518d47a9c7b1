"""How long the runs of a flow may take, set by people. It counts at once, also for runs that are already running."""

from __future__ import annotations

import math
from datetime import datetime
from uuid import UUID

from appliance.kit import clock
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.db.writes import flows
from appliance.server.domain.run_timeouts import KEY, LONGEST
from appliance.server.errors import Invalid, NotFound
from appliance.server.events.outbox import announce


@keyed("flow.run_timeout")
def set_run_timeout(
    db: Database, actor: Actor, flow_id: UUID, seconds: float | None, *, now: datetime | None = None
) -> UUID:
    """How long the flow's runs may take. 0: as long as they need; None: what its code says, or else the site."""
    now = now or clock.now()
    if seconds is not None and not (math.isfinite(seconds) and 0 <= seconds <= LONGEST):
        raise Invalid("The run_timeout must be a number of seconds from 0 (none) to 31536000 (365 days).")
    with db.write("flow.run_timeout") as session:
        flow = flows.lock(session, flow_id)
        if flow is None:
            raise NotFound("There is no such flow; it may have been deleted.")
        if flow.settings.get(KEY) == seconds:
            return flow_id
        others = {key: value for key, value in flow.settings.items() if key != KEY}
        flow.settings = others if seconds is None else others | {KEY: seconds}
        flow.updated = now
        session.flush()
        announce(session, "flow", flow.id, "flow.run_timeout", {"seconds": seconds}, actor, now)
        return flow_id
