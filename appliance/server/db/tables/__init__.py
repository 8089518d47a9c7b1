"""One table noun a file. Importing this package registers every table with `metadata`."""

from appliance.server.db.tables import (
    agents,
    concurrency,
    events,
    flow_runs,
    flows,
    jobs,
    leases,
    logs,
    projects,
    rollups,
    schedule_skips,
    schedules,
    settings,
    states,
    task_runs,
    tokens,
    users,
)
from appliance.server.db.tables.columns import metadata

__all__ = [
    "agents",
    "concurrency",
    "events",
    "flow_runs",
    "flows",
    "jobs",
    "leases",
    "logs",
    "metadata",
    "projects",
    "rollups",
    "schedule_skips",
    "schedules",
    "settings",
    "states",
    "task_runs",
    "tokens",
    "users",
]
