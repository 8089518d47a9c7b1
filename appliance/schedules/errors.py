"""What a schedule raises."""

from __future__ import annotations

from appliance.kit.errors import ApplianceError


class ScheduleError(ApplianceError, ValueError):
    """A schedule that can't be computed, or that has no further times."""
