"""The agent protocol: enrol, claim work, and report what happened to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from appliance.protocol.logs import Level
from appliance.protocol.message import Answer, FreeText, Message

MAX_WAIT = 15.0
"""The longest that one claim may wait for work, in seconds: short enough for a client to take silence for what it is within half a minute."""
MOST_RUNS_ASKED = 1_000
"""About how many runs one request can ask whether they were deleted."""


class Provided(msgspec.Struct, kw_only=True):
    """What an agent can give runs that ask for it in their run configs. A server of an earlier release ignores the fields that it does not know."""

    users: list[str] = []  # the accounts as which it starts runs
    pythons: list[
        str
    ] = []  # what `python` may be there: versions such as 3.12, and paths; empty: it makes no environments
    limits: dict[str, int] = {}  # the most that each of `limits` may be there; one that is not here is not bounded
    results_key_ids: list[str] = []  # which keys open results there: the one that seals them, and older ones
    quarantined_until: datetime | None = None  # it takes no runs before, because starts have failed there in a row


class Enrol(Message, kw_only=True):
    name: str
    type: Literal["process", "docker", "kubernetes"]
    labels: list[str] = []
    projects: list[str] = []  # those whose runs it takes; empty: all
    capacity: int = 8
    version: str = ""
    host: str = ""
    roots: list[str] | None = None  # the folders from which it takes code; null: it doesn't say
    closed: list[str] = []  # folders in them from which it takes none, unless a root lies in there, too
    env_names: list[str] | None = (
        None  # patterns of the environment variables that registrations may set; null: it doesn't say
    )
    storages: list[str] | None = None  # types of those from which it takes code; null: it is of an earlier release
    problems: list[FreeText] = []  # what it found wrong when it started, one sentence each
    results_url: str | None = None  # where its runs store results by default; empty: nowhere; null: it doesn't say
    results_id: str = ""  # what is written in that place, if it is a folder: the same for all hosts that share it
    results_key_id: str = ""  # which key seals results that the server keeps; empty: they are not sealed
    provided: Provided | None = None  # null: it doesn't say
    after: int | None = (
        None  # the revision of the agent's enrolment that this one replaces; 0: there is none; null: any
    )


class Enrolled(Answer, kw_only=True):
    agent_id: UUID
    revision: int = 0  # the number of this enrolment; 0: a server of an earlier release doesn't say
    heartbeat_interval: float
    cancel_grace: float


class Held(msgspec.Struct, kw_only=True):
    flow_run_id: UUID
    attempt: int


class Claim(Message, kw_only=True):
    """Ask for up to `free_slots` runs, and wait up to `wait_s` seconds for one to become due. `holding` lists the attempts that
    this agent is running; the answer says which of them to stop."""

    free_slots: int
    wait_s: float = 0.0
    labels: list[str] | None = None
    holding: list[Held] = []


class Work(Answer, kw_only=True):
    """One claimed attempt, with everything needed to start it."""

    flow_run_id: UUID
    attempt: int
    run_token: str
    name: str
    flow: str
    project: str
    storage: dict[str, Any]
    run_config: dict[str, Any]
    project_id: UUID | None = None  # null: a server of an earlier release, which keeps no results


class Stop(Answer, kw_only=True):
    """Stop an attempt, because it was cancelled or because another attempt has replaced it."""

    flow_run_id: UUID
    attempt: int
    reason: str


class Claimed(Answer, kw_only=True):
    work: list[Work] = []
    stop: list[Stop] = []
    at: datetime | None = None  # when the server answered, by its clock; null: a server of an earlier release


class Exited(msgspec.Struct, kw_only=True):
    """A run's process has ended. `code` is its exit code; if a signal ended it, `code` is None and `signal` is set. A server of an earlier release
    ignores the fields that it does not know."""

    flow_run_id: UUID
    attempt: int
    code: int | None = None
    signal: FreeText | None = None
    reason: FreeText = ""  # one sentence, e.g. "The process could not be started: ..."
    tail: list[FreeText] = []  # the last lines of its output
    cpu_seconds: float | None = None  # of all its processes; null: not known, or the agent is of an earlier release
    peak_memory: int | None = None  # in bytes


class InfrastructureLog(msgspec.Struct, kw_only=True):
    flow_run_id: UUID
    attempt: int
    at: datetime
    level: Level
    message: FreeText


class AgentReport(Message, kw_only=True):
    started: list[Held] = []
    exited: list[Exited] = []
    logs: list[InfrastructureLog] = []


class CodeGone(Message, kw_only=True):
    """The agent can't obtain the code of an attempt that it was given and has not started, or lacks something else that the run config asks for,
    which a person can change. `reason` is a sentence."""

    flow_run_id: UUID
    attempt: int
    reason: FreeText
    is_code: bool = True


class TakenBack(Answer, kw_only=True):
    """Whether the attempt is no longer this agent's. If it still is, the agent starts it."""

    taken_back: bool


class WereDeleted(Message, kw_only=True):
    """Ask which of these runs, of which the agent's host keeps results, were deleted."""

    flow_run_ids: list[UUID]


class Deleted(Answer, kw_only=True):
    """Those of the runs that this server knows to have been deleted within the last month. Of others, it says nothing."""

    flow_run_ids: list[UUID] = []


class AgentReported(Answer, kw_only=True):
    stale: list[Held] = []  # attempts that are no longer this agent's
