"""Rules of automations: which event a change is, what a message says of it, how often an automation acts, and when a delivery is tried again."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from appliance.protocol.automations import EVENTS
from appliance.protocol.run_filter import RunFilter
from appliance.server.domain.run_query import RunQuery
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import CANCELLED, FAILED, SUCCESS
from appliance.server.errors import Invalid

RUN, SCHEDULE, AGENT, APPLIANCE = "run", "schedule", "agent", "appliance"
KEPT = timedelta(hours=24)
"""So long a delivery is tried again."""
LONGEST_TEXT = 2_000
LONGEST_ANSWER = 4_096
"""Characters that are kept of what a receiver answers."""
FIELDS = (
    "automation", "event", "at", "project", "flow", "flow_id", "run", "run_id", "state", "message", "agent", "agent_id", "schedule_id",
    "skipped", "url", "suppressed", "reason",
)  # fmt: skip
"""What a text may name in braces. A field that an event doesn't have is empty."""
_FIRST_DELAY, _LONGEST_DELAY = 5.0, 240.0
_FIELD = re.compile(r"\{([^{}]*)\}")
_STATE_NAMES = {"Crashed": "run.crashed", "TimedOut": "run.timed_out", "Late": "run.late"}
_STATE_TYPES = {FAILED: "run.failed", CANCELLED: "run.cancelled", SUCCESS: "run.succeeded"}
_KINDS = {
    "agent.lost": "agent.lost", "agent.returned": "agent.returned", "schedule.missed": "schedule.skipped",
    "disk.low": "appliance.disk_low", "disk.recovered": "appliance.disk_recovered", "database.damaged": "appliance.damaged",
}  # fmt: skip
_NO_AGENT = ("no_agent", "no_kind", "no_storage", "no_label", "no_user", "no_python", "no_results")
LATE_FOR = {"limit": "run.no_slot"} | dict.fromkeys(_NO_AGENT, "run.no_agent")
"""What being late is besides, by the code of why the run waits."""
CHANGES = ("flow_run.state", *_KINDS)
"""The kinds of changes that can be an event for automations."""
_USUAL = {
    "run.failed": "{project}/{flow}: run {run} failed: {message}",
    "run.crashed": "{project}/{flow}: run {run} crashed: {message}",
    "run.timed_out": "{project}/{flow}: run {run} timed out: {message}",
    "run.cancelled": "{project}/{flow}: run {run} was cancelled: {message}",
    "run.succeeded": "{project}/{flow}: run {run} succeeded.",
    "run.crash_loop": "{project}/{flow}: run {run} crashed: {message} {reason}",
    "run.late": "{project}/{flow}: run {run} is late: {message} {reason}",
    "run.no_slot": "{project}/{flow}: run {run} waits for a slot: {message} {reason}",
    "run.no_agent": "{project}/{flow}: run {run} waits for an agent: {message} {reason}",
    "schedule.skipped": "{project}/{flow}: a schedule skipped due times: {skipped}",
    "agent.lost": "The agent {agent} is lost: {message}",
    "agent.returned": "The agent {agent} is back.",
    "appliance.disk_low": "Disk space is low: {message}",
    "appliance.disk_recovered": "There is enough disk space again.",
    "appliance.damaged": "The database is damaged: {message}",
}


def events_of(kind: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """The events that a change is, the most particular first. A run that was skipped has not succeeded at anything."""
    if kind != "flow_run.state":
        return (_KINDS[kind],) if kind in _KINDS else ()
    name = data.get("name", "")
    event = None if name == "Skipped" else _STATE_NAMES.get(name) or _STATE_TYPES.get(data.get("type", ""))
    return tuple(one for one in (data.get("also"), event) if one)


def subject_of(events: Collection[str]) -> str:
    """What the events happen to, which is one kind of thing. Raises Invalid."""
    unknown = next((event for event in events if event not in EVENTS), None)
    if unknown is not None:
        raise Invalid(f"There is no event {unknown[:80]!r}; the events are {', '.join(EVENTS)}.")
    subjects = {event.partition(".")[0] for event in events}
    if len(subjects) != 1:
        raise Invalid(
            "An automation needs one event or several about the same kind of thing: runs, schedules, agents, or the appliance."
        )
    return subjects.pop()


def check_query(subject: str, query: RunFilter) -> None:
    """Raise Invalid for conditions that say nothing of this kind of thing."""
    given = query if isinstance(query, RunQuery) else RunQuery()
    if subject == AGENT and given != RunQuery(agent=given.agent, labels=given.labels):
        raise Invalid("Events of agents can be narrowed by agent: and label: alone.")
    if subject == APPLIANCE and given != RunQuery():
        raise Invalid("Events of the appliance itself can't be narrowed.")
    if subject == SCHEDULE and given != RunQuery(flow=given.flow, flow_id=given.flow_id, project=given.project):
        raise Invalid("Events of schedules can be narrowed by flow: and project: alone.")


def check_text(text: str) -> None:
    """Raise Invalid for a text that names a field that no message has."""
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"The text is too long; use at most {LONGEST_TEXT} characters.")
    for name in _FIELD.findall(text):
        if name not in FIELDS:
            raise Invalid(f"There is no field {{{name[:80]}}}; the fields are {', '.join(FIELDS)}.")


def text_of(message: Mapping[str, Any], text: str = "") -> str:
    """The text of a message: the given one or the usual sentence, with its fields filled in."""
    template = text or _USUAL[message["event"]]
    filled = _FIELD.sub(lambda match: str(message.get(match[1], "")), template)
    if not text and message.get("suppressed"):
        filled += f" ({message['suppressed']} more since the last message.)"
    return clean(filled.strip().removesuffix(":"), LONGEST_TEXT)


def in_words(seconds: float) -> str:
    """A length of time, such as hour or 15 minutes."""
    for length, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length and seconds % length == 0:
            return word if seconds == length else f"{seconds / length:.0f} {word}s"
    return f"{seconds:g} s"


def delay(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: longer each time, so that a receiver that is down is not flooded when it is back."""
    seconds = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(attempts - 1, 10))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.0))  # noqa: S311 - to spread them


def allowed(times: Sequence[datetime], at: datetime, at_most: int, per: float) -> bool:
    """Whether an automation that has acted at these times may act again."""
    return at_most == 0 or sum(at - time < timedelta(seconds=per) for time in times) < at_most
