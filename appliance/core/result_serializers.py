"""How a result becomes bytes and back. A serializer is two methods; your own needs nothing else."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO, StringIO
from typing import Any, ClassVar, Literal

from appliance.core import unpickle
from appliance.kit import options

Buffer = bytes | memoryview

_DATETIME = "$datetime"
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
        import cloudpickle  # type: ignore[import-untyped]

        content: bytes = cloudpickle.dumps(value)
        return content

    def deserialize(self, content: Buffer) -> Any:
        return unpickle.loads(content)  # the content's hash was checked, and its store belongs to the author


class JSONSerializer(Serializer):
    """Text that other programs read: strings, numbers, booleans, None, lists, dicts with text keys, and datetimes.

    A datetime is written as `{"$datetime": "2026-01-31T06:30:00+00:00"}` and comes back as one, its zone as an offset; a tuple
    comes back as a list.
    Anything else raises TypeError rather than being altered.
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
    """Data frames as files of a well-known type. `csv` leaves the index out; `parquet` also needs pyarrow.

    The keyword arguments go to pandas, `DataFrame.to_csv(**write_options)` and `read_csv(**read_options)` for instance.
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
        if self.file_type == "parquet":
            buffer = BytesIO()
            value.to_parquet(buffer, **self.write_options)
            return buffer.getvalue()
        text: str = getattr(value, f"to_{self.file_type}")(**self.write_options)
        return text.encode()

    def deserialize(self, content: Buffer) -> Any:
        pandas = _library("pandas", "pandas")
        if self.file_type == "parquet":
            return pandas.read_parquet(BytesIO(content), **self.read_options)
        return getattr(pandas, f"read_{self.file_type}")(StringIO(bytes(content).decode()), **self.read_options)

    def __repr__(self) -> str:
        return f"PandasSerializer({self.file_type!r})"


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
    return serializer


_ENDINGS = {"gzip": ".gz", "bz2": ".bz2", "lzma": ".xz", "zlib": ".zz"}


def _library(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"{module} is not installed; run: pip install 'appliance[{extra}]'") from None


def _to_json(value: Any) -> Any:
    kind = type(value)
    if kind in _JSON_TYPES:
        return value
    if kind is list or kind is tuple:
        return [_to_json(one) for one in value]
    if kind is dict:
        if value.keys() == {_DATETIME}:
            raise TypeError(f"JSONSerializer can't write a dict whose only key is {_DATETIME!r}")
        return {_text_key(key): _to_json(one) for key, one in value.items()}
    if kind is datetime:
        return {_DATETIME: value.isoformat()}
    raise TypeError(f"JSON can't hold a value of type {kind.__name__}; convert it or use PickleSerializer()")


def _text_key(key: Any) -> str:
    if type(key) is not str:
        raise TypeError(f"JSON can't hold the key {key!r}, which is not a string; convert it or use PickleSerializer()")
    return key


def _from_json(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value[_DATETIME]) if value.keys() == {_DATETIME} else value
