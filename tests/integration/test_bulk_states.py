"""What one statement does to many runs, the claim and the mark Late, it does only to runs of the types that the table names."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import bindparam, update

from appliance.server.actions.late import mark_late
from appliance.server.db.session import Database
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.domain.transitions import CLAIM, LATE, TYPES, BulkChange
from tests.integration.builders import claim, create, enrol, register, run_row
from tests.integration.conftest import StoppedClock

_runs = table(FlowRun)


def run_of_each_type(db: Database) -> dict[str, UUID]:
    """Runs that are due, in states that tests set without asking the rules."""
    flow = register(db).flow_id
    runs = {type: create(db, flow) for type in TYPES}
    statement = update(_runs).where(_runs.c.id == bindparam("run")).values(state_type=bindparam("type"))
    with db.write("test") as session:
        session.connection().execute(statement, [{"run": run, "type": type} for type, run in runs.items()])
    return runs


@pytest.mark.parametrize(
    ("change", "do"),
    [
        (CLAIM, lambda db, clock: claim(db, enrol(db), len(TYPES))),
        (LATE, lambda db, clock: mark_late(db, clock.move(3_600))),
    ],
    ids=["claim", "late"],
)
def test_only_the_named_types_are_changed(
    database: Database, clock: StoppedClock, change: BulkChange, do: Callable[[Database, StoppedClock], object]
) -> None:
    runs = run_of_each_type(database)
    clock.move(1)
    do(database, clock)
    for type, run in runs.items():
        row = run_row(database, run)
        if type in change.sources:
            assert (row["state_type"], row["state_name"], row["version"]) == (change.type, change.name, 2)
        else:
            assert (row["state_type"], row["state_name"], row["version"]) == (type, "Scheduled", 1)
