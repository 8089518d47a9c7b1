"""The filter for flow runs as one line of text, such as `state:failed,late flow:etl-* since:7d calm`: parsed here, once, for lists, counts,
bulk actions, and suggestions. A token that can't be used is an error that names it, never an empty list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from msgspec import structs

from appliance.kit import suggestions
from appliance.protocol import filter_texts
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import STATE_NAMES, STATE_TYPES
from appliance.server.domain.bounds import check_time
from appliance.server.errors import Invalid

T = TypeVar("T")

LONGEST = 500
MOST_TOKENS = 30
_TOKEN = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+')
_CLOSED = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FIELD = re.compile(r"([A-Za-z_]+)(?:\.([^:\"]+))?:(.*)", re.DOTALL)
WAITING = ("SCHEDULED", "PENDING", "PAUSED")
_STATES = {name.casefold(): (name,) for name in (*STATE_NAMES, *STATE_TYPES)} | {"waiting": WAITING}
"""A word stands for the type of states, if there is one of its name, since that includes all others that people call so."""


class RunQuery(RunFilter, kw_only=True):
    """What a query asks for. `flow` and `agent` may contain `*` for any text. `types` are state types of which the run must have one, beside what
    `states` says. `created_by` is a person's name or `schedule`, `error` a part of the message of a failed run or one of its failed tasks.
    `is_subrun`: whether a task of another run has started it. It started at or after `started_since`, and before `started_until`."""

    types: list[str] = []
    agent: str | None = None
    created_by: str | None = None
    flow_version: int | None = None
    is_subrun: bool | None = None
    error: str | None = None
    started_since: datetime | None = None
    started_until: datetime | None = None


def expanded(criteria: RunFilter, now: datetime) -> RunFilter:
    """The filter with its query as conditions. Raises Invalid for a query that can't be used, and if other fields are set that don't go with it."""
    if criteria.q is None:
        return criteria
    if criteria != RunFilter(q=criteria.q, states=criteria.states, flow_id=criteria.flow_id):
        raise Invalid("The filter has a query and other conditions; write all of them in the query.")
    if any(state not in STATE_TYPES for state in criteria.states):
        raise Invalid("Beside a query, only types of states such as FAILED narrow a filter; write names in the query.")
    query = parse(criteria.q, now)
    if criteria.flow_id is not None:
        query = structs.replace(query, flow_id=criteria.flow_id)
    return _narrowed(query, criteria.states) if criteria.states else query


def of_types(criteria: RunFilter, now: datetime, types: list[str]) -> RunFilter:
    """The filter for runs that also have a state of one of these types, planned ones included. Raises what `expanded` does."""
    criteria = expanded(criteria, now)
    query = criteria if isinstance(criteria, RunQuery) else RunQuery(**structs.asdict(criteria))
    if query.types:
        types = [type for type in types if type in query.types]
    return _narrowed(query, types) if query.states else structs.replace(query, states=types, types=[])


def _narrowed(query: RunQuery, types: list[str]) -> RunQuery:
    common = [state for state in query.states if state in types]
    if common and not query.state_names:  # an index has the states, but not two conditions on them
        return structs.replace(query, states=common, types=[])
    return structs.replace(query, types=types)


def parse(text: str, now: datetime) -> RunQuery:
    """The query that a text stands for. Raises Invalid, whose detail `token` is the part that can't be used."""
    if len(text) > LONGEST:
        raise Invalid(f"The query is too long; use at most {LONGEST} characters.")
    if "\0" in text:
        raise Invalid("The query contains a NUL character, which no name or value has; remove it.")
    tokens = _TOKEN.findall(text)
    unclosed = next((token for token in tokens if not _CLOSED.fullmatch(token)), None)
    if unclosed is not None:
        raise Invalid(f"{unclosed[:80]} can't be used: its quotation mark is not closed.", token=unclosed)
    if len(tokens) > MOST_TOKENS:
        raise Invalid(f"The query has too many conditions; use at most {MOST_TOKENS}.")
    return _Parser(now).parse(tokens)


@dataclass
class _Value:
    """The value of a token, as written and without its quotation marks."""

    token: str
    written: str
    now: datetime

    @property
    def plain(self) -> str:
        return _unquoted(self.written)

    @property
    def is_quoted(self) -> bool:
        return self.written.startswith('"')

    def refuse(self, why: str) -> NoReturn:
        raise Invalid(f"{self.token[:80]} can't be used: {why}.", token=self.token)

    def read(self, reader: Callable[[str], T], text: str) -> T:
        try:
            return reader(text)
        except (ValueError, OverflowError) as error:
            self.refuse(str(error))

    def moment(self, text: str) -> datetime:
        """A time, in UTC unless it has an offset, or a length of time before now."""
        moment = self.read(
            lambda text: filter_texts.moment(text, self.now, lambda wall: wall.replace(tzinfo=UTC)), text
        )
        check_time(moment, self.token[:80])
        return moment

    def compared(self, example: str) -> tuple[str, str]:
        """The sign and the rest of a value such as `>10m`."""
        if self.plain[:1] not in ("<", ">"):
            self.refuse(f"write it like {example}")
        return self.plain[0], self.plain[1:].removeprefix("=")

    def parts(self) -> list[str]:
        """The values between commas."""
        parts = [self.plain] if self.is_quoted else [part.strip() for part in self.plain.split(",")]
        if not all(parts):
            self.refuse("a value between its commas is missing")
        return parts


class _Parser:
    def __init__(self, now: datetime) -> None:
        self._now = now
        self._fields: dict[str, Any] = {}

    def parse(self, tokens: list[str]) -> RunQuery:
        words: list[str] = []
        for token in tokens:
            match = _FIELD.fullmatch(token)
            if match is None:
                words.append(_unquoted(token))
            else:
                self._field(match[1].lower(), match[2], _Value(token, match[3], self._now))
        if words:
            self._set("text", " ".join(words), _Value(" ".join(words), "", self._now))
        return RunQuery(**self._fields)

    def _field(self, name: str, part: str | None, value: _Value) -> None:
        reader = READERS.get(name)
        if reader is None:
            hint = suggestions.hint(name[:80], sorted(READERS), "the filters are")
            raise Invalid(
                f"There is no filter {name[:80]!r}; {hint} To search for it as text, put it in quotation marks.",
                token=value.token,
            )
        if not value.plain:
            value.refuse("its value is missing")
        if (part is not None) != (name == "param"):
            value.refuse("write a parameter as param.NAME:VALUE, and all others without a dot")
        for field, content in reader(value, part or ""):
            self._set(field, content, value)

    def _set(self, field: str, content: Any, value: _Value) -> None:
        known = self._fields.get(field)
        if isinstance(content, list) and known is not None:
            self._fields[field] = [*known, *content]
        elif isinstance(content, dict) and not (known or {}).keys() & content.keys():
            self._fields[field] = (known or {}) | content
        elif known is not None:
            value.refuse("there is another condition of this kind")
        else:
            self._fields[field] = content


Fields = list[tuple[str, Any]]
Reader = Callable[[_Value, str], Fields]
"""Returns fields of RunQuery with their values."""


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda match: re.sub(r"\\(.)", r"\1", match[1]), text)


def _state(value: _Value, _part: str) -> Fields:
    states = [_states_named(part) for part in value.parts()]
    return [("states", [name for names in states for name in names])]


def _states_named(word: str) -> tuple[str, ...]:
    """Its types or names; in any case, and with any dashes or spaces. What isn't known may be defined by a site's own code."""
    return _STATES.get(re.sub(r"[-_ ]", "", word).casefold(), (word,))


def _text_of(field: str) -> Reader:
    return lambda value, _part: [(field, value.plain)]


def _flow(value: _Value, _part: str) -> Fields:
    """A name, or an id, which addresses of earlier releases have."""
    try:
        return [("flow_id", UUID(value.plain))]
    except ValueError:
        return [("flow", value.plain)]


def _label(value: _Value, _part: str) -> Fields:
    return [("labels", value.parts())]


def _version(value: _Value, _part: str) -> Fields:
    if not re.fullmatch(r"[0-9]{1,9}", value.plain):
        value.refuse("a version is a whole number, such as 14")
    return [("flow_version", int(value.plain))]


def _parent(value: _Value, _part: str) -> Fields:
    if value.plain.lower() == "none":
        return [("is_subrun", False)]
    try:
        return [("parent", UUID(value.plain))]
    except ValueError:
        value.refuse("write the ID of the run that has started them, or none")


def _param(value: _Value, name: str) -> Fields:
    if value.is_quoted:
        return [("parameters", {name: value.plain})]
    return [("parameters", {name: value.read(filter_texts.parameter, f"{name}={value.plain}")[1]})]


def _moment_of(field: str) -> Reader:
    return lambda value, _part: [(field, value.moment(value.plain))]


def _started(value: _Value, _part: str) -> Fields:
    sign, text = value.compared("started:>2026-01-31 or started:<7d")
    return [("started_since" if sign == ">" else "started_until", value.moment(text))]


def _duration(value: _Value, _part: str) -> Fields:
    sign, text = value.compared("duration:>10m or duration:<90s")
    return [("longer_than" if sign == ">" else "shorter_than", value.read(filter_texts.seconds, text))]


def _is(value: _Value, _part: str) -> Fields:
    match value.plain.lower():
        case "late":
            return [("states", ["Late"])]
        case "planned":
            return [("states", ["SCHEDULED"]), ("since", value.now)]
        case "subrun":
            return [("is_subrun", True)]
    value.refuse("it can be is:late, is:planned, or is:subrun")


READERS: dict[str, Reader] = {
    "state": _state,
    "flow": _flow,
    "project": _text_of("project"),
    "label": _label,
    "agent": _text_of("agent"),
    "version": _version,
    "by": _text_of("created_by"),
    "parent": _parent,
    "param": _param,
    "started": _started,
    "since": _moment_of("since"),
    "until": _moment_of("until"),
    "duration": _duration,
    "error": _text_of("error"),
    "is": _is,
    "text": _text_of("text"),
    "name": _text_of("name"),
}
