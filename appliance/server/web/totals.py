"""What all processes have done, for counters: the totals that the rollups service stores, and the events since then.

Every server adds up the same events and therefore reports the same numbers.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.db.reads import events, flow_runs, rollups
from appliance.server.domain.run_totals import RunTotals

_CHUNK = 5_000
_MOST_CHUNKS = 40
"""Maximum number per scrape. Where no totals are stored yet, a server with a long history catches up over a few scrapes."""
_DUTY = 100
_CHEAP = 0.005


class StateCounts:
    """Runs by state type, counted at each call but for at most a hundredth of the time. If counting a million runs takes 0.1 s, the
    counts are up to 10 s old."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._again = 0.0

    def get(self, session: Session) -> dict[str, int]:
        began = clock.monotonic()
        if began >= self._again:
            self._counts = flow_runs.counts_by_type(session)
            took = clock.monotonic() - began
            self._again = began + (_DUTY * took if took > _CHEAP else 0.0)
        return self._counts


class Totals:
    """The totals up to the newest event. They never fall: the stored ones take their place only where they are ahead."""

    def __init__(self) -> None:
        self._totals = RunTotals()

    def get(self, session: Session) -> RunTotals:
        """The totals, with the events since the last call."""
        stored = rollups.TOTALS.find(session)
        if stored is not None and stored.last > self._totals.last:
            self._totals = stored
        for _ in range(_MOST_CHUNKS):
            rows = events.with_runs_after(session, self._totals.last, _CHUNK)
            self._totals.add(rows)
            if len(rows) < _CHUNK:
                break
        return self._totals
