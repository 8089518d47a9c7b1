"""What a task raises to end in a certain state. To import from, as in `from appliance.signals import ...`."""

from appliance.core.signals import (
    FAIL,
    LOOP,
    PAUSE,
    RETRY,
    SKIP,
    SUCCESS,
    TRIGGERFAIL,
    VALIDATIONFAIL,
    StateSignal,
    signal_from_state,
)

__all__ = [
    "FAIL",
    "LOOP",
    "PAUSE",
    "RETRY",
    "SKIP",
    "SUCCESS",
    "TRIGGERFAIL",
    "VALIDATIONFAIL",
    "StateSignal",
    "signal_from_state",
]
