"""What a schedule raises."""

from __future__ import annotations

from appliance.kit.errors import ApplianceError


class ScheduleError(ApplianceError, ValueError):
    """A schedule that can't be computed, or that has no further times. `field` is the part of its document to correct, if it is one."""

    field = ""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        if field:
            self.field = field
