"""Noting that a server takes requests, in a lease that all servers share."""

from __future__ import annotations

import os
import socket
from datetime import datetime

from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import leases
from appliance.server.domain.presence import patience

NAME = "server"


@retried
def beat(db: Database, now: datetime) -> None:
    """Note that this server process takes requests."""
    holder = f"{socket.gethostname()[:150]}:{os.getpid()}"
    with db.write("presence") as session:
        leases.beat(session, NAME, holder, now, patience(db.rules))
