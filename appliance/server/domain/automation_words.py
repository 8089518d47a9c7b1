"""An automation in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.protocol.automations import EVENTS, KINDS, SUBJECTS, Action
from appliance.server.domain import automation_acts
from appliance.server.domain.automations import in_words, subject_of


def sentence(
    events: Sequence[str], q: str, action: Action, at_most: int, per: float, known: bool, maintenance: bool
) -> str:
    """The automation in one sentence."""
    matching = f" that matches {q}" if q else ""
    happens = " or ".join(EVENTS[event] for event in events)
    parts = [f"When {SUBJECTS[subject_of(events)]}{matching} {happens}", f"{KINDS[action.kind]}{_target(action)}"]
    if at_most:
        parts.append(f"at most {at_most} per {in_words(per)}")
    unless = [word for word, holds in (("the failure is known", known), ("there is maintenance", maintenance)) if holds]
    if unless:
        parts.append(f"unless {' or '.join(unless)}")
    return ", ".join(parts) + "."


def _target(action: Action) -> str:
    return f" to {', '.join(action.to)}" if action.to else automation_acts.target(action)
