"""How many bytes of states a run may store, besides its log. It is counted where they are stored: a column of the run, no sums over tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from appliance.protocol.logs import MAX_MESSAGE
from appliance.server.domain.quotas import ROW

_ENDLESS = 2**62
_encode = msgspec.json.Encoder().encode


class ReportBudget:
    """What is left when `used` of `most` bytes are, and how many more were `admitted`. It is spent with the first state that doesn't fit, so
    that what is kept is a beginning without holes. With 0, everything fits."""

    def __init__(self, used: int, most: int) -> None:
        self.used, self.admitted = used, 0
        self._most = most or _ENDLESS
        self._was_spent = self.is_spent

    @property
    def is_spent(self) -> bool:
        return self.used > self._most

    @property
    def is_newly_spent(self) -> bool:
        """Whether this is the report to say it in."""
        return self.is_spent and not self._was_spent

    def admit(
        self, message: str, data: Mapping[str, Any] | None, location: str | None = None, name: str | None = None
    ) -> bool:
        """Take the bytes of one state, if they are left."""
        size = ROW
        if message:
            size += _bytes(message)
        if location:
            size += _bytes(location)
        if name:
            size += _bytes(name)
        if data:
            size += len(_encode(data))
        used = self.used + size
        if used > self._most:
            self.used = self._most + 1
            return False
        self.used = used
        self.admitted += size
        return True

    def close(self) -> None:
        """Let nothing more fit, now and later."""
        self.used = self._most + 1


def _bytes(text: str) -> int:
    stored = text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE]
    return len(stored) if stored.isascii() else len(stored.encode("utf-8", "replace"))
