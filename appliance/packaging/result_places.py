"""Looks, when a flow is registered, whether the places for its results can be reached: its author reads that sooner than a run fails."""

from __future__ import annotations

import threading

from appliance.core.errors import ResultError
from appliance.core.flow import Flow
from appliance.core.results import PROBE, Result

PATIENCE = 5.0
"""Seconds in which a place must answer."""
_FOR_RUNS_ONLY = ("appliance:", "file:", "memory:")
"""Addresses that mean something else, or nothing, where the flow is registered."""


def warnings_of(flow: Flow, known: dict[str, str]) -> list[str]:
    """A sentence for each place that can't be reached from here. `known` is what earlier calls have found out, by address."""
    given = [flow.result, *(task.result for task in flow.tasks)]
    places = {place.address: place for place in given if isinstance(place, Result)}
    for address, place in places.items():
        if address not in known and not address.startswith(_FOR_RUNS_ONLY):
            known[address] = _problem(place)
    return [known[address] for address in sorted(places) if known.get(address)]


def _problem(place: Result) -> str:
    trouble = [f"it did not answer within {PATIENCE:g} seconds."]

    def look() -> None:
        try:
            place.has(PROBE)
            trouble[:] = []
        except ResultError as error:
            trouble[:] = [str(error)]
        except Exception as error:  # noqa: BLE001 - a place may be of the author's own making
            trouble[:] = [f"{type(error).__name__}: {error}"]

    thread = threading.Thread(target=look, name="appliance-results-probe", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return "".join(
        f"The place for its results, {place.address}, can't be reached from here: {each} Its runs need it on the hosts of their agents."
        for each in trouble[:1]
    )
