"""Slows down password guessing: limits for a user at one address, for a user, for an address, and for the whole site.

An attempt counts before its password is checked, and is taken back if it was no guess, so that attempts at the same time count as those one after
the other do. A device on which the user has signed in before has a limit of its own and none of the others: nobody else can lock it out.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from appliance.kit import clock
from appliance.kit.plurals import counted
from appliance.server.errors import ServerError, TooManyRequests, Unauthenticated, WrongPassword

_MAX_KEYS = 10_000


@dataclass(frozen=True)
class Limit:
    """At most this many wrong passwords within so many seconds."""

    attempts: int
    window: float


PAIR = Limit(6, 300.0)
"""One user from one address, or from one known device."""
ACCOUNT = Limit(10, 60.0)
ADDRESS = Limit(30, 300.0)
SITE = Limit(100, 60.0)


class LoginThrottle:
    """Counts wrong passwords in this process. Bounded: the least recently used keys are evicted first."""

    def __init__(self) -> None:
        self._counted: OrderedDict[tuple[str, ...], list[float]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def attempt(self, username: str, peer: str, device: str | None = None) -> Iterator[None]:
        """Around the check of a password, which raises Unauthenticated or WrongPassword for a wrong one. `device` is a known one. Raises
        TooManyRequests while a limit is used up."""
        pair = ("device", username, device) if device else ("pair", username, network_of(peer))
        others = (
            {} if device else {("account", username): ACCOUNT, ("address", network_of(peer)): ADDRESS, ("site",): SITE}
        )
        with self._counting({pair: PAIR, **others}):
            yield
        with self._lock:
            self._counted.pop(pair, None)

    @contextmanager
    def change(self, username: str, peer: str) -> Iterator[None]:
        """Around the check of the current password of somebody who is signed in."""
        pair = ("pair", username, network_of(peer))
        with self._counting({pair: PAIR}):
            yield
        with self._lock:
            self._counted.pop(pair, None)

    @contextmanager
    def _counting(self, limits: dict[tuple[str, ...], Limit]) -> Iterator[None]:
        moment = self._count(limits)
        try:
            yield
        except (Unauthenticated, WrongPassword):
            raise
        except ServerError:
            self._take_back(limits, moment)
            raise
        self._take_back(limits, moment)

    def _count(self, limits: dict[tuple[str, ...], Limit]) -> float:
        moment = clock.monotonic()
        with self._lock:
            recent = {key: self._recent(key, limit, moment) for key, limit in limits.items()}
            waits = [
                times[-limit.attempts] + limit.window - moment
                for times, limit in zip(recent.values(), limits.values(), strict=True)
                if len(times) >= limit.attempts
            ]
            if not waits:
                for key, times in recent.items():
                    self._counted[key] = [*times, moment]
                    self._counted.move_to_end(key)
                while len(self._counted) > _MAX_KEYS:
                    self._counted.popitem(last=False)
                return moment
        wait = max(1, math.ceil(max(waits)))
        raise TooManyRequests(f"Too many wrong passwords; try again in {counted(wait, 'second')}.", retry_after=wait)

    def _take_back(self, limits: dict[tuple[str, ...], Limit], moment: float) -> None:
        with self._lock:
            for key in limits:
                times = self._counted.get(key, [])
                if moment in times:
                    times.remove(moment)
                if not times:
                    self._counted.pop(key, None)

    def _recent(self, key: tuple[str, ...], limit: Limit, moment: float) -> list[float]:
        return [at for at in self._counted.get(key, ()) if at > moment - limit.window]


def network_of(address: str) -> str:
    """What one caller can take addresses from: the address itself, or the 64-bit network of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
