"""How an agent gives back an attempt that it has not started."""

from __future__ import annotations

import logging
from uuid import UUID

from appliance.client import agents
from appliance.client.errors import PASSING, NotFound
from appliance.client.transport import Transport
from appliance.protocol.agents import CodeGone

_logger = logging.getLogger("appliance.agent")


def give_back(transport: Transport, agent_id: UUID, request: CodeGone, name: str) -> bool:
    """Whether the attempt must not be started here, because the server moves the run to another version, or lets it wait for what it needs."""
    try:
        taken_back = agents.code_gone(transport, agent_id, request).taken_back
    except NotFound:  # a server of the release before
        return False
    except PASSING as error:  # it learns from the agent's next claims that the attempt was not started
        _logger.warning("Run %s is not started here: %s %s", name, request.reason, error)
        return True
    if taken_back:
        _logger.info("Run %s was given back: %s", name, request.reason)
    return taken_back
