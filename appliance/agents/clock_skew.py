"""How far the clock of an agent's machine is from the server's, which the server's answers tell."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

WORTH_SAYING = 5.0
"""Seconds."""
_ANSWERS = 5
"""Of so many answers, the one that says least counts: others were slow."""
_logger = logging.getLogger("appliance.agent")


class ClockSkew:
    """`seconds`: how far this clock is ahead of the server's; negative if it is behind, None while that is unknown."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_ANSWERS)
        self.seconds: float | None = None
        self.problem = ""

    def observe(self, date: str, at: datetime) -> None:
        """An answer has come at this time, whose head says when it was sent."""
        try:
            sent = parsedate_to_datetime(date) + timedelta(seconds=0.5)  # it says whole seconds
            self._seen.append((at - sent).total_seconds())
        except (ValueError, TypeError):  # none, or one without a zone
            return
        self.seconds = min(self._seen, key=abs)
        if abs(self.seconds) <= WORTH_SAYING:
            self.problem = ""
        elif not self.problem:
            self.problem = (
                f"The clock of its machine is {abs(self.seconds):.0f} s {'ahead of' if self.seconds > 0 else 'behind'} the server's, so times of "
                "runs and logs are wrong; set it by NTP, there and on the server."
            )
            _logger.warning("%s", self.problem)
