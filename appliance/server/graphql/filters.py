"""Converts the filters of queries and bulk mutations to the filters of the reads, within limits."""

from __future__ import annotations

from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import STATE_TYPES
from appliance.server.db.reads.run_filter_names import unknown
from appliance.server.errors import Invalid
from appliance.server.graphql.scalars import json_object
from appliance.server.graphql.types.inputs import FlowRunFilter

_LONGEST_TEXT = 200


def run_filter(input: FlowRunFilter) -> RunFilter:
    """The filter for runs. Raises Invalid."""
    return RunFilter(
        q=input.q,
        states=[*state_types(input.state_types), *(input.state_names or ())],
        flow_id=input.flow_id,
        flow=input.flow,
        project=input.project,
        name=input.name,
        text=input.text,
        since=input.since,
        until=input.until,
        labels=input.labels or [],
        parameters=json_object(input.parameters, "parameters"),
        longer_than=input.longer_than,
        shorter_than=input.shorter_than,
        parent=input.parent,
        include_future=bool(input.include_future),
    )


def state_types(names: list[str] | None) -> tuple[str, ...]:
    """State types without duplicates. Raises UnknownName."""
    for name in names or ():
        if name not in STATE_TYPES:
            raise unknown("state", name, STATE_TYPES, "use one of the types")
    return tuple(dict.fromkeys(names or ()))


def search_text(text: str | None) -> str | None:
    """The text to search for. Raises Invalid if it is too long."""
    if text is not None and len(text) > _LONGEST_TEXT:
        raise Invalid(f"The search text is too long; use at most {_LONGEST_TEXT} characters.")
    return text
