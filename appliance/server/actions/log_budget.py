"""How much of a run's log is taken in one minute. Counted in this process: a run reports over one connection, and so to one process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from appliance.kit import clock
from appliance.protocol.logs import LOGGER
from appliance.server.actions.report_rows import log_row
from appliance.server.db.rows.logs import NewLog

MINUTE = 60.0
_MOST_RUNS = 10_000


@dataclass
class _Window:
    began: float
    left: int
    is_marked: bool = False


class LogBudget:
    """Bounded: the windows of runs that have long been silent are forgotten first."""

    def __init__(self) -> None:
        self._windows: OrderedDict[UUID, _Window] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, flow_run_id: UUID, rows: list[NewLog], most: int, at: datetime) -> list[NewLog]:
        """The lines that still fit into this minute, and at the first that doesn't, a line that says so. With 0, all fit."""
        if not rows or not most:
            return rows
        moment = clock.monotonic()
        with self._lock:
            window = self._windows.get(flow_run_id)
            if window is None or moment - window.began >= MINUTE:
                window = self._windows[flow_run_id] = _Window(moment, most)
            self._windows.move_to_end(flow_run_id)
            while len(self._windows) > _MOST_RUNS:
                self._windows.popitem(last=False)
            return self._fitting(flow_run_id, rows, window, most, at)

    def _fitting(self, flow_run_id: UUID, rows: list[NewLog], window: _Window, most: int, at: datetime) -> list[NewLog]:
        kept: list[NewLog] = []
        for row in rows:
            size = len(row["message"].encode())
            if size <= window.left:
                window.left -= size
                kept.append(row)
                continue
            window.left = 0
            if not window.is_marked:
                window.is_marked = True
                text = f"This run wrote more than {most:,} bytes of log in a minute; further lines of this minute are not kept."
                kept.append(log_row(flow_run_id, at, "WARNING", LOGGER, text))
        return kept
