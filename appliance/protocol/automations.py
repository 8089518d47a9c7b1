"""Messages about automations: when something happens, a message goes out, or something is done."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from appliance.protocol.message import Answer, Message

EVENTS = {
    "run.failed": "fails",
    "run.crashed": "crashes",
    "run.timed_out": "times out",
    "run.cancelled": "is cancelled",
    "run.succeeded": "succeeds",
    "run.crash_loop": "crashes for the third time in a row",
    "run.late": "is late",
    "run.no_slot": "is late because it waits for a slot",
    "run.no_agent": "is late because no agent takes it",
    "schedule.skipped": "skips due times",
    "agent.lost": "is lost",
    "agent.returned": "is back",
    "appliance.disk_low": "runs low on disk space",
    "appliance.disk_recovered": "has enough disk space again",
    "appliance.damaged": "finds damage in its database",
}
"""Every event that an automation can wait for, in words that follow what it happens to."""
SUBJECTS = {"run": "a run", "schedule": "a schedule", "agent": "an agent", "appliance": "the appliance"}
"""What they happen to: the first part of their names."""
SENDS = {
    "webhook": "call a webhook",
    "slack": "post to Slack or Mattermost",
    "teams": "post to Teams",
    "email": "send an e-mail",
    "syslog": "write to syslog",
    "pagerduty": "trigger PagerDuty",
    "alertmanager": "alert Alertmanager",
}
"""Actions that send a message."""
ACTS = {
    "restart": "restart it",
    "cancel": "cancel it",
    "pause_schedule": "pause its schedule",
    "pause_flow": "pause its flow",
    "start": "start a run",
    "set_limit": "set the limit",
}
"""Actions that change something here. Each is done once per delivery, with the rights of the person who saved it."""
KINDS = SENDS | ACTS
STATES = ("pending", "sent", "failed", "dropped")
ActionKind = Literal[
    "webhook", "slack", "teams", "email", "syslog", "pagerduty", "alertmanager",
    "restart", "cancel", "pause_schedule", "pause_flow", "start", "set_limit",
]  # fmt: skip
DeliveryState = Literal["pending", "sent", "failed", "dropped"]


class Action(Message, kw_only=True):
    """What an automation does. `url` is where it sends to: http or https, or for syslog udp://host:514, tcp://host:601 or unix:///dev/log. `secret`
    names a secret as project/NAME: the key that signs a webhook, the whole URL of a chat, or the routing key of PagerDuty. `to` are addresses
    of an e-mail. `text` takes the place of the usual sentence; {flow}, {run} and other fields in it are filled in.

    `start` starts a run of `flow`, a project/NAME, with `parameters`, `labels` and `run_name`; the same fields are filled in in texts of the parameters
    and in the name. `set_limit` gives the limit of task tag `tag` this many `slots`."""

    kind: ActionKind
    url: str = ""
    secret: str = ""
    to: list[str] = []
    text: str = ""
    flow: str = ""
    parameters: dict[str, Any] = {}
    labels: list[str] | None = None
    run_name: str = ""
    tag: str = ""
    slots: int | None = None


class CreateAutomation(Message, kw_only=True):
    """Create an automation: when one of `events` happens to what `q` describes, it acts, at most `at_most` times per `per` seconds (0: as often
    as it happens, for actions that send). `unless_known`: not for failures that a person has marked as known; `unless_maintenance`: not during maintenance."""

    name: str
    events: list[str]
    action: Action
    q: str = ""
    at_most: int = 0
    per: float = 3600.0
    unless_known: bool = False
    unless_maintenance: bool = False
    enabled: bool = True
    idempotency_key: str | None = None


class EditAutomation(Message, kw_only=True):
    """Change an automation; what is missing stays as it is. With a `revision`, only if it is still the current one."""

    name: str | None = None
    events: list[str] | None = None
    action: Action | None = None
    q: str | None = None
    at_most: int | None = None
    per: float | None = None
    unless_known: bool | None = None
    unless_maintenance: bool | None = None
    enabled: bool | None = None
    revision: int | None = None
    idempotency_key: str | None = None


class DryRun(Message, kw_only=True):
    """What an automation would have done in the last days, had it been there."""

    events: list[str]
    q: str = ""
    at_most: int = 0
    per: float = 3600.0
    days: int = 30


class AutomationView(Answer, kw_only=True):
    """An automation. To those who can't edit it, the URL of its action is only a host. `acts_as` is the user with whose rights it changes something.
    `pending` and `failed` count its deliveries."""

    id: UUID
    name: str
    sentence: str
    enabled: bool
    events: list[str]
    q: str
    action: Action
    at_most: int
    per: float
    unless_known: bool
    unless_maintenance: bool
    revision: int
    created: datetime
    created_by: str
    updated: datetime
    updated_by: str
    acts_as: str = ""
    pending: int = 0
    failed: int = 0
    last_at: datetime | None = None


class DeliveryView(Answer, kw_only=True):
    """One firing of an automation. Its id stays the same however often it is sent. `answer` is the receiver's last one, shortened, or what was
    done; `started` is the run that it has started."""

    id: UUID
    automation_id: UUID
    event: str
    text: str
    object_id: UUID
    state: DeliveryState
    reason: str
    attempts: int
    created: datetime
    tried_at: datetime | None
    next_try_at: datetime | None
    answer: str
    started: UUID | None = None
    message: dict[str, Any] = {}


class TrialView(Answer, kw_only=True):
    """What a test sent, and what came back. Of an automation that changes something: the newest event that matches, and what it would do."""

    ok: bool
    request: str
    answer: str
    seconds: float


class DryRunFiring(Answer, kw_only=True):
    """One time at which it would have acted."""

    at: datetime
    event: str
    object_id: UUID
    flow: str
    run: str


class DryRunView(Answer, kw_only=True):
    """How often an automation would have acted, and the newest of these times. `events`: how many events matched; the rest would have been
    more than `at_most`. `since`: no events from before are kept."""

    fired: int
    events: int
    since: datetime
    complete: bool
    newest: list[DryRunFiring] = []
