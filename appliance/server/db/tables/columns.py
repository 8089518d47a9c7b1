"""Column types that behave the same on SQLite and Postgres, and the names of constraints that migrations rely on.

Each raises DamagedRow for a stored value that could not have been stored through it. Some also convert a whole column at once, in a third of
the time: `result_column_processor` what was read, `bind_column_processor` what is inserted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from types import NoneType
from typing import Any, NoReturn, TypeAlias, cast
from uuid import UUID

import msgspec
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Index, Integer, String, Table, Text, TypeDecorator, Uuid
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

from appliance.server.errors import DamagedRow

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = SQLModel.metadata
SQLModel.model_config["defer_build"] = (
    True  # nothing is validated by these classes, so pydantic need not prepare it at each start
)
_convert = msgspec.convert
_ColumnProcessor: TypeAlias = Callable[[Sequence[Any]], Iterable[Any]]
_UUIDS = list[UUID | None]
_zone: Callable[[datetime], Any] = attrgetter("tzinfo")


def table(model: type[SQLModel]) -> Table:
    """The table of a mapped class, which SQLModel gives its classes but does not declare."""
    return cast(Table, vars(model)["__table__"])


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which a condition holds. It is the migrations that create it: told the condition of each database, SQLAlchemy loads both."""
    return Index(name, *columns, unique=unique, info={"where": where})


BigKey = BigInteger().with_variant(Integer(), "sqlite")
"""A growing 64-bit key; SQLite wants plain INTEGER to make it the row id."""

LongText = Text()


class Json(TypeDecorator[Any]):
    """A JSON document of this shape, which no query searches. What code relies on inside of it is in `inner`."""

    impl = JSON
    cache_ok = True

    def __init__(self, shape: Any, inner: Any = None) -> None:
        super().__init__(none_as_null=True)
        self.shape, self.inner = shape, inner

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(self.impl_instance)
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return self.impl_instance.coerce_compared_value(op, value)

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], Any]:
        inner = None if self.inner is None else _checked(self.inner)
        decode = msgspec.json.Decoder(self.shape).decode

        def load(value: Any) -> Any:
            if value is None:
                return None
            try:
                document = decode(value)
                if inner is not None:
                    _convert((document,), inner)
                return document
            except _WRONG as error:
                _damaged("no JSON document of the right shape", error)

        return load


@cache
def _checked(shape: Any) -> Any:
    """A class with a document of this shape, which msgspec keeps ready: it would look into `dict[str, Any]` again for each document."""
    return msgspec.defstruct("Checked", [("document", shape)], array_like=True)


Document = Json(dict[str, Any])
Documents = Json(list[dict[str, Any]])
Texts = Json(list[str])


class Whole(TypeDecorator[int]):
    """A whole number. SQLite stores whatever it is given."""

    impl = Integer
    cache_ok = True

    def result_column_processor(self, dialect: Dialect) -> _ColumnProcessor | None:
        return _wholes if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, _coltype: object) -> Callable[[Any], Any] | None:
        return _whole if dialect.name == "sqlite" else None


class Id(TypeDecorator[UUID]):
    """A UUID."""

    impl = Uuid
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _hex if dialect.name == "sqlite" else super().bind_processor(dialect)

    def bind_column_processor(self, dialect: Dialect) -> _ColumnProcessor | None:
        return _hexes if dialect.name == "sqlite" else None

    def result_column_processor(self, dialect: Dialect) -> _ColumnProcessor | None:
        return _uuids if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, _coltype: object) -> Callable[[Any], Any] | None:
        return _uuid if dialect.name == "sqlite" else None


class OneOf(TypeDecorator[str]):
    """One of these words."""

    impl = String
    cache_ok = True

    def __init__(self, *words: str, length: int = 20) -> None:
        super().__init__(length)
        self.words = words

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], Any]:
        return _Known((word, word) for word in (None, *self.words)).__getitem__


class Time(TypeDecorator[datetime]):
    """Takes aware times and returns them in UTC, with microseconds. SQLite has no zones, so it stores the text of a UTC time without one.

    SQLAlchemy gets the conversion functions themselves, since every write has a dozen times. Both drivers return texts."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def result_column_processor(self, dialect: Dialect) -> _ColumnProcessor | None:
        return _times if dialect.name == "sqlite" else _times_of_postgres

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return _as_text if dialect.name == "sqlite" else _in_utc

    def bind_column_processor(self, dialect: Dialect) -> _ColumnProcessor | None:
        """What does the same to many values at once; see BulkInsert."""
        return _as_texts if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, _coltype: object) -> Callable[[Any], Any]:
        return _from_text if dialect.name == "sqlite" else _from_postgres


class _Known(dict[str | None, str | None]):
    """A function of C that returns the words that are keys."""

    def __missing__(self, value: object) -> NoReturn:
        _damaged("none of the words that the column may hold")


_WRONG = (ValueError, TypeError, AttributeError)
_WHOLE_SECOND = len("2026-01-31 06:30:00")
_QUOTED = len('"2026-01-31 06:30:00.000001Z",')
_HEX = len(f'"{UUID(int=0).hex}",')
hex_encode = msgspec.json.Encoder(uuid_format="hex").encode
"""A JSON list of UUIDs as SQLite stores them."""


def _damaged(what: str, error: Exception | None = None) -> NoReturn:
    raise DamagedRow(
        "A row of the database that this needs holds a damaged value; `appliance doctor rows` says which.", fault=what
    ) from error


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError("A time without a zone can't be stored.")
    return value.astimezone(UTC)


def _as_text(value: datetime | None) -> str | None:
    time = _in_utc(value)  # before the cache: in a zone, the hour that clocks repeat equals itself
    return None if time is None else _text_of(time)


@lru_cache(maxsize=4096)
def _text_of(time: datetime) -> str:
    """One write has the same few times in many columns. A third of the time of `isoformat`, and found again a tenth."""
    text = msgspec.json.encode(time).decode()
    return f"{text[1:11]} {text[12:-2] if time.microsecond else text[12:20] + '.000000'}"


def _as_texts(values: Sequence[datetime | None]) -> Sequence[str | None]:
    """A sixth of the time of one after the other: msgspec writes all of them in one call."""
    times = [value if value.tzinfo is UTC else _in_utc(value) for value in values if value is not None]
    if not times:
        return values  # type: ignore[return-value]  # none has a value
    written = msgspec.json.encode(times).decode().replace("T", " ")
    texts = written[2:-3].split('Z","')
    if len(written) < len(times) * _QUOTED + 1:
        texts = [f"{text}.000000" if len(text) == _WHOLE_SECOND else text for text in texts]
    return texts if len(texts) == len(values) else _with_gaps(values, texts)


def _with_gaps(values: Sequence[Any], texts: Sequence[str]) -> list[str | None]:
    rest = iter(texts)
    return [None if value is None else next(rest) for value in values]


def _from_text(value: str | None) -> datetime | None:
    try:
        return None if value is None else datetime.fromisoformat(value + "+00:00")  # five times as fast as `replace`
    except _WRONG as error:
        _damaged("no time", error)


def _times(values: Sequence[Any]) -> Iterable[Any]:
    read = datetime.fromisoformat
    try:
        return [None if value is None else read(value + "+00:00") for value in values]
    except _WRONG:
        return map(_from_text, values)


def _from_postgres(value: str | None) -> datetime | None:
    try:
        return None if value is None else _in_utc(datetime.fromisoformat(value))
    except (*_WRONG, OverflowError) as error:  # it knows infinity and years that Python doesn't
        _damaged("a time out of range", error)


def _times_of_postgres(values: Sequence[Any]) -> Iterable[Any]:
    read = datetime.fromisoformat
    try:
        times = [None if value is None else read(value) for value in values]
    except _WRONG:
        return map(_from_postgres, values)
    return times if {UTC}.issuperset(map(_zone, filter(None, times))) else map(_from_postgres, values)


def _whole(value: int | None) -> int | None:
    if value is None or isinstance(value, int):
        return value
    _damaged("no whole number")


def _wholes(values: Sequence[Any]) -> Iterable[Any]:
    return values if set(map(type, values)) <= {int, NoneType} else map(_whole, values)


def _uuids(values: Sequence[Any]) -> Iterable[Any]:
    try:
        return cast(list[Any], _convert(values, _UUIDS))
    except _WRONG:
        return map(_uuid, values)


def _hex(value: UUID | None) -> str | None:
    return None if value is None else f"{value.int:032x}"  # half the time of `hex`


def _hexes(values: Sequence[UUID | None]) -> Sequence[str | None]:
    """A third of the time of one after the other."""
    written = hex_encode(values)
    if len(written) < len(values) * _HEX + 1:  # not all of them are there
        return [_hex(value) for value in values]
    return written.decode()[2:-2].split('","')


def _uuid(value: str | None) -> UUID | None:
    try:
        if value.__class__ is str:
            return _convert(value, UUID)  # a third of the time of `UUID`
        return None if value is None else UUID(value)
    except _WRONG as error:
        _damaged("no UUID", error)
