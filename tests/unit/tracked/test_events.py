"""What a run reports of names that code has chosen."""

from __future__ import annotations

import pytest

from appliance.core.states import Failed
from appliance.engine.tracked import events
from appliance.kit import clock
from appliance.protocol.run_protocol import FlowStateEvent, LogEvent, Report, TaskStateEvent
from appliance.server.api.bodies import decode


class Odd(Failed):
    """A state of a site's own, whose name nobody has checked."""

    def to_wire(self):  # type: ignore[no-untyped-def]
        kind, _name, message, data = super().to_wire()
        return kind, "a\x1b[2J\nb", message, data


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "a\u2028b", "a\0b"])
def test_the_name_of_a_logger_is_one_line(name: str) -> None:
    event = events.event((clock.now(), 20, name, "a\nb", None, -1))
    assert isinstance(event, LogEvent) and event.logger.isprintable() and event.message == "a\nb"
    decode(events.encode(1, 1, [event]), Report)


def test_the_name_of_a_state_is_one_line() -> None:
    task = events.event(("a-1", -1, Odd("x"), clock.now(), 1, None, False))
    flow = events.event((Odd("x"), clock.now()))
    for event in (task, flow):
        assert isinstance(event, TaskStateEvent | FlowStateEvent) and event.name == "a\\x1b[2J\\nb"
    decode(events.encode(1, 1, [task, flow]), Report)


def test_other_names_stay_as_they_are() -> None:
    event = events.event((clock.now(), 20, "größe.\U0001f600", "", None, -1))
    assert isinstance(event, LogEvent) and event.logger == "größe.\U0001f600"
