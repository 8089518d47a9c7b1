"""Which agents are lost: they have not been heard from for too long, and have not signed off. It is announced once, as is their return."""

from __future__ import annotations

from datetime import datetime

import msgspec

from appliance.kit import clock
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import agents
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import settings
from appliance.server.domain.agent_states import GONE
from appliance.server.domain.waiting import ONLINE_FOR
from appliance.server.events.outbox import announce_all


@retried
def note(db: Database, now: datetime) -> int:
    """Announce the agents that are lost since the last time, and those that are back; how many are lost now."""
    with db.read() as session:
        rows = agents.every(session)
        before = set(agents.LOST.find(session) or ())
    known = {row.id: row for row in rows if row.state not in GONE}
    lost = {id for id, row in known.items() if now - row.last_seen > ONLINE_FOR}
    if lost == before:
        return len(lost)
    gone = [(id, {"name": known[id].name, "message": _since(known[id].last_seen)}) for id in sorted(lost - before)]
    back = [(id, {"name": known[id].name}) for id in sorted(before - lost) if id in known]
    with db.write("agents.lost") as session:
        settings.put(session, agents.LOST.name, msgspec.json.encode(sorted(lost)).decode(), now)
        announce_all(session, "agent", "agent.lost", gone, SYSTEM, now)
        announce_all(session, "agent", "agent.returned", back, SYSTEM, now)
    return len(lost)


def _since(last_seen: datetime) -> str:
    return f"It was last heard from at {clock.isoformat(last_seen)}."
