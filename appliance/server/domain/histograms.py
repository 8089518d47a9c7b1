"""How the time of a histogram is divided: into parts of a round length, few enough that each has a bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MOST_PARTS = 168
FEWEST_PARTS = 24
"""Of a list that doesn't say since when: time before its first run is shown, so that a few runs of one minute are no wall."""
LONGEST = timedelta(days=30)
"""Before the last run, unless the list says since when."""
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WIDTHS = (
    _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 28 * _DAY, 91 * _DAY, 364 * _DAY,
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Span:
    """`parts` of `width` seconds each; `first` is the number of the first one, counted from 1970."""

    first: int
    parts: int
    width: int

    @property
    def start(self) -> datetime:
        return self.of(0)

    def of(self, part: int) -> datetime:
        """When a part begins."""
        return _EPOCH + timedelta(seconds=(self.first + part) * self.width)

    def part(self, time: datetime) -> int:
        """The part that a time is in."""
        return _seconds(time) // self.width - self.first


def span(since: datetime | None, until: datetime | None, first: datetime, last: datetime) -> Span:
    """The span of a list from `since` to before `until`, if it says so, whose first and last runs are due at these times."""
    end = last if until is None else max(last, until - timedelta(microseconds=1))
    start = min(since or max(first, last - LONGEST), last)
    for width in _WIDTHS:
        place = _seconds(start) // width
        parts = _seconds(end) // width - place + 1
        if parts <= MOST_PARTS:
            break
    missing = max(0, FEWEST_PARTS - parts) if since is None else 0
    return Span(place - missing, parts + missing, width)


def _seconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(seconds=1)
