"""The `__main__` of worker processes: what libraries find there is what they find in the flow's process.

The run of an agent has its flow's file as a module, which workers import. A script is not imported again, because it would run its flow;
its code travels with each call and is put into a module that looks like the script, also to children that multiprocessing starts.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from appliance.core import flow_file


def describe() -> dict[str, Any]:
    """What a worker must know about this process."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), flow_file.current()
    return {
        "file": getattr(main, "__file__", None),
        "module": None if spec is None else spec.name,
        "flow_file": None if file is None else file.describe(),
    }


def become(description: dict[str, Any]) -> ModuleType | None:
    """In a worker: have such a main module. Returns it if it is to be filled with the code of a script."""
    flow_file.adopt(description["flow_file"])
    if description["module"] == flow_file.MAIN:
        sys.modules["__main__"] = importlib.import_module(flow_file.MAIN)
        return None
    main = ModuleType("__main__")
    if description["file"] is not None:
        main.__file__ = description["file"]
    if description["module"] is not None:
        main.__spec__ = ModuleSpec(description["module"], None)  # multiprocessing wants the name
    sys.modules["__main__"] = main
    return main
