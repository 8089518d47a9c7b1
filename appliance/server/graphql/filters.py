"""Converts the filters of queries and bulk mutations to the filters of the reads, within limits."""

from __future__ import annotations

from typing import get_args

from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import StateType
from appliance.server.errors import Invalid
from appliance.server.graphql.types.inputs import FlowRunFilter

_MOST_NAMES = 50
_LONGEST_TEXT = 200


def run_filter(input: FlowRunFilter) -> RunFilter:
    """The filter for runs. Raises Invalid."""
    names = input.state_names or []
    if len(names) > _MOST_NAMES:
        raise Invalid(f"There are too many state names; use at most {_MOST_NAMES}.")
    return RunFilter(
        states=[*state_types(input.state_types), *names],
        flow_id=input.flow_id,
        flow=input.flow,
        project=input.project,
        name=input.name,
        text=search_text(input.text),
        since=input.since,
        until=input.until,
        include_future=bool(input.include_future),
    )


def state_types(names: list[str] | None) -> tuple[str, ...]:
    """State types without duplicates. Raises Invalid."""
    types = get_args(StateType)
    for name in names or ():
        if name not in types:
            raise Invalid(f"There is no state type {name[:40]!r}; use one of {', '.join(types)}.")
    return tuple(dict.fromkeys(names or ()))


def search_text(text: str | None) -> str | None:
    """The text to search for. Raises Invalid if it is too long."""
    if text is not None and len(text) > _LONGEST_TEXT:
        raise Invalid(f"The search text is too long; use at most {_LONGEST_TEXT} characters.")
    return text
