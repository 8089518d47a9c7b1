"""Messages about the life cycle of flows and projects: renaming, pausing, archiving and deleting them, and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from appliance.protocol.message import Answer, Message

MOST_COUNTED = 100_000
"""A preview counts up to here; more of a kind are as good as this number."""


class EditProject(Message, kw_only=True):
    """Omitted fields keep their values."""

    name: str | None = None
    paused: bool | None = None
    archived: bool | None = None
    reason: str = ""
    idempotency_key: str | None = None


class EditFlow(EditProject, kw_only=True):
    """Omitted fields keep their values."""


class DeleteTree(Message, kw_only=True):
    """Delete a flow or a project with everything that belongs to it. `cancel_runs`: also cancel its runs in progress first."""

    cancel_runs: bool = False
    reason: str = ""
    idempotency_key: str | None = None


class ProjectUsage(Answer, kw_only=True):
    """How much a project has stored of runs, logs and versions, and the most that it may; 0: no limit."""

    rows: int
    bytes: int
    most_rows: int
    most_bytes: int

    @property
    def is_full(self) -> bool:
        return 0 < self.most_rows <= self.rows or 0 < self.most_bytes <= self.bytes


class ProjectView(Answer, kw_only=True):
    """A namespace of flows. `flows` is the number of those that are not archived. Older servers send no
    `usage`."""

    id: UUID
    name: str
    description: str
    archived: bool
    created: datetime
    flows: int
    paused: bool = False
    usage: ProjectUsage | None = None


class DeletionPreview(Answer, kw_only=True):
    """What would be deleted. Numbers end at 100,000. `results` are stored where only runs and agents reach them: agents
    remove those in their folders later, and others stay."""

    project: str
    flow: str | None = None
    flows: int
    versions: int
    schedules: int
    runs: int
    live_runs: int
    task_runs: int
    logs: int
    results: int


class Change(Answer, kw_only=True):
    """One field that differs; `field` is empty if the item is a single value."""

    name: str
    field: str = ""
    before: Any = None
    after: Any = None


class PartComparison(Answer, kw_only=True):
    """What differs in one part of two versions: tasks, edges, secrets, parameters, labels, run_config, schedules, storage or reference_tasks."""

    part: str
    added: list[str] = []
    removed: list[str] = []
    changed: list[Change] = []


class VersionComparison(Answer, kw_only=True):
    """What differs from version `before` to version `after`. Parts that are the same are omitted."""

    flow_id: UUID
    before: int
    after: int
    parts: list[PartComparison]
