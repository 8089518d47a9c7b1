"""Results as tasks return them, with objects of the SDK inside; made with what `appliance` exports, so they can be made anew."""

from collections import namedtuple
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import appliance
from appliance import (
    CronSchedule,
    IntervalSchedule,
    JSONSerializer,
    LocalResult,
    LocalRun,
    Parameter,
    Secret,
    adjustments,
    exponential_backoff,
    filters,
    partial_inputs_only,
    signals,
    some_failed,
    states,
    triggers,
    unmapped,
)

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
Pair = namedtuple("Pair", ["left", "right"])


def states_of_every_class():
    """One state of each class, some with fields of their own."""
    plain = (
        *("Pending", "ClientFailed", "Submitted", "Running", "Cancelling"),
        *("Finished", "Success", "Skipped", "Cancelled", "Failed", "TimedOut", "TriggerFailed", "ValidationFailed"),
        "Crashed",
    )
    found = [getattr(states, name)(message=name) for name in plain]
    found += [getattr(states, name)(message=name, start_time=AT) for name in ("Scheduled", "Late", "Paused", "Resume")]
    found += [
        states.Retrying(message="again", start_time=AT, run_count=2),
        states.Looped(result=1, loop_count=3),
        states.Mapped(n_map_states=4),
        states.Cached(result=5, hashed_inputs={"x": "1"}, cached_result_expiration=AT),
    ]
    return found


def signals_of_every_class():
    """One signal of each class; those of failures are the result of their own state."""
    names = ("FAIL", "TRIGGERFAIL", "VALIDATIONFAIL", "SUCCESS", "SKIP", "RETRY", "PAUSE", "LOOP")
    later = {"RETRY": {"start_time": AT}, "PAUSE": {"start_time": AT}}
    return [getattr(signals, name)(f"by {name}", **later.get(name, {})) for name in names]


def an_error(call, *args):
    """The error that a call ends with."""
    try:
        call(*args)
    except Exception as error:
        return error.with_traceback(None)
    raise AssertionError("it must fail")


def values():
    """Everything by name."""
    missing = LocalResult("/nowhere")
    return {
        "states": states_of_every_class(),
        "signals": signals_of_every_class(),
        "times": [AT, AT.astimezone(ZoneInfo("Europe/Berlin")), date(2026, 3, 2), timedelta(hours=1)],
        "parameters": [Parameter("n", default=1, type=int), appliance.DateTimeParameter("at", default=AT)],
        "errors": [
            an_error(missing.get, "nothing"),
            an_error(missing.get, "../up"),
            an_error(CronSchedule, "not cron"),
            an_error(lambda: appliance.Flow("")),
            an_error(lambda: appliance.Task(max_retries=-1)),
        ],
        "options": [
            CronSchedule("@daily", "Europe/Berlin"),
            IntervalSchedule(timedelta(hours=1), AT),
            filters.is_weekday,
            adjustments.next_weekday,
            partial_inputs_only(["x"]),
            exponential_backoff(1),
            triggers.all_finished,
            LocalRun(env={"a": "b"}),
            LocalResult("results", serializer=JSONSerializer()),
            Secret("name"),
            unmapped([1]),
        ],
        "modules": [adjustments, filters, signals, states, triggers],
        "closures": [some_failed(at_least=1), lambda: AT],
        "plain": {"pairs": [(1, 2.5)], "none": None, "text": "ünïcode", "set": {1, 2}},
    }
