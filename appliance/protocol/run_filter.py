"""The one filter for flow runs, whose fields lists, bulk actions, the command line, and the UI share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.protocol.message import Message


class RunFilter(Message, kw_only=True):
    """Conditions that select flow runs. `states` are state names or types; without them, runs that are not due yet are excluded
    unless `include_future` is set. `name` is a run's whole name, `text` a part of its name or its flow's. `since` (inclusive) and
    `until` (exclusive) refer to due times."""

    states: list[str] = []
    flow_id: UUID | None = None
    flow: str | None = None
    project: str | None = None
    name: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    include_future: bool = False

    @property
    def state_types(self) -> tuple[str, ...]:
        """The state types among `states`, such as FAILED."""
        return tuple(dict.fromkeys(state for state in self.states if state.isupper()))

    @property
    def state_names(self) -> tuple[str, ...]:
        """The state names among `states`, such as Crashed."""
        return tuple(dict.fromkeys(state for state in self.states if not state.isupper()))
