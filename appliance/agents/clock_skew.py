"""How far the clock of an agent's machine is from the server's, which the server's answers tell."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime

from appliance.kit import clock

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

    def observe(self, sent: datetime) -> None:
        """An answer has come just now, which the server has sent at this time."""
        self._seen.append((clock.now() - sent).total_seconds())
        self.seconds = min(self._seen, key=abs)
        if abs(self.seconds) <= WORTH_SAYING:
            self.problem = ""
        elif not self.problem:
            self.problem = (
                f"The clock of its machine is {abs(self.seconds):.0f} s {'ahead of' if self.seconds > 0 else 'behind'} the server's, so times of "
                "runs and logs are wrong; set it by NTP, there and on the server."
            )
            _logger.warning("%s", self.problem)
