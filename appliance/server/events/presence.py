"""Whether a server is there for runs and agents to talk to. The repair services judge nobody silent whom nobody could hear."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import leases
from appliance.server.domain.rules import Rules

NAME = "server"
_LONGEST_INTERVAL = 10.0


def interval(rules: Rules) -> float:
    """Seconds between two beats: a ninth of a run's lease, so that of an outage that goes unnoticed two thirds of it are left."""
    return min(_LONGEST_INTERVAL, rules.run_lease / 9)


def patience(rules: Rules) -> timedelta:
    """After so long without a beat, no server was there."""
    return timedelta(seconds=3 * interval(rules))


@retried
def beat(db: Database, now: datetime) -> None:
    """Note that this server process takes requests."""
    holder = f"{socket.gethostname()[:150]}:{os.getpid()}"
    with db.write("presence") as session:
        leases.beat(session, NAME, holder, now, patience(db.rules))
