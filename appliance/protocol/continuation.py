"""Messages about how a run goes on: what a restart or a resume will run again, what it will reuse, and why."""

from __future__ import annotations

from typing import Literal

from appliance.protocol.message import Answer

MOST_LISTED = 200
"""How many tasks one list of a preview names; the counts include the others."""
MOST_INDEXES = 20
"""How many mapped children of a task a preview names by their index."""

Reason = Literal[
    "failed", "not_run", "chosen", "downstream", "waited", "always",
    "not_kept", "elsewhere",
    "stored", "not_needed", "nothing", "marked", "cached", "skipped",
]  # fmt: skip
"""Why a task runs in the next attempt (the first eight), or doesn't."""


class ContinuedTask(Answer, kw_only=True):
    """Some or all of the runs of one task for which the same is true."""

    slug: str
    name: str
    count: int  # task runs: of a mapped task, its children
    reason: Reason
    sentence: str  # the same for people, such as "it did not succeed"
    mapped: bool = False
    indexes: list[int] = []  # the first of the mapped children
    begun: bool = False  # it has begun before, so that it runs again


class Continuation(Answer, kw_only=True):
    """What happens if the run is restarted or resumed now, or, if it waits for its next attempt, what that will do."""

    verb: Literal["restart", "resume", "wait"]
    runs: list[ContinuedTask] = []
    reused: list[ContinuedTask] = []
    run_count: int = 0  # task runs in the next attempt, as far as they are known now; also of tasks that the lists omit
    again_count: int = 0  # those of them that have begun before
    reused_count: int = 0
    omitted: int = 0  # tasks that the lists omit
    place: str = ""  # which agents can go on with it, in a sentence; empty: any
    refusal: str = ""  # why it would be refused, in a sentence
