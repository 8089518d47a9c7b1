"""How long a run may take: what an operator says of its flow counts, else what its code says, else what the site says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.kit.documents import JsonDocument

KEY = "run_timeout"
"""Where it stands in the settings of a flow and in the run config of a version and of its runs, in seconds."""
LONGEST = 365 * 86_400.0


@dataclass(frozen=True)
class RunTimeout:
    """In seconds; None is no deadline. `source` says who has decided it."""

    seconds: float | None
    source: Literal["operator", "code", "site"]


def run_timeout(flow_settings: JsonDocument, run_config: JsonDocument, default: float) -> RunTimeout:
    """The one that counts. An operator's 0 is no deadline, whatever the code says."""
    own = _seconds(flow_settings)
    if own is not None:
        return RunTimeout(own or None, "operator")
    declared = _seconds(run_config)
    if declared:
        return RunTimeout(declared, "code")
    return RunTimeout(default or None, "site")


def _seconds(document: JsonDocument) -> float | None:
    """What a document says; a value that is none was not written by us and says nothing."""
    value = document.get(KEY)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LONGEST else None
