"""Rules of automations that change something: what each needs, what it would do in words, and how long a chain of them may be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from msgspec import structs

from appliance.kit.documents import JsonDocument
from appliance.protocol.automations import ACTS, Action
from appliance.protocol.limits import MOST_SLOTS
from appliance.server.domain.automations import FIELDS, RUN, SCHEDULE, subject_of
from appliance.server.errors import Invalid

LONGEST_CHAIN = 5
"""So many automations in a row may have led to what another one acts on: none goes round in circles forever."""
ACTED_WITHIN = timedelta(hours=1)
"""What happened longer ago is not acted on any more: people have dealt with it, or rely on its being as it is."""
CHAIN_ENDS = f"{LONGEST_CHAIN} automations in a row have led to this; the chain ends here."
TOO_LATE = "It happened more than an hour before the automation could act."
_CONTEXT = "automation_chain"
_ENDED = frozenset({"run.failed", "run.crashed", "run.timed_out", "run.cancelled", "run.crash_loop"})
_WAITING = frozenset({"run.late", "run.no_slot", "run.no_agent"})
_TEMPLATE = re.compile(r"\{([a-z_]+)\}")
_VERBS = {
    "restart": ("restart", "restarted", "run {run} of {project}/{flow}"),
    "cancel": ("cancel", "cancelled", "run {run} of {project}/{flow}"),
    "pause_schedule": ("pause", "paused", "the schedule of {project}/{flow}"),
    "pause_flow": ("pause", "paused", "flow {project}/{flow}"),
    "start": ("start", "started", "a run of "),
    "set_limit": ("set", "set", "the limit of tag "),
}
"""Each action before and after it is done, and to what it is done."""


class StoredAction(Action, kw_only=True):
    """An action as it is stored: with the user with whose rights it changes something."""

    owner: UUID | None = None


def acts(action: Action) -> bool:
    """Whether it changes something here, rather than send a message."""
    return action.kind in ACTS


def check(action: Action, events: Collection[str]) -> None:
    """Raise Invalid for an action that can't be carried out on these events."""
    subject, kind = subject_of(events), action.kind
    only(action, *{"start": ("flow", "parameters", "labels", "run_name"), "set_limit": ("tag", "slots")}.get(kind, ()))
    if kind in ("restart", "cancel"):
        fit = _ENDED if kind == "restart" else _WAITING
        if not fit.issuperset(events):
            raise Invalid(f"The action {kind} works only on these events: {', '.join(sorted(fit))}.")
    if kind in ("pause_schedule", "pause_flow") and subject not in (RUN, SCHEDULE):
        raise Invalid(f"An automation can {ACTS[kind]} on events of runs and schedules alone.")
    if kind == "start":
        if not all(action.flow.partition("/")):
            raise Invalid("Name the flow to start as project/NAME, as in default/repair.")
        for text in _texts([action.parameters, action.run_name]):
            for name in _TEMPLATE.findall(text):
                if name not in FIELDS:
                    raise Invalid(f"There is no field {{{name[:80]}}}; the fields are {', '.join(FIELDS)}.")
    if kind == "set_limit" and (not action.tag.strip() or action.slots is None or not 0 <= action.slots <= MOST_SLOTS):
        raise Invalid(f"Name the task tag of the limit, and its slots, from 0 to {MOST_SLOTS}.")


def only(action: Action, *fields: str) -> None:
    """Raise Invalid for an action that has other fields than these, its kind and its text."""
    empty = Action(kind=action.kind)
    for field in structs.fields(Action):
        if field.name not in ("kind", "text", *fields) and getattr(action, field.name) != getattr(empty, field.name):
            raise Invalid(f"The action {action.kind} has no {field.name}; leave it out.")


def target(action: Action) -> str:
    """What the sentence of an automation says beside the action."""
    if action.kind == "start":
        return f" of {action.flow}"
    return f" of tag {action.tag} to {action.slots}" if action.kind == "set_limit" else ""


def would(action: Action, message: Mapping[str, Any]) -> str:
    """What it would do about an event, as in: It would restart run calm-otter of demo/etl."""
    return f"It would {_VERBS[action.kind][0]} {_object(action, message)}."


def did(action: Action, message: Mapping[str, Any]) -> str:
    """The same once it is done."""
    return f"It {_VERBS[action.kind][1]} {_object(action, message)}."


def _object(action: Action, message: Mapping[str, Any]) -> str:
    what = filled(_VERBS[action.kind][2], message)
    if action.kind == "set_limit":
        return f"{what}{action.tag} to {action.slots}"
    if action.kind != "start":
        return what
    values = [f"{name}={value}" for name, value in parameters_of(action, message).items()]
    return f"{what}{action.flow}" + (f" with {', '.join(values)[:500]}" if values else "")


def parameters_of(action: Action, message: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the run that it starts, with fields filled in in every text, and in nothing else."""
    return cast(dict[str, Any], _filled_in(action.parameters, message))


def filled(text: str, message: Mapping[str, Any]) -> str:
    """The text with the message's fields in place of their names in braces. Other braces stay."""
    return _TEMPLATE.sub(lambda match: str(message.get(match[1], "")) if match[1] in FIELDS else match[0], text)


def context_of(chain: int) -> JsonDocument:
    """What the context of a run says of the automations that have led to it."""
    return {_CONTEXT: chain} if chain else {}


def chain_in(context: Mapping[str, Any]) -> int:
    """How many automations in a row have led to a run."""
    chain = context.get(_CONTEXT, 0)
    return chain if isinstance(chain, int) else 0


def _filled_in(value: Any, message: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return filled(value, message)
    if isinstance(value, dict):
        return {name: _filled_in(item, message) for name, item in value.items()}
    return [_filled_in(item, message) for item in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)
