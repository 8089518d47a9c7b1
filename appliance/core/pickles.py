"""Pickles values with classes of the running script, so that the next process of that script gets its own classes back.

cloudpickle stores the classes of `__main__` by value, because other processes have another `__main__`. Such a class is marked here with
its real module and name, in a place that cloudpickle leaves to its users; `unpickle` looks whether the reader has it.
"""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable
from functools import reduce
from io import BytesIO
from types import FunctionType
from typing import Any

from appliance.core import flow_file

MARK = "appliance"
_PLAIN = frozenset({bool, int, float})
"""Types whose pickles are the same without what is done here for others, which costs more than their results."""


def dumps(value: Any) -> bytes:
    """Pickle, with the classes and functions of scripts and notebooks by value."""
    if type(value) in _PLAIN:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    file = BytesIO()
    _pickler()(file).dump(value)
    return file.getvalue()


def value_at(module: Any, qualname: str) -> Any:
    """What has this name in the module, or None."""
    try:
        return reduce(getattr, qualname.split("."), module)
    except AttributeError:
        return None


def _completed_class(cls: type, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What cloudpickle makes a class of, with what it forgets: the mark and the slots."""
    *others, namespace, tracker, extra = args
    if vars(cls).get("__slots__") and isinstance(namespace, dict):
        namespace["__slots__"] = cls.__slots__  # type: ignore[attr-defined]
    mark = _mark(cls)
    return *others, namespace, tracker, extra if mark is None else {MARK: mark}


def _completed_function(function: FunctionType, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What cloudpickle makes a function of, with a preliminary name if the script has it under that name."""
    code, variables, name, *others = args
    is_at_its_name = value_at(sys.modules.get(function.__module__), function.__qualname__) is function
    return code, variables, function.__qualname__ if is_at_its_name else name, *others


def _mark(cls: type) -> tuple[str, str] | None:
    """The real module and the name of a class that other processes of the same script have too."""
    name = cls.__module__
    if value_at(sys.modules.get(name), cls.__qualname__) is not cls:
        return None
    real = flow_file.script() if name in ("__main__", "__mp_main__") else name
    return None if real is None else (real, cls.__qualname__)


@functools.cache
def _pickler() -> Callable[[BytesIO], Any]:
    import cloudpickle  # type: ignore[import-untyped]  # deferred: importing the SDK stays cheap

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, value: Any) -> Any:
            reduced = super().reducer_override(value)
            if isinstance(reduced, tuple):
                if isinstance(value, FunctionType):
                    return reduced[0], _completed_function(value, reduced[1]), *reduced[2:]
                if isinstance(value, type) and reduced[1][-1:] == (None,):
                    return reduced[0], _completed_class(value, reduced[1]), *reduced[2:]
            return reduced

    return Pickler
