"""The policies of a schedule: what happens to due times that were missed, and to runs that overlap. Code may declare them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypedDict

from appliance.kit import options
from appliance.schedules.errors import ScheduleError

CATCH_UP = ("all", "latest", "none")
OVERLAP = ("allow", "queue", "skip", "cancel")
MOST_CAUGHT_UP = 10_000
LONGEST_WINDOW = 3_660 * 86_400.0
DEFAULTS: Mapping[str, Any] = {
    "overlap": "allow",
    "catch_up": "latest",
    "catch_up_cap": 100,
    "catch_up_window": None,
}
"""What applies where neither code nor a person says anything. A window is in seconds; None: however late."""


def require(values: Mapping[str, Any]) -> dict[str, Any]:
    """The policies in a document, those that it has. Raises ScheduleError."""
    policies = {name: values[name] for name in DEFAULTS if values.get(name) is not None}
    overlap, catch_up = policies.get("overlap", "allow"), policies.get("catch_up", "latest")
    cap, window = policies.get("catch_up_cap", 1), policies.get("catch_up_window", 1)
    if overlap not in OVERLAP:
        raise ScheduleError(f"The overlap policy must be one of {', '.join(OVERLAP)}, not {str(overlap)[:60]!r}.")
    if catch_up not in CATCH_UP:
        raise ScheduleError(f"The catch-up policy must be one of {', '.join(CATCH_UP)}, not {str(catch_up)[:60]!r}.")
    if isinstance(cap, bool) or not isinstance(cap, int) or not 1 <= cap <= MOST_CAUGHT_UP:
        raise ScheduleError(f"The catch-up cap must be a number from 1 to {MOST_CAUGHT_UP}.")
    if isinstance(window, bool) or not isinstance(window, int | float) or not 0 <= window <= LONGEST_WINDOW:
        raise ScheduleError("The catch-up window must be a number of seconds, at most ten years; 0 removes it.")
    return policies


class Policies(TypedDict, total=False):
    """What a clock or a schedule may declare. None, like leaving it out, leaves it to the server's operators."""

    overlap: str | None  # allow, queue, skip, cancel
    catch_up: str | None  # all, latest, none
    catch_up_cap: int | None
    catch_up_window: timedelta | None


def declared(policies: Policies) -> dict[str, Any]:
    """What an author has written, as fields of a document. Raises TypeError or ScheduleError."""
    window = options.require("catch_up_window", policies.get("catch_up_window"), timedelta, "a timedelta")
    if window is not None and window <= timedelta(0):
        raise ScheduleError("catch_up_window must be longer than 0; leave it out for no limit.")
    return require(
        {
            "overlap": options.text("overlap", policies.get("overlap")),
            "catch_up": options.text("catch_up", policies.get("catch_up")),
            "catch_up_cap": options.whole_number("catch_up_cap", policies.get("catch_up_cap"), 1),
            "catch_up_window": None if window is None else window.total_seconds(),
        }
    )
