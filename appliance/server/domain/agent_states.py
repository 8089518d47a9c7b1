"""The state of an agent, as it is stored: what it has said, and what people have decided about it. See waiting.agent_health for what they see."""

from __future__ import annotations

from collections.abc import Mapping

ONLINE, DRAINING = "online", "draining"
SIGNED_OFF = "signed_off"
"""It has stopped, and has said so."""
SIGNED_OFF_DRAINING = "signed_off_draining"
"""It has stopped while it was draining, and goes on draining when it comes back."""
FORGOTTEN = "forgotten"
"""Nobody wants to see it any more. Its runs still say that they were its."""

GONE = frozenset({SIGNED_OFF, SIGNED_OFF_DRAINING, FORGOTTEN})
"""An agent in one of these has to enrol before it gets anything."""

Moves = Mapping[str, str]
"""From states to states; from any other, there is nothing to do."""
ENROLS: Moves = {SIGNED_OFF: ONLINE, SIGNED_OFF_DRAINING: DRAINING, FORGOTTEN: ONLINE}
SIGNS_OFF: Moves = {ONLINE: SIGNED_OFF, DRAINING: SIGNED_OFF_DRAINING}
DRAINS: Moves = {ONLINE: DRAINING, SIGNED_OFF: SIGNED_OFF_DRAINING}
RESUMES: Moves = {DRAINING: ONLINE, SIGNED_OFF_DRAINING: SIGNED_OFF}


def is_draining(state: str) -> bool:
    """Whether the agent gets no runs until somebody resumes it, be it online or not."""
    return state in (DRAINING, SIGNED_OFF_DRAINING)
