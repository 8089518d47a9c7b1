"""One kind of time, text and integer for every field of every message."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import inspect

from appliance.kit import clock
from appliance.protocol.agents import AgentReport
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.jobs import Bulk
from appliance.protocol.message import Message
from appliance.protocol.run_protocol import Report
from appliance.server.api.bodies import decode
from appliance.server.domain import bounds
from appliance.server.errors import Invalid

AT = "2026-01-31T06:30:00Z"


@pytest.mark.parametrize(
    ("time", "word"),
    [
        ("2000-01-01T00:00:00Z", None),
        ("1999-12-31T23:59:59-00:01", None),
        ("2099-12-31T23:59:59.999999Z", None),
        ("1999-12-31T23:59:59Z", "between the years 2000 and 2100"),
        ("2000-01-01T00:00:00+00:01", "between the years 2000 and 2100"),
        ("2100-01-01T00:00:00Z", "between the years 2000 and 2100"),
        ("2099-12-31T23:59:59-00:01", "between the years 2000 and 2100"),
        ("0001-01-01T00:00:00+23:59", "between the years 2000 and 2100"),
        ("9999-12-31T23:59:59-23:59", "between the years 2000 and 2100"),
        ("2026-01-31T06:30:00", "offset"),
        ("2026-02-30T00:00:00Z", "not valid"),
    ],
)
def test_times(time: str, word: str | None) -> None:
    bodies: list[tuple[type, Any]] = [
        (CreateFlowRun, {"scheduled_time": time}),
        (Bulk, {"action": "edit", "filter": {"since": time}}),
        (
            Report,
            {"attempt": 1, "seq": 1, "events": [{"kind": "flow", "type": "RUNNING", "name": "Running", "at": time}]},
        ),
    ]
    for kind, body in bodies:
        if word is None:
            decode(msgspec.json.encode(body), kind)
            continue
        with pytest.raises(Invalid, match=word):
            decode(msgspec.json.encode(body), kind)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_without_a_place_in_utc_is_a_mistake_and_no_fault(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        clock.parse(text)


def _strings(kind: Any) -> list[str]:
    """The names of the plain texts in a message."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return [
        field.name
        for field in info.fields
        if isinstance(field.type, inspect.StrType)
        or (
            isinstance(field.type, inspect.UnionType)
            and any(isinstance(one, inspect.StrType) for one in field.type.types)
        )
    ]


def _messages() -> list[type]:
    found, todo = [], [Message]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        found += [] if kind is Message else [kind]
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", _messages(), ids=lambda kind: kind.__name__)
def test_no_message_takes_a_nul_in_a_plain_text(kind: type) -> None:
    check = bounds.check_of(kind)
    for name in _strings(kind):
        others = dict.fromkeys(kind.__struct_fields__)  # type: ignore[attr-defined]
        assert check is not None
        with pytest.raises(Invalid, match=f"{name} contains a NUL"):
            check(kind(**(others | {name: "a\0b"})), "body")
        with pytest.raises(Invalid, match="too long"):
            check(kind(**(others | {name: "x" * (bounds.LONGEST_TEXT + 1)})), "body")


def test_what_programs_write_is_taken_as_it_is() -> None:
    line = {"kind": "log", "at": AT, "level": "INFO", "logger": "a.b", "message": "a\0b\x1b[2J"}
    state = {
        "kind": "task",
        "slug": "a",
        "type": "FAILED",
        "name": "Failed",
        "at": AT,
        "message": "\0",
        "data": {"a": "\0"},
    }
    decode(msgspec.json.encode({"attempt": 1, "seq": 1, "events": [line, state]}), Report)
    run = {"flow_run_id": "01890a5d-ac96-774b-bcce-b302099a8057", "attempt": 1}
    decode(msgspec.json.encode({"exited": [run | {"reason": "\0", "tail": ["\0"]}]}), AgentReport)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "a\x7f", "a\u0085b", "a\u2028b", "\t"])
def test_names_stay_on_their_line(name: str) -> None:
    line = {"kind": "log", "at": AT, "level": "INFO", "logger": name, "message": ""}
    state = {"kind": "task", "slug": "a", "type": "FAILED", "name": name, "at": AT}
    for event, field in ((line, "logger"), (state, "name"), (state | {"kind": "flow"}, "name")):
        with pytest.raises(Invalid, match=f"{field} contains control characters"):
            decode(msgspec.json.encode({"attempt": 1, "seq": 1, "events": [event]}), Report)
    line["logger"] = "größe.\U0001f600"
    decode(msgspec.json.encode({"attempt": 1, "seq": 1, "events": [line]}), Report)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"flow": "a\0"}, "flow contains a NUL"),
        ({"labels": ["a", "b\0"]}, "labels contains a NUL"),
        ({"parameters": {"a": [{"b\0": 1}]}}, "Parameter 'a' contains a NUL"),
        ({"parameters": {"a": [{"b": "\0"}]}}, "Parameter 'a' contains a NUL"),
        ({"parameters": {"a\0": 1}}, "parameters contains a NUL"),
    ],
)
def test_what_people_send_is_refused(body: Any, word: str) -> None:
    with pytest.raises(Invalid, match=word):
        decode(msgspec.json.encode(body), CreateFlowRun)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30])
def test_integers_have_64_bits(number: int) -> None:
    with pytest.raises(Invalid, match="seq"):
        decode(f'{{"attempt": 1, "seq": {number}}}'.encode(), Report)
    decode(b'{"attempt": 1, "seq": 9223372036854775807}', Report)
