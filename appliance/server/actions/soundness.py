"""The result of the last look at SQLite's file for damage, kept for metrics and warnings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from appliance.server.auth.identity import SYSTEM
from appliance.server.db import damaged_rows, soundness
from appliance.server.db.reads.settings import Stored
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import settings as write_settings
from appliance.server.domain.automations import APPLIANCE
from appliance.server.events.outbox import announce

log = logging.getLogger(__name__)

_MOST = 5
_ID = UUID(int=0)


@dataclass(frozen=True)
class Soundness:
    """When the database was last looked through, what was wrong with the file, and how many rows hold damaged values."""

    at: datetime
    problems: list[str]
    damaged_rows: int = 0

    @property
    def warnings(self) -> list[str]:
        sentences = []
        if self.problems:
            sentences.append(
                "The database is damaged. Save what you need, then stop the appliance and restore a backup; see `appliance backup --help`."
            )
        if self.damaged_rows:
            rows = (
                "1 row of the database is"
                if self.damaged_rows == 1
                else f"{self.damaged_rows:,} rows of the database are"
            )
            sentences.append(f"{rows} damaged and left out everywhere; `appliance doctor rows` lists what is wrong.")
        return sentences


_STORED = Stored("database.soundness", Soundness)


def check(db: Database, now: datetime) -> Soundness:
    """Look through the file and the values in its rows, record the result, and announce damage that was not there the last time."""
    problems = soundness.problems(db)[:_MOST]
    result = Soundness(now, problems, 0 if problems else damaged_rows.count(db))
    for problem in result.problems:
        log.error("The database is damaged: %s", problem)
    _record(db, result)
    return result


@retried
def _record(db: Database, result: Soundness) -> None:
    with db.write("soundness.record") as session:
        before = _STORED.find(session)
        if result.warnings and not (before and before.warnings):
            announce(
                session, APPLIANCE, _ID, "database.damaged", {"message": " ".join(result.warnings)}, SYSTEM, result.at
            )
        write_settings.put(session, _STORED.name, msgspec.json.encode(result).decode(), result.at)


def last(db: Database) -> Soundness | None:
    """The last result; None before the first."""
    with db.read() as session:
        return _STORED.find(session)
