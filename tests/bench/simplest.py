"""The least that any Python has to do to store a report: decode it, give its task runs their ids, and insert its rows with the standard library.

It checks nothing: no bounds, no order of states, no attempt, no quota, no earlier rows. What it reaches is a floor for the server.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

from appliance.kit import ids
from appliance.protocol.run_protocol import LogEvent, Report, TaskStateEvent

_LEVELS = {"INFO": 20}
_place = attrgetter("slug", "map_index")
_decode = msgspec.json.Decoder(Report).decode
_INSERT = {
    table: f"insert into {table} values ({','.join('?' * columns)})"
    for table, columns in {"task_run": 19, "task_run_state": 8, "log": 8}.items()
}
_UPDATE = "update task_run set state_type = ?, state_name = ?, state_at = ?, version = ?, end_time = ? where id = ?"


class Simplest:
    """Stores the reports of one run, whose tasks succeed and are all of one name. It remembers what a server would read again."""

    def __init__(self, database: sqlite3.Connection, run: UUID, name: str, created: str) -> None:
        self._database, self._run, self._name, self._created = database, run, name, created
        self._versions: dict[tuple[str, int], int] = {}

    def store(self, body: bytes) -> None:
        """One report in one transaction."""
        parent = self._run.hex
        places: dict[tuple[str, int], list[TaskStateEvent]] = {}
        logs = []
        events: list[Any] = _decode(body).events
        for event in events:
            if type(event) is TaskStateEvent:
                places.setdefault(_place(event), []).append(event)
            elif type(event) is LogEvent:
                at, level = _text(event.at), _LEVELS[event.level]
                logs.append((None, parent, event.slug, event.map_index, at, level, event.logger, event.message))
        new, changed, states = [], [], []
        for id, (place, every) in zip(ids.derived_all(self._run, places), places.items(), strict=True):
            own, before = id.hex, self._versions.get(place, 0)
            version = before
            for event in every:
                version, at = version + 1, _text(event.at)
                states.append((own, version, 1, event.type, event.name, "", None, at))
                if version == 1:
                    start = at
            end = at if event.type == "SUCCESS" else None
            if before:
                changed.append((event.type, event.name, at, version, end, own))
            else:
                name = f"{self._name}[{place[1]}]"
                state = (event.type, event.name, "", None, at, version, 1, 1, None, None, "[]", start, end)
                new.append((own, parent, *place, name, *state, self._created))
            if end is None:
                self._versions[place] = version
        self._database.execute("begin immediate")
        self._database.executemany(_INSERT["task_run"], new)
        if changed:
            self._database.executemany(_UPDATE, changed)
        self._database.executemany(_INSERT["task_run_state"], states)
        self._database.executemany(_INSERT["log"], logs)
        self._database.execute("commit")


def _text(at: datetime) -> str:
    return at.isoformat(" ", "microseconds")[:26]
