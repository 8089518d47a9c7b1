"""What a newly registered version means for runs that have not begun: whether they can move to it, and what their state says."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.kit.documents import JsonDocument, Parameters
from appliance.server.domain.transitions import FIRST, PAUSED, PENDING

WAITS_FOR_CODE: JsonDocument = {"waits_for": "code"}
"""The data of a paused state: the run goes on when a version is registered, or when someone resumes it."""


def may_follow(state_type: str, attempt: int) -> bool:
    """Whether a run has not begun and no agent has it, so that it may get another version."""
    return attempt == 0 and state_type in (FIRST.type, PAUSED)


def may_look_again(state_type: str) -> bool:
    """Whether a run that waited for its code when it was read still does."""
    return state_type == PAUSED


def may_take_back(state_type: str) -> bool:
    """Whether an agent that has a run has not started it, and nobody has asked it to stop."""
    return state_type == PENDING


def waits_for_code(state_data: JsonDocument | None) -> bool:
    return state_data is not None and state_data.get("waits_for") == "code"


def carried_over(values: Parameters, before: Sequence[JsonDocument], after: Sequence[JsonDocument]) -> Parameters:
    """The values of a run for another version, without parameters that it no longer has and that were left at their defaults."""
    known = {item["name"] for item in after}
    defaults = {item["name"]: item.get("default") for item in before if not item.get("required")}
    return {
        name: value
        for name, value in values.items()
        if name in known or name not in defaults or defaults[name] != value
    }


def moved(before: int, after: int, reason: str = "") -> str:
    why = (
        f"; the code of version {before} can't be obtained any more: {reason}" if reason else ", which was registered."
    )
    return f"Moved from version {before} to version {after}{why}"


def lacking(reason: str) -> str:
    return f"{reason} Resume the run when that has changed, or cancel it."


def stays(before: int, after: int, reason: str, problem: str, *, has_begun: bool) -> str:
    """`problem`: why a run that has not begun can't move to the newest version, `after`."""
    if before == after and not has_begun:
        return f"{reason} Register it again and the run continues, or cancel the run."
    if has_begun:
        ways = (
            "Register that code again and the run continues, or cancel the run and restart it with the newest version."
        )
        return (
            f"The code of version {before}, with which the run has begun, can't be obtained any more: {reason} {ways}"
        )
    ways = "Register that code again, or a version that takes them, and the run continues; or cancel the run and create a new one."
    return (
        f"The code of version {before} can't be obtained any more: {reason} "
        f"The run's parameters don't fit version {after}: {problem} {ways}"
    )
