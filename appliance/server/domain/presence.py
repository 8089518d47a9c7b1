"""Whether a server was there for runs and agents to talk to: no run is judged silent while nobody could hear it."""

from __future__ import annotations

from datetime import timedelta

from appliance.server.domain.rules import Rules

_LONGEST_INTERVAL = 10.0


def interval(rules: Rules) -> float:
    """Seconds between two beats: a ninth of a run's lease, so that an outage that goes unnoticed leaves two thirds of it."""
    return min(_LONGEST_INTERVAL, rules.run_lease / 9)


def patience(rules: Rules) -> timedelta:
    """After this long without a beat, no server was there."""
    return timedelta(seconds=3 * interval(rules))
