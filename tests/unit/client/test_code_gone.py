"""Giving a run back to a server of an earlier release, which takes it back for its code alone."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import pytest

from appliance.client import agents
from appliance.client.errors import Invalid
from appliance.client.transport import Transport
from appliance.protocol.agents import CodeGone

ID = UUID(int=1)


class Earlier:
    """Refuses whatever it is sent."""

    def post(self, *_given: Any, **_options: Any) -> Any:
        raise Invalid("invalid", 400, "Object contains unknown field `is_code`")


def test_it_takes_back_nothing_that_it_does_not_know() -> None:
    server = cast(Transport, Earlier())
    request = CodeGone(flow_run_id=ID, attempt=1, reason="No Python 3.99.", is_code=False)
    assert not agents.code_gone(server, ID, request).taken_back, "so the agent reports that it could not start it"
    with pytest.raises(Invalid):
        agents.code_gone(server, ID, CodeGone(flow_run_id=ID, attempt=1, reason="Gone."))
