"""What both ways to a server have in common: how long an answer may take, and how much of it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from appliance.client.answers import MOST_BYTES, Response
from appliance.kit import clock
from appliance.protocol.agents import MAX_WAIT

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = MAX_WAIT + 15.0
"""Seconds without a byte after which a server counts as gone, as one does that lost its power. A long poll is answered after at most MAX_WAIT."""
LONGEST_ANSWER = 120.0
LEAST_RATE = 512
"""Seconds until an answer must be complete, and how many bytes of it gain a second more, so that one that drips byte by byte can't hold a run up forever."""
PART = 8 * 1024
"""Bytes of a request that are sent at once. Each part has the time limit for itself, so that a long request over a slow network is sent for as long as it gets on."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Exchange(Protocol):
    """Connections to one server. Safe to share between threads."""

    def exchange(
        self, method: str, path: str, query: Mapping[str, Any], content: bytes, headers: Mapping[str, str]
    ) -> tuple[Response, bytes]:
        """One request, and the whole of its answer. Raises Lost if there is none, or what came back is not one."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Lost(Exception):
    """There is no answer."""


class TooLong(Lost):
    """An answer is too long, or takes too long."""


def parts(content: bytes) -> Iterator[bytes]:
    """What is sent, one after the other."""
    for start in range(0, len(content), PART):
        yield content[start : start + PART]


def read(arriving: Iterable[bytes]) -> bytes:
    """The body, unpacked as far as it is packed. Raises TooLong for what no appliance sends, such as a bomb."""
    began = clock.monotonic()
    parts, size = [], 0
    for part in arriving:
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise TooLong(f"its answer is longer than {MOST_BYTES // 2**20} MB")
        if clock.monotonic() - began > LONGEST_ANSWER + size / LEAST_RATE:
            raise TooLong(f"its answer takes longer than {LONGEST_ANSWER:.0f} s")
    return b"".join(parts)
