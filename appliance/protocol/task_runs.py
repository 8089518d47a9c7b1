"""Task runs, for scripts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.protocol.message import Answer
from appliance.protocol.states import StateType


class TaskRunView(Answer, kw_only=True):
    id: UUID
    task_slug: str
    map_index: int
    state: str
    state_type: StateType
    state_message: str
    run_count: int
    version: int
    start_time: datetime | None = None
    end_time: datetime | None = None
