"""Reads pickles of earlier releases: saved flows and kept results name classes by the modules in which they were then.

Whoever moves or renames a class or function that a pickle may name adds a line here; a test of the release before fails otherwise.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from types import ModuleType
from typing import Any

MODULES: Mapping[str, tuple[str, ...]] = {}
"""A module that is gone or lost names -> where to look for them, in this order."""

NAMES: Mapping[tuple[str, str], tuple[str, str]] = {}
"""What has another name now: (module, name) of then -> (module, name) of today."""


def loads(content: bytes | memoryview) -> Any:
    """What a pickle of this release or of an earlier one holds. Only read what you trust: a pickle is code."""
    return _unpickler()(BytesIO(content)).load()


def places(module: str, name: str) -> Iterator[tuple[str, str]]:
    """Where a name of an earlier release may be, its own place first."""
    yield module, name
    if (module, name) in NAMES:
        yield NAMES[module, name]
    for other in MODULES.get(module, ()):
        yield other, name


def module_of(name: str) -> ModuleType:
    """A module that a pickle holds as a value, under its name of then."""
    for place in (name, *MODULES.get(name, ())):
        try:
            importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name != place:  # the module is there and needs another
                raise
        else:
            return sys.modules[place]
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@functools.cache
def _unpickler() -> Callable[[BytesIO], Any]:
    import pickle  # whoever only builds flows needs none

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) == ("cloudpickle.cloudpickle", "subimport"):
                return module_of
            try:
                return super().find_class(module, name)
            except (ModuleNotFoundError, AttributeError):
                for other in list(places(module, name))[1:]:
                    try:
                        return super().find_class(*other)
                    except AttributeError:
                        continue
                raise

    return Unpickler
