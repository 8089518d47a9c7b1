"""What the arrays and tables of numpy and pandas consist of, so that all of it goes into their fingerprints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_FRAME, _SERIES, _INDEX, _ARRAY = "DataFrame", "Series", "Index", "ExtensionArray"
_INTERNAL = frozenset(
    {"_mgr", "_typ", "_attrs", "_flags", "_metadata", "_cache", "_item_cache", "_cacher", "_is_copy", "_subtyp"}
)
"""Attributes in which pandas keeps what is read here by its public names, and what it adds to a table that was pickled."""


def parts(value: Any) -> list[Any] | None:
    """The parts of an array, a scalar or a table, themselves values; None for anything else."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy":
        return _numpy(value) if hasattr(value, "dtype") and hasattr(value, "tobytes") else None
    bases = {base.__name__ for base in kind.__mro__ if base.__module__.partition(".")[0] == "pandas"}
    return _pandas(value, bases) if bases else None


def _numpy(value: Any) -> list[Any]:
    dtype = value.dtype
    parts: list[Any] = [str(dtype.descr) if dtype.names else repr(dtype), list(value.shape)]
    if hasattr(value, "mask") and hasattr(value, "fill_value"):
        import numpy

        return [*parts, numpy.ma.getmaskarray(value), _numpy(value.fill_value), value.data]
    if dtype.names:  # field by field, because the space between fields has no defined content
        return [*parts, *[value[name] for name in dtype.names]]
    return [*parts, _content(value)]


def _content(value: Any) -> Any:
    flat = value.ravel()
    if value.dtype.hasobject or value.dtype.kind == "T":
        return flat.tolist()
    return list(map(str, flat)) if value.dtype.char in "gG" else value.tobytes()  # a long double is padded, too


def _pandas(value: Any, bases: set[str]) -> list[Any] | None:
    if _FRAME in bases:
        columns = [column(value.iloc[:, place].array) for place in range(value.shape[1])]
        return [value.columns, value.index, *columns, *_beside(value)]
    if _SERIES in bases:
        return [value.name, value.index, column(value.array), *_beside(value)]
    if _INDEX in bases:
        return [list(value.names), *_index(value, bases)]
    return column(value) if _ARRAY in bases else None


def _beside(value: Any) -> Iterable[Any]:
    """What a table has besides its content: attributes of pandas, and of a subclass."""
    own = {name: getattr(value, name, None) for name in value._metadata if name not in ("_name", "name")}
    own |= {name: item for name, item in vars(value).items() if name not in _INTERNAL and name != "_name"}
    return value.attrs, value.flags.allows_duplicate_labels, own


def _index(value: Any, bases: set[str]) -> Iterable[Any]:
    if "MultiIndex" in bases:
        return [*value.levels, *value.codes]
    return [str(getattr(value, "freq", None)), column(value.array)]


def column(array: Any) -> list[Any]:
    """The type and the content of a column. How text is kept in memory doesn't matter."""
    dtype = array.dtype
    return [f"{dtype} {dtype.na_value}" if hasattr(dtype, "storage") else repr(dtype), *_array(array)]


def _array(value: Any) -> Iterable[Any]:
    """The content of a column, without a Python object for each element where that is possible."""
    if hasattr(value, "categories"):
        return value.categories, value.ordered, value.codes
    if hasattr(value, "asi8"):  # times, durations and periods
        return [value.asi8]
    if hasattr(value, "closed") and hasattr(value, "left"):
        return value.left, value.right
    if any(base.__name__ == "BaseMaskedArray" for base in type(value).__mro__) and value.isna().any():
        return [value.to_numpy(dtype=object, na_value=None)]  # only objects show that NA is not NaN
    return [value.to_numpy()]
