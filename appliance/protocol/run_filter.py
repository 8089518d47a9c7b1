"""The one filter for flow runs: lists, bulk actions, the command line and the UI use its fields."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.protocol.message import Message


class RunFilter(Message, kw_only=True):
    """The runs that a list with these conditions shows. `states` are names or types of states; without them, runs that are
    scheduled for later are left out unless `include_future` says otherwise. Times are those at which runs are due."""

    states: list[str] = []
    flow_id: UUID | None = None
    flow: str | None = None
    project: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    include_future: bool = False

    @property
    def state_types(self) -> tuple[str, ...]:
        """Those of `states` that are types, such as FAILED."""
        return tuple(dict.fromkeys(state for state in self.states if state.isupper()))

    @property
    def state_names(self) -> tuple[str, ...]:
        """Those of `states` that are names, such as Crashed."""
        return tuple(dict.fromkeys(state for state in self.states if not state.isupper()))
