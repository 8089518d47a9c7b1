"""Where the times of a schedule move to. To import from, as in `from appliance.adjustments import ...`."""

from appliance.schedules.adjustments import Adjustment, add, next_weekday

__all__ = ["Adjustment", "add", "next_weekday"]
