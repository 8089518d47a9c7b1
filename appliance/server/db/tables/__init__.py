"""One table noun a file. Importing this package registers every table with `metadata`."""

from appliance.server.db.tables import (
    agents,
    events,
    flow_runs,
    flows,
    leases,
    logs,
    projects,
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
    "events",
    "flow_runs",
    "flows",
    "leases",
    "logs",
    "metadata",
    "projects",
    "schedules",
    "settings",
    "states",
    "task_runs",
    "tokens",
    "users",
]
