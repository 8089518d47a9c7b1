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
    start_deadline: float = 1_800.0
    """By then a run that an agent has taken has begun, or it is given to another."""
    run_timeout: float = 0.0
    """By then a run has ended, unless its flow says otherwise; 0: no run has such a deadline."""
    late_after: float = 60.0
    """0: no run is called Late."""
    session_idle_hours: float = 24.0
    """A browser's session that was not used for so long has ended; 0: it only ends at its time."""
    token_days: float = 90.0
    """After so many days a token ends, unless its creator says otherwise; 0: never."""
    longest_token_days: float = 400.0
    """No token lasts longer; 0: no limit."""
    development: bool = False
    """Whether any password will do."""
    flow_tasks: int = 5_000
    """Tasks of a flow; its mapped children don't count."""
    run_log_bytes_per_minute: int = 64 * 1024**2
    """0: no limit."""
    mapped_children: int = 250_000
    task_run_states: int = 10_000
    flow_run_states: int = 10_000
    run_report_bytes: int = 1024**3
    """Of states; 0: no limit."""
    project_open_runs: int = 100_000
    """0: no limit."""
    project_rows: int = 200_000_000
    """Of runs, task runs, states, log lines and versions; 0: no limit."""
    project_bytes: int = 200 * 1024**3
    """Of the same; 0: no limit."""
    project_secrets: int = 1_000
    """0: no limit."""
    bundles: bool = True
    """Whether the server keeps code for agents."""
    bundle_bytes: int = 20 * 1024**2
    results_door: bool = True
    """Whether the server takes results of runs."""
    results_door_object_bytes: int = 8 * 1024**2
    results_door_run_bytes: int = 1024**3
    """0: no limit."""
    run_artifacts: int = 1_000
    """0: runs make none."""
    artifact_bytes: int = 10 * 1024**2
    run_artifacts_bytes: int = 256 * 1024**2
    """0: no limit."""
    retention_runs_days: float = 90
    """So long shared results stay that no cache gives a time; 0: forever."""

    @property
    def stop_deadline(self) -> float:
        """By then a run that was asked to stop has ended: the grace between the two signals, and a lease for the word of it."""
        return self.cancel_grace + self.run_lease
