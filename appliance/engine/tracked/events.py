"""Converts the cheap tuples that the runner's threads produce to events of the protocol, within the server's limits."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from appliance.client.errors import BadAnswer, ClientError
from appliance.core.states import Failed, Mapped, State, Success
from appliance.engine.checkpoints import NOT_STORED
from appliance.engine.results.run_packs import Lost
from appliance.kit import clock
from appliance.kit.json_numbers import not_finite
from appliance.kit.printable import one_line
from appliance.protocol.logs import MAX_MESSAGE, Level
from appliance.protocol.run_protocol import Event, FlowStateEvent, LogEvent, Report, TaskStateEvent

TaskItem = tuple[str, int, State, datetime, int, str | None, bool]
"""Slug, map index, state, at, run count, name of the task run, whether it releases its slots."""
FlowItem = tuple[State, datetime]
_LONGEST_LOGGER, _LONGEST_SLUG = 200, 300
"""Characters; as long as the server keeps them."""
LogItem = tuple[datetime, int, str, str, str | None, int]  # at, level, logger, message, slug, map index
Item = TaskItem | FlowItem | LogItem

SMALL = 64 * 1024
_CUT_BY_PROXY = "\n... truncated: a proxy between this run and the server takes only small requests."
_CUT = "\n... truncated: the message is too long."
_COUNT = {"run_count"}
"""The keys of the data of nearly every state."""
_encoder = msgspec.json.Encoder(enc_hook=str)


def event(item: Item) -> Event:
    """The event for an item."""
    if len(item) == 7:
        return _task(item)
    if len(item) == 6:
        return _log(item)
    state, at = item
    kind, name, message, data = state.to_wire()
    return FlowStateEvent(type=kind, name=_name(name), message=text(message), data=_finite(state, data), at=at)  # type: ignore[arg-type]


def _task(item: TaskItem) -> TaskStateEvent:
    slug, map_index, state, at, run_count, task_run_name, freed = item
    kind, name, message, data = state.to_wire()
    location = data.pop("result_location", None)
    if location is None and state.result is None and isinstance(state, Success) and not isinstance(state, Mapped):
        location = ""  # enough for a later attempt to continue with the result None
    return TaskStateEvent(
        slug=slug,
        map_index=map_index,
        type=kind,  # type: ignore[arg-type]
        name=_name(name),
        message=text(message),
        data=_finite(state, data),
        at=at,
        run_count=run_count,
        result_location=location,
        task_run_name=task_run_name,
        freed=freed,
    )


def without_lost(one: Event, lost: Lost) -> Event:
    """The event without a result that was lost, so that a later attempt runs the task again: as a failure if an author chose its place."""
    if not isinstance(one, TaskStateEvent):
        return one
    data = one.data or {}
    if data.get("loop_result_location") in lost.locations:
        data = {key: value for key, value in data.items() if not key.startswith("loop_")}
        return msgspec.structs.replace(one, data=data or None)
    if one.result_location not in lost.locations:
        return one
    data = {key: value for key, value in data.items() if key not in ("result_sha256", "result_place")}
    if one.result_location in lost.required:
        message = text(NOT_STORED.format(lost.reason))
        return msgspec.structs.replace(
            one, type=Failed.type, name=Failed.name, result_location=None, data=data or None, message=message
        )
    message = text(f"{one.message} The result could not be kept for a restart: {lost.reason}".strip())
    return msgspec.structs.replace(one, result_location=None, data=data or None, message=message)


def _log(item: LogItem) -> LogEvent:
    at, level, logger, message, slug, map_index = item
    return LogEvent(
        at=at,
        level=level_name(level),
        logger=_name(text(logger))[:_LONGEST_LOGGER],
        message=text(message),
        slug=None if slug is None else text(slug)[:_LONGEST_SLUG],
        map_index=map_index,
    )


def _name(name: str) -> str:
    """The name on one line, as the server takes it; what code may choose for a logger or a state is any text."""
    return name if name.isprintable() else one_line(name)


def weight(one: Event) -> int:
    """The approximate number of characters in an event beyond its fixed part."""
    if isinstance(one, LogEvent) or one.data is None or one.data.keys() == _COUNT:
        return len(one.message)
    return len(one.message) + sum(len(value) for value in one.data.values() if isinstance(value, str))


def text(message: str | None) -> str:
    """A message that any database accepts: no NUL, no lone surrogates, not too long."""
    if not message:
        return ""
    if "\0" in message:
        message = message.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - len(_CUT)] + _CUT
    if not message.isascii():
        message = message.encode("utf-8", "replace").decode("utf-8")
    return message


def level_name(level: int) -> Level:
    """The protocol's level at or below a number of Python's logging."""
    if level >= logging.CRITICAL:
        return "CRITICAL"
    if level >= logging.ERROR:
        return "ERROR"
    if level >= logging.WARNING:
        return "WARNING"
    return "INFO" if level >= logging.INFO else "DEBUG"


def encode(attempt: int, seq: int, events: Iterable[Event]) -> bytes:
    """A numbered report as bytes. Data that isn't valid JSON is converted to text, so that no state is lost."""
    batch = list(events)
    try:
        return _encoder.encode(Report(attempt=attempt, seq=seq, events=batch))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _encoder.encode(Report(attempt=attempt, seq=seq, events=[_encodable(one) for one in batch]))


def bare(report: bytes) -> bytes:
    """The same states without data and log lines, plus a line that says so: for a report that the server rejected as invalid."""
    full = msgspec.json.decode(report, type=Report)
    note = "The server rejected details of some states or log lines of this run; they were omitted."
    events: list[Event] = [LogEvent(at=clock.now(), level="WARNING", logger="appliance.run", message=note)]
    events += [
        msgspec.structs.replace(one, data=None, message=one.message.encode("ascii", "replace").decode()[:1000])
        for one in full.events
        if not isinstance(one, LogEvent)
    ]
    return _encoder.encode(Report(attempt=full.attempt, seq=full.seq, events=events))


def is_too_large(error: ClientError, report: bytes) -> bool:
    """Does a proxy find this report too large? None has a limit so small that it would be right about a small one."""
    return isinstance(error, BadAnswer) and error.status == 413 and len(report) > SMALL


def cut(report: bytes) -> bytes:
    """The same events with texts so short that the report fits through a proxy that found it too large."""
    full = msgspec.json.decode(report, type=Report)
    most = max(200, SMALL // (2 * len(full.events) or 1))
    return _encoder.encode(
        Report(attempt=full.attempt, seq=full.seq, events=[_shortened(one, most) for one in full.events])
    )


def _shortened(one: Event, most: int) -> Event:
    message = _short(one.message, most)
    if isinstance(one, LogEvent) or one.data is None:
        return msgspec.structs.replace(one, message=message)
    data = {key: _short(value, most) if isinstance(value, str) else value for key, value in one.data.items()}
    return msgspec.structs.replace(one, message=message, data=data)


def _short(message: str, most: int) -> str:
    return message if len(message) <= most else message[:most] + _CUT_BY_PROXY


def _encodable(one: Event) -> Event:
    try:
        _encoder.encode(one)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return one if isinstance(one, LogEvent) else msgspec.structs.replace(one, data=_plain(one.data))
    return one


def _finite(state: State, data: dict[str, Any]) -> dict[str, Any] | None:
    """The data of the state as it is, unless JSON would hold null for a number in it. What `to_wire` adds needs no look."""
    if not state.data or not_finite(data) is None:
        return data or None
    return {key: value if not_finite(value) is None else text(repr(value)[:1000]) for key, value in data.items()}


def _plain(data: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if data is None else {text(str(key)): text(repr(value)[:1000]) for key, value in data.items()}
