"""Reads pickles of earlier releases: saved flows and stored results refer to classes by module and name, and both may change.

Add a line here when you move or rename something that a pickle may refer to; tests/compatibility fails otherwise.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from types import ModuleType
from typing import Any

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


def loads(content: bytes | memoryview) -> Any:
    """Unpickle, whichever release wrote it. Only read what you trust: a pickle is code."""
    return _unpickler()(BytesIO(content)).load()


def current_places(module: str, name: str) -> Iterator[tuple[str, str]]:
    """Where to look for a name that is no longer at its former place."""
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
def _unpickler() -> Callable[[BytesIO], Any]:
    import pickle  # deferred: importing the SDK stays cheap

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) == ("cloudpickle.cloudpickle", "subimport"):
                return module_of
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
