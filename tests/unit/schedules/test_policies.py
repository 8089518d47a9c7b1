"""Policies in code: every clock, factory and schedule takes them, and what isn't said is not sent."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance import (
    CronClock,
    CronSchedule,
    DatesClock,
    DatesSchedule,
    Flow,
    IntervalClock,
    IntervalSchedule,
    ProcessRun,
    RRuleClock,
    RRuleSchedule,
    Schedule,
    UniversalRun,
    task,
)
from appliance.core.serialize import serialize
from appliance.schedules import Clock, ScheduleError, filters, validate
from appliance.schedules.policies import DEFAULTS

DAY = datetime(2026, 1, 1, tzinfo=UTC)
MADE: dict[str, Callable[..., Clock | Schedule]] = {
    "CronClock": lambda **policies: CronClock("0 2 * * *", **policies),
    "IntervalClock": lambda **policies: IntervalClock(timedelta(hours=1), **policies),
    "DatesClock": lambda **policies: DatesClock([DAY], **policies),
    "RRuleClock": lambda **policies: RRuleClock("FREQ=DAILY", **policies),
    "CronSchedule": lambda **policies: CronSchedule("0 2 * * *", **policies),
    "IntervalSchedule": lambda **policies: IntervalSchedule(timedelta(hours=1), **policies),
    "DatesSchedule": lambda **policies: DatesSchedule([DAY], **policies),
    "RRuleSchedule": lambda **policies: RRuleSchedule("FREQ=DAILY", **policies),
    "Schedule": lambda **policies: Schedule([CronClock("0 2 * * *")], **policies),
}
GIVEN: dict[str, Any] = {
    "overlap": "skip",
    "catch_up": "all",
    "catch_up_cap": 3,
    "catch_up_window": timedelta(hours=2),
}
SENT = GIVEN | {"catch_up_window": 7200.0}
every_kind = pytest.mark.parametrize("made", MADE.values(), ids=MADE)


def document(made: Clock | Schedule) -> dict[str, Any]:
    return (made if isinstance(made, Clock) else made.clocks[0]).to_document()


@every_kind
def test_every_kind_declares_them(made: Callable[..., Clock | Schedule]) -> None:
    assert {name: document(made(**GIVEN))[name] for name in DEFAULTS} == SENT
    for name, value in GIVEN.items():
        assert set(document(made(**{name: value}))) & set(DEFAULTS) == {name}
    assert set(document(made(overlap=None))) & set(DEFAULTS) == set()
    validate(document(made(**GIVEN)))


@every_kind
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"overlap": "never"}, "must be one of allow, queue, skip, cancel"),
        ({"overlap": 1}, "overlap must be a string"),
        ({"catch_up": "some"}, "must be one of all, latest, none"),
        ({"catch_up_cap": 0}, "catch_up_cap must be at least 1"),
        ({"catch_up_cap": True}, "catch_up_cap must be a whole number"),
        ({"catch_up_cap": 10_001}, "from 1 to 10000"),
        ({"catch_up_window": 60}, "catch_up_window must be a timedelta"),
        ({"catch_up_window": timedelta(0)}, "must be longer than 0"),
        ({"catch_up_window": timedelta(days=9_999)}, "at most ten years"),
        ({"overlp": "skip"}, "did you mean overlap"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_every_kind_refuses_what_can_not_be_meant(
    made: Callable[..., Clock | Schedule], wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        made(**wrong)


def test_a_clock_says_more_than_its_schedule() -> None:
    clocks = [CronClock("0 2 * * *", overlap="queue"), CronClock("0 3 * * *")]
    first, second = Schedule(clocks, filters=[filters.is_weekday], overlap="skip", catch_up="none").clocks
    assert (first.policies, second.policies) == (
        {"overlap": "queue", "catch_up": "none"},
        {"overlap": "skip", "catch_up": "none"},
    )
    assert clocks[0].policies == {"overlap": "queue"}, "the author's own clock stays as it was"
    again = Schedule([first], not_filters=[filters.is_month_end]).clocks[0]
    assert again.policies == first.policies


def test_they_are_registered_and_saved() -> None:
    @task
    def one() -> None: ...

    with Flow("nightly", schedule=CronSchedule("0 2 * * *", **GIVEN)) as flow:
        one()
    (sent,) = serialize(flow)["schedules"]
    assert {name: sent[name] for name in DEFAULTS} == SENT
    clock = flow.schedule.clocks[0] if flow.schedule else None
    assert pickle.loads(pickle.dumps(clock)).to_document() == (clock.to_document() if clock else None)


def test_a_clock_of_an_earlier_release_has_none() -> None:
    clock = CronClock("0 2 * * *")
    state = {name: value for name, value in clock.__getstate__().items() if name != "policies"}
    old = CronClock.__new__(CronClock)
    old.__dict__.update(state)
    assert old.to_document() == clock.to_document()
    assert Schedule([old], overlap="skip").clocks[0].policies == {"overlap": "skip"}


@pytest.mark.parametrize("field", [{"overlap": 3}, {"catch_up": []}, {"catch_up_cap": "5"}, {"catch_up_window": -1}])
def test_a_document_with_others_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(ScheduleError):
        validate({"kind": "cron", "cron": "0 2 * * *"} | field)


# --- the run config of a clock

CLOCKS = {name: made for name, made in MADE.items() if name.endswith("Clock")}


@pytest.mark.parametrize("made", CLOCKS.values(), ids=CLOCKS)
def test_every_clock_says_how_its_runs_are_started(made: Callable[..., Clock]) -> None:
    config = ProcessRun({"MODE": "full"}, ["gpu"], requirements=["pandas==2.2.3"])
    clock = made(labels=["night"], run_config=config)
    sent = {"type": "process", "env": {"MODE": "full"}, "requirements": ["pandas==2.2.3"]}
    for one in (clock, pickle.loads(pickle.dumps(clock)), Schedule([clock], overlap="skip").clocks[0]):
        assert document(one)["run_config"] == sent
        assert document(one)["labels"] == ["gpu", "night"]
        validate(document(one))
    assert "run_config" not in document(made())


def test_a_universal_run_of_a_clock_keeps_the_kind_of_the_flow() -> None:
    assert document(CronClock("@daily", run_config=UniversalRun({"MODE": "full"})))["run_config"] == {
        "env": {"MODE": "full"}
    }
    with pytest.raises(TypeError, match="must be a run config, such as"):
        CronClock("@daily", run_config={"env": {}})  # type: ignore[arg-type]
