"""The one filter for flow runs, whose fields lists, bulk actions, the command line, and the UI share, and the orders of a list."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from appliance.protocol.message import Message

RunSort = Literal["-scheduled_time", "scheduled_time", "-start_time", "start_time", "-end_time", "end_time"]
"""The time that a list is sorted by; with a minus, the newest comes first. A run without this time is not in the list."""
RUN_SORTS: tuple[RunSort, ...] = get_args(RunSort)
NEWEST_FIRST: RunSort = "-scheduled_time"
ListOrder = RunSort | Literal["waiting"]
"""The order of a list: by a time, or of runs that have not started: the latest first, then those paused, then those planned."""
LIST_ORDERS: tuple[ListOrder, ...] = (*RUN_SORTS, "waiting")


class RunFilter(Message, kw_only=True):
    """Conditions that select flow runs. `states` are state names or types; without them, runs that are not due yet are excluded
    unless `include_future` is set. `flow` is a flow's name or project/flow, and `name` the whole name of runs. `since` (inclusive) and
    `until` (exclusive) refer to due times. A run must have all `labels` and these values of `parameters`. It took more than
    `longer_than` seconds from its start to its end, or to now, and less than `shorter_than`. Tasks of the run `parent` have started it.
    `q` is all of that as one text; then only `flow_id` and types in `states` narrow it further."""

    q: str | None = None
    states: list[str] = []
    flow_id: UUID | None = None
    flow: str | None = None
    project: str | None = None
    name: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    labels: list[str] = []
    parameters: dict[str, Any] = {}
    longer_than: float | None = None
    shorter_than: float | None = None
    parent: UUID | None = None
    include_future: bool = False

    @property
    def state_types(self) -> tuple[str, ...]:
        """The state types among `states`, such as FAILED."""
        return tuple(dict.fromkeys(state for state in self.states if state.isupper()))

    @property
    def state_names(self) -> tuple[str, ...]:
        """The state names among `states`, such as Crashed."""
        return tuple(dict.fromkeys(state for state in self.states if not state.isupper()))
