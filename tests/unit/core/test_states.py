"""States: their family, their names on the wire, and the way there and back."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from appliance.core import signals, states

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "wire"),
    [
        (states.Pending(), ("PENDING", "Pending", None, {})),
        (
            states.Scheduled("later", start_time=AT),
            ("SCHEDULED", "Scheduled", "later", {"start_time": "2026-01-02T03:04:05.678901Z"}),
        ),
        (states.Paused("p"), ("PAUSED", "Paused", "p", {})),
        (states.Resume(start_time=AT), ("SCHEDULED", "Resume", None, {"start_time": "2026-01-02T03:04:05.678901Z"})),
        (
            states.Retrying(start_time=AT, run_count=2),
            ("SCHEDULED", "AwaitingRetry", None, {"start_time": "2026-01-02T03:04:05.678901Z", "run_count": 2}),
        ),
        (states.Submitted(), ("PENDING", "Submitted", None, {})),
        (states.Running(), ("RUNNING", "Running", None, {})),
        (states.Cancelling(), ("CANCELLING", "Cancelling", None, {})),
        (states.Success(result=object()), ("SUCCESS", "Success", None, {})),
        (states.Looped(loop_count=3), ("SUCCESS", "Looped", None, {"loop_count": 3})),
        (states.Mapped(map_states=[states.Success()]), ("SUCCESS", "Mapped", None, {"n_map_states": 1})),
        (states.Skipped(), ("SUCCESS", "Skipped", None, {})),
        (states.Cached(), ("SUCCESS", "Cached", None, {})),
        (states.Cancelled(), ("CANCELLED", "Cancelled", None, {})),
        (
            states.Failed("f", ValueError(), data={"exception": "ValueError"}),
            ("FAILED", "Failed", "f", {"exception": "ValueError"}),
        ),
        (states.TimedOut(), ("FAILED", "TimedOut", None, {})),
        (states.TriggerFailed(), ("FAILED", "TriggerFailed", None, {})),
        (states.ValidationFailed(), ("FAILED", "ValidationFailed", None, {})),
        (states.Crashed(), ("FAILED", "Crashed", None, {})),
    ],
)
def test_every_state_goes_over_the_wire_and_comes_back(state: states.State, wire: tuple[object, ...]) -> None:
    assert state.to_wire() == wire
    back = states.from_wire(*state.to_wire())
    assert type(back) is type(state)
    assert back.to_wire() == wire


def test_unknown_names_fall_back_to_the_type_and_unknown_types_are_refused() -> None:
    assert type(states.from_wire("FAILED", "Exploded", "x")) is states.Failed
    with pytest.raises(ValueError, match="no state type 'GONE'"):
        states.from_wire("GONE", "Gone")


@pytest.mark.parametrize(
    ("state", "true"),
    [
        (states.Pending(), {"pending"}),
        (states.Scheduled(), {"pending", "scheduled"}),
        (states.Paused(), {"pending", "scheduled", "paused"}),
        (states.Retrying(), {"pending", "scheduled", "retrying"}),
        (states.Queued(), {"scheduled", "queued", "meta_state"}),
        (states.Submitted(), {"submitted", "meta_state"}),
        (states.ClientFailed(), {"meta_state"}),
        (states.Running(), {"running"}),
        (states.Cancelling(), {"running"}),
        (states.Looped(), {"finished", "looped"}),
        (states.Success(), {"finished", "successful"}),
        (states.Cached(), {"finished", "successful", "cached"}),
        (states.Mapped(), {"finished", "successful", "mapped"}),
        (states.Skipped(), {"finished", "successful", "skipped"}),
        (states.Cancelled(), {"finished", "cancelled"}),
        (states.TimedOut(), {"finished", "failed"}),
    ],
)
def test_predicates(state: states.State, true: set[str]) -> None:
    names = [name for name in dir(state) if name.startswith("is_")]
    assert {name[3:] for name in names if getattr(state, name)()} == true


def test_states_are_immutable_and_travel_between_processes() -> None:
    state = states.Failed("m", ValueError("x"), data={"a": 1})
    with pytest.raises(AttributeError):
        state.message = "other"  # type: ignore[misc]
    copy = pickle.loads(pickle.dumps(state))
    assert (copy.message, copy.data, str(copy.result)) == ("m", {"a": 1}, "x")


def test_wrapping_states_are_unwrapped() -> None:
    inner = states.Running()
    assert states.Queued(state=states.Submitted(state=inner)).state is inner


def test_signals_lead_to_states_and_back() -> None:
    assert signals.FAIL("no").state.result.args == ("no",)
    assert signals.SUCCESS("ok", result=3).state.result == 3
    assert signals.PAUSE().state.start_time is None  # type: ignore[attr-defined]
    assert signals.RETRY(start_time=AT).state.start_time == AT  # type: ignore[attr-defined]
    assert signals.signal_from_state(states.TimedOut("t")) is signals.FAIL
    assert signals.signal_from_state(states.Skipped("s"))("why").state.message == "why"
    assert not issubclass(signals.SKIP, Exception)
    with pytest.raises(ValueError, match="No signal"):
        signals.signal_from_state(states.Running())


@pytest.mark.parametrize(
    "kind", [states.Scheduled, states.Late, states.Paused, states.Resume, states.Retrying, states.Queued]
)
@pytest.mark.parametrize("start", ["soon", datetime(2026, 1, 2), 3], ids=str)  # noqa: DTZ001 - that is what is refused
def test_a_start_time_without_a_zone_is_refused(kind: Any, start: Any) -> None:
    with pytest.raises(ValueError, match=f"start_time of {kind.__name__} must be a datetime with a time zone"):
        kind(start_time=start)
    assert kind(start_time=AT).start_time == AT
