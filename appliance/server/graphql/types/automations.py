"""Automations and deliveries in GraphQL, and the inputs of their mutations."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from appliance.protocol import automations as protocol
from appliance.protocol.automations import AutomationView, DeliveryView, DryRunView
from appliance.server.graphql.scalars import JSON, json_object


@strawberry.enum
class ActionKind(Enum):
    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"
    EMAIL = "email"
    SYSLOG = "syslog"
    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"
    RESTART = "restart"
    CANCEL = "cancel"
    PAUSE_SCHEDULE = "pause_schedule"
    PAUSE_FLOW = "pause_flow"
    START = "start"
    SET_LIMIT = "set_limit"


@strawberry.enum
class DeliveryState(Enum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@strawberry.type(description="What an automation does.")
class AutomationAction:
    kind: ActionKind
    url: str = strawberry.field(description="To those who can't edit automations, only its host.")
    secret: str = strawberry.field(description="The secret that it uses, as project/NAME.")
    to: list[str]
    text: str = strawberry.field(description="Empty for the usual sentence.")
    flow: str = strawberry.field(description="Of which it starts a run, as project/NAME.")
    parameters: JSON
    labels: list[str] | None
    run_name: str
    tag: str = strawberry.field(description="The task tag of the limit that it sets.")
    slots: int | None


@strawberry.type(description="When something happens, a message goes out, or something is done.")
class Automation:
    id: UUID
    name: str
    sentence: str
    enabled: bool
    events: list[str]
    q: str
    action: AutomationAction
    at_most: int = strawberry.field(description="Per `per` seconds; 0: as often as it happens.")
    per: float
    unless_known: bool
    unless_maintenance: bool
    revision: int
    created: datetime
    created_by: str
    updated: datetime
    updated_by: str
    acts_as: str = strawberry.field(description="The user with whose rights it changes something.")
    pending: int = strawberry.field(description="Deliveries that are yet to arrive.")
    failed: int = strawberry.field(description="Deliveries that were given up.")
    last_at: datetime | None


@strawberry.type(description="One firing of an automation. Its id stays the same however often it is sent.")
class Delivery:
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
    started: UUID | None = strawberry.field(description="The run that it has started.")
    message: JSON


@strawberry.type
class DeliveryPage:
    items: list[Delivery]
    next: str | None


@strawberry.type
class DryRunFiring:
    at: datetime
    event: str
    object_id: UUID
    flow: str
    run: str


@strawberry.type(description="How often an automation would have acted.")
class AutomationDryRun:
    fired: int
    events: int = strawberry.field(description="That match; the rest would have been more than `atMost`.")
    since: datetime
    complete: bool = strawberry.field(description="Whether it went back all the days.")
    newest: list[DryRunFiring]


@strawberry.input
class ActionInput:
    kind: ActionKind
    url: str = ""
    secret: str = ""
    to: list[str] = strawberry.field(default_factory=list)
    text: str = ""
    flow: str = ""
    parameters: JSON | None = None
    labels: list[str] | None = None
    run_name: str = ""
    tag: str = ""
    slots: int | None = None


@strawberry.input
class CreateAutomationInput:
    name: str
    events: list[str]
    action: ActionInput
    q: str = ""
    at_most: int = 0
    per: float = 3600.0
    unless_known: bool = False
    unless_maintenance: bool = False
    enabled: bool = True
    idempotency_key: str | None = None


@strawberry.input(description="What is null stays as it is. With a revision, only if it is still the current one.")
class EditAutomationInput:
    automation_id: UUID
    name: str | None = None
    events: list[str] | None = None
    action: ActionInput | None = None
    q: str | None = None
    at_most: int | None = None
    per: float | None = None
    unless_known: bool | None = None
    unless_maintenance: bool | None = None
    enabled: bool | None = None
    revision: int | None = None
    idempotency_key: str | None = None


@strawberry.input
class DeleteAutomationInput:
    automation_id: UUID
    idempotency_key: str | None = None


@strawberry.input
class TestAutomationInput:
    automation_id: UUID
    idempotency_key: str | None = None


@strawberry.input
class SendAgainInput:
    delivery_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class AutomationPayload:
    automation: Automation


@strawberry.type
class DeleteAutomationPayload:
    automation_id: UUID


@strawberry.type(description="What a test sent, and what came back.")
class TestAutomationPayload:
    ok: bool
    request: str
    answer: str
    seconds: float


@strawberry.type
class SendAgainPayload:
    delivery: Delivery


def automation(view: AutomationView) -> Automation:
    action = view.action
    return Automation(
        id=view.id, name=view.name, sentence=view.sentence, enabled=view.enabled, events=view.events, q=view.q,
        action=AutomationAction(
            kind=ActionKind(action.kind), url=action.url, secret=action.secret, to=action.to, text=action.text,
            flow=action.flow, parameters=action.parameters, labels=action.labels, run_name=action.run_name,
            tag=action.tag, slots=action.slots,
        ),
        at_most=view.at_most, per=view.per, unless_known=view.unless_known, unless_maintenance=view.unless_maintenance,
        revision=view.revision, created=view.created, created_by=view.created_by, updated=view.updated,
        updated_by=view.updated_by, acts_as=view.acts_as, pending=view.pending, failed=view.failed, last_at=view.last_at,
    )  # fmt: skip


def delivery(view: DeliveryView) -> Delivery:
    return Delivery(
        id=view.id, automation_id=view.automation_id, event=view.event, text=view.text, object_id=view.object_id,
        state=DeliveryState(view.state), reason=view.reason, attempts=view.attempts, created=view.created,
        tried_at=view.tried_at, next_try_at=view.next_try_at, answer=view.answer,
        started=view.started, message=view.message,
    )  # fmt: skip


def dry_run(view: DryRunView) -> AutomationDryRun:
    newest = [
        DryRunFiring(at=one.at, event=one.event, object_id=one.object_id, flow=one.flow, run=one.run)
        for one in view.newest
    ]
    return AutomationDryRun(
        fired=view.fired, events=view.events, since=view.since, complete=view.complete, newest=newest
    )


def action(given: ActionInput) -> protocol.Action:
    return protocol.Action(
        kind=given.kind.value, url=given.url, secret=given.secret, to=given.to, text=given.text, flow=given.flow,
        parameters=json_object(given.parameters, "parameters"), labels=given.labels, run_name=given.run_name,
        tag=given.tag, slots=given.slots,
    )  # fmt: skip
