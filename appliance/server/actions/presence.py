"""Noting that a server takes requests, in a lease that all servers share."""

from __future__ import annotations

import os
import socket
from datetime import datetime

from appliance.server.actions import outages
from appliance.server.db.reads.outages import SERVER
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import leases
from appliance.server.domain.presence import patience

NAME = SERVER


@retried
def beat(db: Database, now: datetime) -> None:
    """Note that this server process takes requests, and the outage that ends with it."""
    holder = f"{socket.gethostname()[:150]}:{os.getpid()}"
    with db.write("presence") as session:
        outages.note_return(session, now)
        leases.beat(session, NAME, holder, now, patience(db.rules))
