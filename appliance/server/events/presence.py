"""Whether a server is there for runs and agents to talk to. The repair services judge nobody silent whom nobody could hear."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import leases

NAME = "server"
INTERVAL = 10.0
SILENT_AFTER = timedelta(seconds=3 * INTERVAL)


@retried
def beat(db: Database, now: datetime) -> None:
    """Note that this server process takes requests."""
    holder = f"{socket.gethostname()[:150]}:{os.getpid()}"
    with db.write("presence") as session:
        leases.beat(session, NAME, holder, now, SILENT_AFTER)
