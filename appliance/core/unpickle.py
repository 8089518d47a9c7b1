"""Reads pickles of earlier releases: saved flows and stored results refer to classes by module and name, and both may change.

Add a line here when you move or rename something that a pickle may refer to; tests/compatibility fails otherwise.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from types import CodeType, FunctionType, ModuleType
from typing import Any

from appliance.core import flow_file
from appliance.core.pickles import MARK, value_at

MODULES: Mapping[str, tuple[str, ...]] = {
    "appliance.core.caching": ("appliance.core.cache_validators",),
    "appliance.core.calendars": ("appliance.schedules.calendars",),
    "appliance.core.clocks": ("appliance.schedules.rule", "appliance.schedules.series"),
    "appliance.core.collections": ("appliance.core.task",),
    "appliance.core.context": ("appliance.core.run_context", "appliance.core.building"),
    "appliance.core.cron": ("appliance.schedules.cron",),
    "appliance.core.drawing": ("appliance.core.drawing.drawing", "appliance.core.drawing.picture"),
    "appliance.core.drawing_layout": ("appliance.core.drawing.layout",),
    "appliance.core.drawing_svg": ("appliance.core.drawing.svg",),
    "appliance.core.drawing_text": ("appliance.core.drawing.text",),
    "appliance.core.errors": ("appliance.schedules.errors",),
    "appliance.core.jobs": (
        "appliance.protocol.jobs",
        "appliance.protocol.backfills",
        "appliance.protocol.hold",
        "appliance.protocol.run_filter",
    ),
    "appliance.core.maintenance": ("appliance.protocol.maintenance",),
    "appliance.core.parameter_schemas": ("appliance.protocol.parameter_schemas",),
    "appliance.core.protocol": (
        "appliance.protocol.agents",
        "appliance.protocol.errors",
        "appliance.protocol.flow_runs",
        "appliance.protocol.flows",
        "appliance.protocol.logs",
        "appliance.protocol.message",
        "appliance.protocol.run_protocol",
        "appliance.protocol.states",
        "appliance.protocol.system",
        "appliance.protocol.task_runs",
        "appliance.protocol.tokens",
        "appliance.protocol.users",
    ),
    "appliance.core.recurrence": ("appliance.schedules.recurrence",),
    "appliance.core.schedule_adjustments": ("appliance.schedules.adjustments",),
    "appliance.core.schedule_fields": ("appliance.schedules.fields",),
    "appliance.core.schedule_filters": ("appliance.schedules.filters",),
    "appliance.core.schedule_texts": ("appliance.schedules.texts",),
    "appliance.core.schedules": ("appliance.schedules.schedule", "appliance.schedules.clocks"),
    "appliance.core.selection": ("appliance.schedules.selection",),
    "appliance.core.serializers": ("appliance.core.result_serializers",),
    "appliance.core.task": ("appliance.core.task_decorator",),
    "appliance.core.zones": ("appliance.schedules.zones",),
}
"""Former module -> the modules to search for its names, in this order."""

NAMES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("appliance.core.masking", "masked"): ("appliance.core.masking", "mask"),
    ("appliance.core.masking", "masked_state"): ("appliance.core.masking", "mask_state"),
    ("appliance.core.parameter_types", "checked"): ("appliance.core.parameter_types", "convert"),
    ("appliance.core.schedule_fields", "known"): ("appliance.schedules.fields", "require_fields"),
    ("appliance.core.serializers", "checked"): ("appliance.core.result_serializers", "require_serializer"),
    ("appliance.core.zones", "named"): ("appliance.schedules.zones", "zone_of"),
}
"""Former (module, name) -> the current one, for what was renamed."""


def loads(content: bytes | memoryview | bytearray, main: ModuleType | None = None) -> Any:
    """Unpickle, whichever release wrote it. Only read what you trust: a pickle is code.

    Classes of a script, which come by value, are replaced by those of the same script in this process. In a worker process, which
    has no script, `main` becomes what the script's `__main__` is: libraries find its functions and classes there.
    """
    return _unpickler()(BytesIO(content), main).load()


def current_places(module: str, name: str) -> Iterator[tuple[str, str]]:
    """Where to look for a name that is no longer at its former place."""
    own = flow_file.own_module(module)
    if own is not None and own.__name__ != module:
        yield own.__name__, name
    if (module, name) in NAMES:
        yield NAMES[module, name]
    for other in MODULES.get(module, ()):
        yield other, name


def module_of(name: str) -> ModuleType:
    """The module that a pickle contains as a value, by its former name."""
    for place in (name, *MODULES.get(name, ())):
        try:
            importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name != place:  # the module exists, something that it imports does not
                raise
        else:
            return sys.modules[place]
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@functools.cache
def _unpickler() -> Callable[[BytesIO, ModuleType | None], Any]:
    import pickle  # deferred: importing the SDK stays cheap

    class Unpickler(pickle.Unpickler):
        def __init__(self, file: BytesIO, main: ModuleType | None) -> None:
            super().__init__(file)
            self._rebuilding = Rebuilding(main)

        def find_class(self, module: str, name: str) -> Any:
            if module == "cloudpickle.cloudpickle":
                return self._rebuilding.adapt(name, super().find_class(module, name))
            if module == flow_file.script():
                module = "__main__"
            try:
                return super().find_class(module, name)
            except (ModuleNotFoundError, AttributeError):
                for other in current_places(module, name):
                    try:
                        return super().find_class(*other)
                    except AttributeError:
                        continue
                raise

    return Unpickler


class Rebuilding:
    """Adapts the functions with which cloudpickle rebuilds classes and functions that come by value."""

    def __init__(self, main: ModuleType | None) -> None:
        self._main = main
        self._own: list[object] = []

    def adapt(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """What to call in place of cloudpickle's function, or that function itself."""
        if name == "subimport":
            return module_of
        if name in ("_make_skeleton_class", "_make_skeleton_enum"):
            return functools.partial(self._class, function)
        if name == "_make_function":
            return functools.partial(self._function, function)
        if name in ("_class_setstate", "_function_setstate"):
            return functools.partial(self._fill, function)
        return function

    def _class(self, make: Callable[..., type], *args: Any) -> type:
        module, qualname = (args[-1] or {}).get(MARK, (None, ""))
        own = value_at(flow_file.own_module(module), qualname) if module else None
        if isinstance(own, type):
            self._own.append(own)
            return own
        cls = make(*args)
        if module:
            cls.__qualname__ = qualname  # cloudpickle keeps only the last part
        if self._main is not None and cls.__module__ == "__main__" and qualname == cls.__name__:
            setattr(self._main, qualname, cls)
        return cls

    def _function(
        self, make: Callable[..., Any], code: CodeType, variables: dict[str, Any], name: Any, *args: Any
    ) -> Any:
        if variables.get("__name__") != "__main__":
            return make(code, variables, name, *args)
        if self._main is None:
            file = variables.get("__file__")
            own = value_at(flow_file.own_module(flow_file.real_name(file)), name) if name and file else None
            if isinstance(own, FunctionType) and own.__code__ == code:
                self._own.append(own)
                return own
            return make(code, variables, name, *args)
        function = make(code, vars(self._main), name, *args)
        if name and name.isidentifier():
            setattr(self._main, name, function)
        return function

    def _fill(self, fill: Callable[[Any, Any], Any], value: Any, state: Any) -> Any:
        """What this process has already is complete."""
        return value if any(value is own for own in self._own) else fill(value, state)
