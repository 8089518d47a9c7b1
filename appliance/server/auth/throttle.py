"""Slows down password guessing: at most six wrong passwords in five minutes for one user from one address."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

from appliance.kit import clock
from appliance.kit.plurals import counted
from appliance.server.errors import TooManyRequests

ATTEMPTS = 6
WINDOW = 300.0
_MAX_KEYS = 10_000


class LoginThrottle:
    """Counts wrong passwords per (user, address) in this process. Bounded: the least recently used keys are evicted first."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, username: str, peer: str) -> None:
        """Raise TooManyRequests while the pair has used up its attempts."""
        moment = clock.monotonic()
        with self._lock:
            recent = self._recent((username, peer), moment)
            if len(recent) < ATTEMPTS:
                return
            wait = math.ceil(recent[-ATTEMPTS] + WINDOW - moment)
        raise TooManyRequests(f"Too many wrong passwords; try again in {counted(wait, 'second')}.", retry_after=wait)

    def failed(self, username: str, peer: str) -> None:
        """Record a wrong password."""
        moment = clock.monotonic()
        with self._lock:
            self._wrong[username, peer] = [*self._recent((username, peer), moment), moment][-ATTEMPTS:]
            self._wrong.move_to_end((username, peer))
            while len(self._wrong) > _MAX_KEYS:
                self._wrong.popitem(last=False)

    def succeeded(self, username: str, peer: str) -> None:
        """Forget the pair's wrong passwords."""
        with self._lock:
            self._wrong.pop((username, peer), None)

    def _recent(self, key: tuple[str, str], moment: float) -> list[float]:
        return [at for at in self._wrong.get(key, ()) if at > moment - WINDOW]
