"""The durations and numbers that the rules work with: taken from the settings once, passed along with the database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Seconds, where not said otherwise."""

    run_lease: float = 90.0
    heartbeat_interval: float = 10.0
    cancel_grace: float = 10.0
    longest_wait: float = 600.0
    scheduled_runs_ahead: int = 10
