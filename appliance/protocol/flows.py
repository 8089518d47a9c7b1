"""Messages for registering flows: metadata only, never code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from appliance.protocol.message import Answer, Message
from appliance.protocol.schedules import ScheduleNews


class Registration(Message, kw_only=True):
    """What `flow.register` sends: metadata only."""

    project: str
    name: str
    content_hash: (
        str  # hex SHA-256 of the canonical JSON of `document` and `storage`; finds what earlier releases stored
    )
    document: dict[str, Any]  # core.serialize.serialize(flow): tasks, edges, parameters, schedules, run_config, ...
    storage: dict[str, Any]  # {"type": "local", "path": ..., "flow": ..., "sha256": ...}
    labels: list[str] = []
    set_schedules_active: bool = True
    host: str = ""  # the host that has the code; empty: it can be had elsewhere, too
    as_new: bool = False  # make a new flow, even if one was renamed from this name


class RegistrationPreview(Answer, kw_only=True):
    """What registering would do, of which nothing was kept. `closed_folder`: no agent takes code from there yet, as `closed` says."""

    flow_id: UUID | None  # None: the flow would be new
    version: int
    created: bool
    restores: int | None = None
    changes: list[str] = []
    schedules: list[ScheduleNews] = []
    closed: str = ""
    closed_folder: str = ""
    warnings: list[str] = []


class RollBack(Message, kw_only=True):
    """Make a copy of version `to` the newest one. With `newest`, the number of the version that the caller has seen as the newest, it is
    refused if there is a newer one by now."""

    to: int
    newest: int | None = None
    reason: str = ""
    idempotency_key: str | None = None


class SetRunTimeout(Message, kw_only=True):
    """How many seconds a run of the flow may take. 0: as long as it needs; null: what the code says, or else the site's setting."""

    seconds: float | None
    idempotency_key: str | None = None


class SetFlowDefaults(Message, kw_only=True):
    """What new runs of the flow have beside what its code says; all of it is replaced, so that an omitted field is no default any more. `labels`:
    null is those of the code. A variable of the run config whose value is "(not shown)" keeps the value that it has."""

    parameters: dict[str, Any] = {}
    labels: list[str] | None = None
    run_config: dict[str, Any] = {}
    reason: str = ""
    idempotency_key: str | None = None


class FlowDefaults(Answer, kw_only=True):
    """The same as it is now, without the values of variables."""

    parameters: dict[str, Any] = {}
    labels: list[str] | None = None
    run_config: dict[str, Any] = {}


class Registered(Answer, kw_only=True):
    flow_id: UUID
    version_id: UUID
    version: int
    created: bool  # whether this is a new version; False if the newest has the same content
    url: str  # path of the flow's page
    restores: int | None = None  # the older version whose content a new one has again
    changes: list[str] = []  # what differs from the version before, one phrase each: "the code", "label gpu added"
    schedules: list[ScheduleNews] = []  # those of the code that were changed, edited or paused
    warnings: list[str] = []  # what its runs will wait for, or fail for, as things are now

    def __str__(self) -> str:
        """What happened, in words."""
        schedules = "".join(f"\n  {schedule.text}" for schedule in self.schedules)
        schedules += "".join(f"\n  Warning: {warning}" for warning in self.warnings)
        if not self.created:
            return f"unchanged, version {self.version}{schedules}"
        restores = "" if self.restores is None else f", restores version {self.restores}"
        changes = f" ({'; '.join(self.changes)})" if self.changes else ""
        return f"registered as version {self.version}{restores}{changes}{schedules}"
