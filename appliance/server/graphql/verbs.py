"""The verbs on flow runs as mutations: converts a mutation's input to its verb's request."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.verbs import VERBS
from appliance.server.auth.guards import Permission
from appliance.server.graphql.messages import message
from appliance.server.graphql.scalars import json_object


class VerbInput(Protocol):
    """What the inputs of all verbs have in common."""

    flow_run_id: UUID


def permission_of(verb: str) -> Permission:
    """The permission that the table declares."""
    return Permission(VERBS[verb].permission)


def request_of(verb: str, input: VerbInput) -> ChangeFlowRun:
    """The verb's request, which has the same fields as the mutation's input. Omitted fields keep their defaults."""
    request = VERBS[verb].request
    fields = {name: getattr(input, name) for name in request.__struct_fields__}
    if "parameters" in fields:
        fields["parameters"] = json_object(fields["parameters"], "parameters")
    return message(request, **fields)
