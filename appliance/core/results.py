"""Where results are stored: the contract of result backends, the rules for locations, and templates in them.

A backend is three methods over bytes, `put`, `get` and `has`; writing values, checking hashes and reading back is the same for all,
also for small results of tracked runs, which lie together in packs.
A location is a relative name inside its backend, so a backend may be moved as a whole.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from typing import Any

from appliance.core import packs
from appliance.core.async_functions import plain_value, refuse_async
from appliance.core.errors import (
    ResultCorruptError,
    ResultError,
    ResultLocationError,
    ResultNotFoundError,
    ResultTypeError,
)
from appliance.core.result_serializers import Buffer, PickleSerializer, Serializer, require_serializer
from appliance.core.signals import StateSignal
from appliance.kit import clock, ids

Template = str | Callable[..., str]
"""A location template with names in braces, such as `{flow_name}/{date:%Y-%m-%d}.pickle`, or a function that returns one."""

MAX_LOCATION, MAX_SEGMENT = 1024, 240  # bytes: what S3 and file systems take, less the ending of a draft

PROBE = "appliance-probe"
"""A location that is looked for to see whether a place can be reached. Nothing is ever stored there."""
_RECENT_PACKS = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """A result that was written: its location, the hex SHA-256 of its bytes, and their number."""

    location: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Unloaded:
    """The placeholder in `state.result` for a value that is stored in a backend and has not been read."""

    location: str
    sha256: str | None = None


class Result(ABC):
    """A place for results. `location` is a template; without one, every result gets a unique name under the date."""

    optional = False
    """Is the place a site's default rather than the author's choice? Then a value that can't be written fails no task."""

    def __init__(self, *, location: Template | None = None, serializer: Serializer | None = None) -> None:
        """Raises TypeError for a location or serializer that can't be one."""
        if location is not None and not isinstance(location, str) and not callable(location):
            raise TypeError("location must be a template such as '{flow_name}/{date:%Y-%m-%d}.pickle' or a function.")
        refuse_async("location", location)
        for method in ("put", "get", "has"):
            refuse_async(f"{method} of {type(self).__name__}", getattr(self, method))
        self.location = location
        self.serializer: Any = PickleSerializer() if serializer is None else require_serializer(serializer)

    # --- what a backend is: bytes under names

    @property
    @abstractmethod
    def address(self) -> str:
        """The place as a URL without credentials, for people."""

    @abstractmethod
    def put(self, location: str, content: bytes) -> None:
        """Write all or nothing, replacing what was there. Raises ResultError."""

    @abstractmethod
    def get(self, location: str) -> Buffer:
        """The bytes. Raises ResultNotFoundError, and ResultError when they can't be read."""

    @abstractmethod
    def has(self, location: str) -> bool:
        """Is there something with that name? Raises ResultError when that can't be determined."""

    def put_until(self, location: str, content: bytes, expires: datetime) -> None:
        """The same for what nobody needs after a time, when a place that tidies up may remove it. Raises ResultError."""
        self.put(location, content)

    # --- what is made of it

    def write(self, value: Any, /, **names: Any) -> Stored:
        """Write a value to the location, whose template may use `names`. Raises ResultError."""
        return self.store(value, self.default_location() if self.location is None else render(self.location, names))

    def store(self, value: Any, location: str) -> Stored:
        """Write a value to exactly this location. Raises ResultError."""
        check_location(location)
        content = self.serialized(value)
        self.put(location, content)
        return Stored(location, hashlib.sha256(content).hexdigest(), len(content))

    def serialized(self, value: Any) -> bytes:
        """The value as bytes. Raises ResultTypeError."""
        try:
            content: bytes = plain_value("serialize", self.serializer.serialize(value))
        except Exception as error:  # code of the value's own class may raise anything
            raise ResultTypeError(
                f"A value of type {type(value).__name__} can't be serialized by {self.serializer!r}: {_short(error)}; "
                "return something that can be, choose another serializer, or set checkpoint=False on the task."
            ) from error
        return content

    def read(self, location: str, sha256: str | None = None) -> Any:
        """The value at the location; nothing is unpickled unless its bytes match the hash. Raises ResultError."""
        return self.load(location, sha256)[0]

    def load(self, location: str, sha256: str | None = None) -> tuple[Any, Stored]:
        """The value at the location, and what is stored there."""
        check_location(location)
        record = packs.parse(location)
        content = self.get(location) if record is None else self._content_of(record)
        stored = Stored(location, hashlib.sha256(content).hexdigest(), len(content))
        if sha256 is not None and stored.sha256 != sha256:
            what = f"does not have the content that was written ({len(content)} bytes)" if len(content) else "is empty"
            raise ResultCorruptError(f"The result at {self.where(location)} {what}; run its task again to replace it.")
        try:
            return plain_value("deserialize", self.serializer.deserialize(content)), stored
        except Exception as error:  # code of the value's own class may raise anything
            why = f"can't be deserialized by {self.serializer!r}: {_short(error)}" if len(content) else "is empty"
            raise ResultCorruptError(
                f"The result at {self.where(location)} {why}; remove it or run its task again to replace it."
            ) from error

    def holds(self, location: str) -> bool:
        """Is there a result at this location, which may be in a pack? A damaged record counts as none. Raises ResultError."""
        check_location(location)
        record = packs.parse(location)
        if record is None:
            return self.has(location)
        try:
            self._content_of(record)
        except (ResultNotFoundError, ResultCorruptError):
            return False
        return True

    def exists(self, location: Template, /, **names: Any) -> bool:
        """Is there a result at the location that the template gives? Raises ResultError."""
        place = render(location, names)
        check_location(place)
        return self.holds(place)

    # --- packs, which a backend may write and read in a better way

    def new_pack(self, location: str) -> packs.Pack:
        """A pack to write. Raises ResultError."""
        return packs.ObjectPack(self, location)

    def get_part(self, location: str, offset: int, length: int) -> Buffer:
        """Some bytes of a pack, fewer than asked for at its end. A pack is read as a whole, and the last ones are remembered for those
        who read one result after the other. Raises like `get`."""
        recent: dict[str, Buffer] = self.__dict__.setdefault("_recent", {})
        content = recent.get(location)
        if content is None:
            content = self.get(location)
            for oldest in list(recent)[: len(recent) - _RECENT_PACKS + 1]:
                recent.pop(oldest, None)
            recent[location] = content
        return content[offset : offset + length]

    def _content_of(self, record: packs.Record) -> bytes:
        try:
            raw = self.get_part(record.pack, record.offset, record.size)
        except ResultNotFoundError:
            raise self.not_found(str(record)) from None
        content = packs.decode(record, raw)
        if content is None:
            self.__dict__.pop("_recent", None)
            raise ResultCorruptError(
                f"The result at {self.where(str(record))} is damaged or was not written to its end; run its task again to replace it."
            )
        return content

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_recent"}

    # --- names

    def pack_location(self, *parts: str) -> str:
        """A new name for a pack, such as `2026/01/31/0198..../attempt-1-0198....pack`."""
        return self._dated(parts, packs.SUFFIX)

    def default_location(self, *parts: str) -> str:
        """A new name under the date, such as `2026/01/31/extract-0198....pickle`."""
        return self._dated(parts, getattr(self.serializer, "suffix", ""))

    def _dated(self, parts: Sequence[str], suffix: str) -> str:
        *folders, name = [_plain(part) for part in parts] or [""]
        stem = f"{name}-{ids.uuid7()}" if name else str(ids.uuid7())
        return "/".join([f"{clock.now():%Y/%m/%d}", *filter(None, folders), stem + suffix])

    def where(self, location: str) -> str:
        """The full address of a location, for people."""
        return f"{self.address.rstrip('/')}/{location}"

    def not_found(self, location: str) -> ResultNotFoundError:
        """What `get` raises where there is nothing."""
        return ResultNotFoundError(f"There is no result at {self.where(location)}; run its task again.")

    def trouble(self, verb: str, location: str, why: str) -> ResultError:
        """What a backend raises when its store fails; `verb` is for example "read from"."""
        return ResultError(f"The result can't be {verb} {self.where(location)}: {why}.")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address}>"


def check_location(location: str) -> None:
    """Refuse what could escape its backend, or what some backend can't name. Raises ResultLocationError."""
    if not isinstance(location, str) or not location:
        raise ResultLocationError(f"A result's location must be a non-empty string, not {location!r}.")
    try:
        size = len(location.encode())
    except UnicodeEncodeError:
        raise ResultLocationError(
            f"The result location {location!r} contains an unpaired surrogate; use valid Unicode."
        ) from None
    if any(ord(char) < 32 or ord(char) == 127 for char in location) or "\\" in location:
        raise ResultLocationError(
            f"The result location {location!r} contains a control character or a backslash; use plain names and slashes."
        )
    segments = location.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise ResultLocationError(
            f"The result location {location!r} must be relative and stay inside its store; "
            "write it like folder/name, without a leading or trailing slash and without '.' or '..' as a name."
        )
    if size > MAX_LOCATION or any(len(segment.encode()) > MAX_SEGMENT for segment in segments):
        raise ResultLocationError(
            f"The result location {location[:60]!r}... is too long; use at most {MAX_LOCATION} bytes, {MAX_SEGMENT} per name."
        )


def render(template: Template, names: Mapping[str, Any]) -> str:
    """The location that a template yields for these names. Raises ResultLocationError, which lists the available names."""
    try:
        if callable(template):
            location: str = plain_value("The function", template(**_accepted(template, names)))
            return location
        return _Names(names).vformat(template, (), names)
    except ResultError:
        raise
    except (Exception, StateSignal) as error:  # a signal ends a task only if the task's own code raises it
        name = getattr(template, "__name__", repr(template))
        raise ResultLocationError(f"The result location {name} can't be rendered: {_short(error)}.") from error


def names_in(template: str) -> set[str]:
    """The names that a template uses. Raises ResultLocationError."""
    try:
        return {re.split(r"[.\[]", field)[0] for _, field, _, _ in Formatter().parse(template) if field}
    except ValueError as error:
        raise ResultLocationError(f"The result location {template!r} can't be rendered: {_short(error)}.") from error


class _Names(Formatter):
    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        if key in self._names:
            return self._names[key]  # type: ignore[index]  # a number is never among the names
        raise ResultLocationError(
            f"The result location uses {{{key if isinstance(key, str) else ''}}}, which is not available; "
            f"available: {', '.join(sorted(self._names)) or 'nothing'}."
        )


def _accepted(function: Callable[..., str], names: Mapping[str, Any]) -> dict[str, Any]:
    """The names that the function has arguments for."""
    parameters = inspect.signature(function).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return dict(names)
    return {name: value for name, value in names.items() if name in parameters}


def _plain(name: str) -> str:
    """A part of a file name that every backend accepts."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:80]


def _short(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception of user code may not even be printable
        text = ""
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:300].rstrip(".")
