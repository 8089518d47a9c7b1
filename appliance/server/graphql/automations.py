"""Queries and mutations about automations."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.protocol.automations import CreateAutomation, DryRun, EditAutomation
from appliance.server.actions import automation_history, automation_sending, deliveries
from appliance.server.actions import automations as actions
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import automations as reads
from appliance.server.db.reads import pages
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.types import automations as types
from appliance.server.graphql.types.automations import Automation, AutomationDryRun, DeliveryPage, DeliveryState


@strawberry.type
class AutomationQueries:
    @root_field(Permission.READ)
    def automations(self, info: Info) -> list[Automation]:
        return [types.automation(view) for view in actions.every(info.context.session(), info.context.actor)]

    @root_field(Permission.READ)
    def automation(self, info: Info, id: UUID) -> Automation:
        return types.automation(actions.one(info.context.session(), id, info.context.actor))

    @root_field(Permission.READ)
    def deliveries(
        self,
        info: Info,
        automation_id: UUID,
        state: DeliveryState | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> DeliveryPage:
        session = info.context.session()
        actions.known(session, automation_id)
        chosen = None if state is None else state.value
        page = reads.deliveries(session, automation_id, chosen, pages.size(first), after)
        return DeliveryPage(items=[types.delivery(actions.delivery_view(row)) for row in page.rows], next=page.next)

    @root_field(Permission.READ)
    def automation_dry_run(
        self, info: Info, events: list[str], q: str = "", at_most: int = 0, per: float = 3600.0, days: int = 30
    ) -> AutomationDryRun:
        request = DryRun(events=events, q=q, at_most=at_most, per=per, days=days)
        return types.dry_run(automation_history.dry_run(info.context.database, request))


@strawberry.type
class AutomationMutations:
    @root_mutation(Permission.EDIT_AUTOMATION)
    def create_automation(self, info: Info, input: types.CreateAutomationInput) -> types.AutomationPayload:
        request = CreateAutomation(
            name=input.name,
            events=input.events,
            action=types.action(input.action),
            q=input.q,
            at_most=input.at_most,
            per=input.per,
            unless_known=input.unless_known,
            unless_maintenance=input.unless_maintenance,
            enabled=input.enabled,
        )
        return _payload(info, actions.create(info.context.database, info.context.actor, request))

    @root_mutation(Permission.EDIT_AUTOMATION)
    def edit_automation(self, info: Info, input: types.EditAutomationInput) -> types.AutomationPayload:
        request = EditAutomation(
            name=input.name,
            events=input.events,
            action=None if input.action is None else types.action(input.action),
            q=input.q,
            at_most=input.at_most,
            per=input.per,
            unless_known=input.unless_known,
            unless_maintenance=input.unless_maintenance,
            enabled=input.enabled,
            revision=input.revision,
        )
        actions.edit(info.context.database, info.context.actor, input.automation_id, request)
        return _payload(info, input.automation_id)

    @root_mutation(Permission.EDIT_AUTOMATION)
    def delete_automation(self, info: Info, input: types.DeleteAutomationInput) -> types.DeleteAutomationPayload:
        actions.delete(info.context.database, info.context.actor, input.automation_id)
        info.context.changed()
        return types.DeleteAutomationPayload(automation_id=input.automation_id)

    @root_mutation(Permission.EDIT_AUTOMATION)
    def test_automation(self, info: Info, input: types.TestAutomationInput) -> types.TestAutomationPayload:
        context = info.context
        view = automation_sending.test(context.database, context.actor, context.settings, input.automation_id)
        return types.TestAutomationPayload(ok=view.ok, request=view.request, answer=view.answer, seconds=view.seconds)

    @root_mutation(Permission.EDIT_AUTOMATION)
    def send_again(self, info: Info, input: types.SendAgainInput) -> types.SendAgainPayload:
        context = info.context
        deliveries.send_again(context.database, context.actor, input.delivery_id)
        context.changed()
        row = reads.delivery(context.session(), input.delivery_id)
        if row is None:
            raise NotFound("The delivery has been deleted meanwhile.")
        return types.SendAgainPayload(delivery=types.delivery(actions.delivery_view(row)))


def _payload(info: Info, automation_id: UUID) -> types.AutomationPayload:
    context = info.context
    context.changed()
    return types.AutomationPayload(
        automation=types.automation(actions.one(context.session(), automation_id, context.actor))
    )
