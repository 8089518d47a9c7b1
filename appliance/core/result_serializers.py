"""How a result becomes bytes and back. A serializer is two methods; your own needs nothing else."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from io import BytesIO, StringIO
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from appliance.core import frame_changes, pickles, scalars, unpickle
from appliance.core.async_functions import refuse_async
from appliance.kit import options
from appliance.kit.distribution import install

Buffer = bytes | memoryview

_DATETIME, _TUPLE = "$datetime", "$tuple"
_MARKS = frozenset({_DATETIME, _TUPLE})
_TITLES = {"csv": "CSV", "json": "JSON", "parquet": "Parquet"}
_JSON_TYPES = (str, int, float, bool, type(None))


class Serializer(ABC):
    """Turns a value into bytes and back. Whatever it raises becomes a failure of the task."""

    suffix: ClassVar[str] = ""
    """The extension of default file names, for people who browse the store."""

    @abstractmethod
    def serialize(self, value: Any) -> bytes:
        """The value as bytes."""

    @abstractmethod
    def deserialize(self, content: Buffer) -> Any:
        """The value that `serialize` turned into these bytes."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PickleSerializer(Serializer):
    """Handles nearly every Python value, including functions and classes of scripts. Only read what you trust: a pickle is code.

    Read it with the same minor version of Python that wrote it.
    """

    suffix = ".pickle"

    def serialize(self, value: Any) -> bytes:
        return pickles.dumps(value)

    def deserialize(self, content: Buffer) -> Any:
        return unpickle.loads(content)  # the content's hash was checked, and its store belongs to the author


class JSONSerializer(Serializer):
    """Text that other programs read: strings, numbers, booleans, None, lists, dicts with text keys, and datetimes.

    A datetime is written as `{"$datetime": "2026-01-31T06:30:00+00:00"}` and comes back as one, with a `ZoneInfo` as
    `{"$datetime": {"at": "2026-01-31T06:30:00+01:00", "zone": "Europe/Berlin"}}`, with the name of another zone in `name`; a tuple is written as `{"$tuple": [...]}`. Numbers of numpy become Python's. NaN and infinity are written as `NaN` and `Infinity`, which
    not every program reads. Anything else raises TypeError rather than being altered.
    """

    suffix = ".json"

    def serialize(self, value: Any) -> bytes:
        import json

        return json.dumps(_to_json(value), ensure_ascii=False, indent=self.indent).encode()

    def __init__(self, indent: int | None = None) -> None:
        self.indent = options.whole_number("indent", indent, 0)

    def deserialize(self, content: Buffer) -> Any:
        import json

        return json.loads(bytes(content), object_hook=_from_json)


class PandasSerializer(Serializer):
    """Data frames as CSV, JSON or Parquet files, which other programs can read.

    `write_options` and `read_options` are passed to pandas. `parquet` also needs pyarrow. CSV and JSON know little of a frame: without
    options, CSV keeps numbers, booleans and text in columns, and no index. What was written is read to check it; what would come back
    as something else, such as an index, "00123", "NA" or dates in CSV, and lists in Parquet, raises TypeError with its name.
    """

    def __init__(
        self,
        file_type: Literal["csv", "parquet", "json"] = "csv",
        *,
        write_options: Mapping[str, Any] | None = None,
        read_options: Mapping[str, Any] | None = None,
    ) -> None:
        if file_type not in ("csv", "parquet", "json"):
            raise ValueError(f"PandasSerializer supports csv, parquet and json, not {file_type!r}; choose one of them.")
        self.file_type = file_type
        self.suffix = f".{file_type}"  # type: ignore[misc]  # it depends on the file type
        self.write_options = {
            **({"index": False} if file_type == "csv" else {}),
            **options.mapping("write_options", write_options),
        }
        self.read_options = options.mapping("read_options", read_options)

    def serialize(self, value: Any) -> bytes:
        pandas = _library("pandas", "pandas")
        if not isinstance(value, pandas.DataFrame):
            raise TypeError(f"PandasSerializer writes data frames, not {type(value).__name__}")
        try:
            content = self._written(value)
            changes = frame_changes.of(value, self.deserialize(content))
            if changes and self.file_type == "json" and not self.write_options:  # pandas writes at most 15 digits
                exact = frame_changes.json_text(value)
                if exact is not None and not frame_changes.of(value, self.deserialize(exact)):
                    return exact
        except (ValueError, OverflowError, RuntimeError) as error:  # repeated names, for example, or nothing to read
            changes = [f"this frame ({str(error)[:200].rstrip('.')})"]
        if changes:
            raise TypeError(
                f"{_TITLES[self.file_type]} doesn't keep {' or '.join(changes)}; convert it, give write_options and "
                "read_options that keep it, or use PickleSerializer()"
            )
        return content

    def _written(self, frame: Any) -> bytes:
        if self.file_type == "parquet":
            buffer = BytesIO()
            frame.to_parquet(buffer, **self.write_options)
            return buffer.getvalue()
        text: str = getattr(frame, f"to_{self.file_type}")(**self.write_options)
        return text.encode()

    def deserialize(self, content: Buffer) -> Any:
        pandas = _library("pandas", "pandas")
        if self.file_type == "parquet":
            return pandas.read_parquet(BytesIO(content), **self.read_options)
        options = {**_exact_floats(self.file_type, self.read_options, pandas.__version__), **self.read_options}
        return getattr(pandas, f"read_{self.file_type}")(StringIO(bytes(content).decode()), **options)

    def __repr__(self) -> str:
        return f"PandasSerializer({self.file_type!r})"


def _exact_floats(file_type: str, given: Mapping[str, Any], version: str) -> dict[str, Any]:
    """What has pandas read a float as exactly the one that was written."""
    if file_type == "json":
        return {"precise_float": True} if given.get("engine", "ujson") == "ujson" else {}
    exact_anyway = int(version.partition(".")[0]) >= 3 or given.get("engine", "c") != "c"
    return {} if exact_anyway else {"float_precision": "round_trip"}


class CompressedSerializer(Serializer):
    """Another serializer's bytes, compressed by `gzip`, `bz2`, `lzma` or `zlib`."""

    def __init__(self, serializer: Serializer, format: Literal["gzip", "bz2", "lzma", "zlib"] = "gzip") -> None:
        if format not in _ENDINGS:
            raise ValueError(
                f"CompressedSerializer supports {', '.join(_ENDINGS)}, not {format!r}; choose one of them."
            )
        self.serializer = require_serializer(serializer)
        self.format = format
        self.suffix = getattr(serializer, "suffix", "") + _ENDINGS[format]  # type: ignore[misc]  # it depends on both

    def serialize(self, value: Any) -> bytes:
        content = self.serializer.serialize(value)
        compress: Callable[..., bytes] = importlib.import_module(self.format).compress
        return compress(content, mtime=0) if self.format == "gzip" else compress(content)

    def deserialize(self, content: Buffer) -> Any:
        return self.serializer.deserialize(importlib.import_module(self.format).decompress(content))

    def __repr__(self) -> str:
        return f"CompressedSerializer({self.serializer!r}, {self.format!r})"


def require_serializer(serializer: Any) -> Any:
    """The serializer, if it has the two methods. Raises TypeError."""
    if isinstance(serializer, type) or not all(
        callable(getattr(serializer, name, None)) for name in ("serialize", "deserialize")
    ):
        raise TypeError(f"A serializer has the methods serialize and deserialize; {serializer!r} lacks them.")
    for name in ("serialize", "deserialize"):
        refuse_async(f"{name} of a serializer", getattr(serializer, name))
    return serializer


_ENDINGS = {"gzip": ".gz", "bz2": ".bz2", "lzma": ".xz", "zlib": ".zz"}


def _library(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"{module} is not installed; run: {install(extra)}") from None


def _to_json(value: Any) -> Any:
    kind = type(value)
    if kind in _JSON_TYPES:
        return value
    if kind is list:
        return [_to_json(one) for one in value]
    if kind is tuple:
        return {_TUPLE: [_to_json(one) for one in value]}
    if kind is dict:
        if len(value) == 1 and not _MARKS.isdisjoint(value):
            raise TypeError(f"JSONSerializer can't write a dict whose only key is {next(iter(value))!r}")
        return {_text_key(key): _to_json(one) for key, one in value.items()}
    if kind is datetime:
        return {_DATETIME: _time(value)}
    if scalars.is_numpy_scalar(value):
        return _to_json(value.item())
    raise TypeError(f"JSON can't hold a value of type {kind.__name__}; convert it or use PickleSerializer()")


def _time(value: datetime) -> str | dict[str, Any]:
    """The text alone if that is the whole time, else with what it can't say."""
    zone, text = value.tzinfo, value.isoformat()
    more: dict[str, Any] = {}
    if type(zone) is ZoneInfo and zone.key is not None:
        more["zone"] = zone.key
    elif zone is not None:
        if zone.utcoffset(None) is None:  # only a zone with one offset has an answer
            raise TypeError(
                f"JSON can't hold the time zone {zone!r}; convert it, such as with `astimezone(UTC)`, or use PickleSerializer()"
            )
        name = _zone_name(value)
        if name is not None and name != datetime.fromisoformat(text).tzname():
            more["name"] = name
    if value.fold:
        more["fold"] = value.fold
    return {"at": text, **more} if more else text


def _zone_name(value: datetime) -> str | None:
    try:
        return value.tzname()
    except Exception:  # noqa: BLE001 - code of the zone's own class, which may have no names
        return None


def _from_time(written: str | dict[str, Any]) -> datetime:
    if isinstance(written, str):
        return datetime.fromisoformat(written)
    value = datetime.fromisoformat(written["at"]).replace(fold=written.get("fold", 0))
    if "zone" in written:
        return value.replace(tzinfo=ZoneInfo(written["zone"]))
    offset = value.utcoffset()
    return (
        value.replace(tzinfo=timezone(offset, written["name"])) if offset is not None and "name" in written else value
    )


def _text_key(key: Any) -> str:
    if type(key) is not str:
        raise TypeError(f"JSON can't hold the key {key!r}, which is not a string; convert it or use PickleSerializer()")
    return key


def _from_json(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    if _DATETIME in value:
        return _from_time(value[_DATETIME])
    return tuple(value[_TUPLE]) if type(value.get(_TUPLE)) is list else value
