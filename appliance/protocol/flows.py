"""Messages for registering flows: metadata only, never code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from appliance.protocol.message import Answer, Message


class Registration(Message, kw_only=True):
    """What `flow.register` sends: metadata only."""

    project: str
    name: str
    content_hash: str  # hex SHA-256 of the canonical JSON of `document` and `storage`
    document: dict[str, Any]  # core.serialize.serialize(flow): tasks, edges, parameters, schedules, run_config, ...
    storage: dict[str, Any]  # {"type": "local", "path": ..., "flow": ..., "sha256": ...}
    labels: list[str] = []
    set_schedules_active: bool = True


class Registered(Answer, kw_only=True):
    flow_id: UUID
    version_id: UUID
    version: int
    created: bool  # False if the same content was already registered
    url: str  # path of the flow's page
