"""Looks, when an agent starts, whether its runs will reach the place for their results: a person reads that sooner than the first run fails."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from appliance.core.errors import ResultError
from appliance.core.results import PROBE, Result
from appliance.engine.results.addresses import result_from_url
from appliance.engine.results.appliance import ApplianceResult
from appliance.engine.results.local import LocalResult

_logger = logging.getLogger("appliance.agent")


def results_problem(url: str) -> str:
    """Why results can't be stored there, in a sentence; empty if nothing is known against it. Nothing is written."""
    try:
        place: Result = result_from_url(url)
        if not isinstance(place, ApplianceResult):  # the server itself, to which only runs are connected
            place.has(PROBE)
    except ResultError as error:
        return f"Runs can't store their results: {error}"
    folder = place.folder if isinstance(place, LocalResult) else None
    if folder is not None and not _is_writable(folder):
        return (
            f"Runs can't store their results in {folder}: this user may not write there; correct the permissions or "
            "APPLIANCE_RESULTS_URL, and restart the agent."
        )
    return ""


def _is_writable(folder: Path) -> bool:
    """A folder that does not exist is made with the first result."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def start(url: str, tell: Callable[[str], None]) -> None:
    """Look in a thread of its own, since a place elsewhere may take long to answer; `tell` is called with a problem."""

    def look() -> None:
        problem = results_problem(url)
        if problem:
            _logger.warning("%s", problem)
            tell(problem)

    threading.Thread(target=look, name="appliance-results-probe", daemon=True).start()
