"""Warns about tasks that were made in a flow's block and never called there, so that they never run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection
from typing import Any


def warn_of_unused(flow: Any, name: str, unused: Collection[Any]) -> None:
    """`unused` are the tasks; `name` is that of the flow."""
    for task in unused:
        if not _is_kept_elsewhere(task, flow):
            warnings.warn(
                f"Task {task.name!r} was made in flow {name!r} but never called there, so it does not run; "
                "call it, as in my_task(...), add it with flow.add_task(my_task), or make it outside the flow.",
                stacklevel=4,
            )


def _is_kept_elsewhere(task: Any, flow: Any) -> bool:
    """Does a module that the block imported hold it, for others to call?"""
    for module in list(sys.modules.values()):
        values = list(getattr(module, "__dict__", {}).values())
        if any(value is task for value in values) and not any(value is flow for value in values):
            return True
    return False
