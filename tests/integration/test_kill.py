"""SIGKILL in the middle of the hot path: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from appliance.server.db.session import Database
from tests.integration.builders import begun, check_histories, one, run_row, send, task

ROOT = Path(__file__).resolve().parents[2]
REPORTER = """
import sys
from uuid import UUID
from appliance.server.db.session import Database
from tests.integration.builders import line, send, task
database, run, first = Database(sys.argv[1]), UUID(sys.argv[2]), int(sys.argv[3])
for seq in range(first, first + 10_000):
    child = {"slug": "load-1", "map_index": seq}
    running, success = task(type="RUNNING", name="Running", **child), task(type="SUCCESS", name="Success", **child)
    answer = send(database, run, seq, running, line("x", **child), success)
    print(answer.acked, flush=True)
"""


STORED = """
select last_seq as seq, (select count(*) from log) as lines,
       (select count(*) from task_run where state_type = 'SUCCESS') as tasks
from flow_run
"""


def test_what_was_acknowledged_survives(database: Database, database_url: str) -> None:
    chance = random.Random(7)
    run, _ = begun(database)
    acked = 0
    for _ in range(2):
        first = int(run_row(database, run)["last_seq"]) + 1
        process = subprocess.Popen(
            [sys.executable, "-c", REPORTER, database_url, str(run), str(first)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdout is not None
        for _line in range(chance.randint(5, 40)):
            acked = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
        acked = int(rest[-1]) if rest else acked
        process.wait()
        process.stdout.close()
        found = one(database, STORED)  # in one look: Postgres may still be at the commit that it was told to do
        stored = int(found["seq"])
        assert acked <= stored <= acked + 1
        assert (found["tasks"], found["lines"]) == (stored, stored)
        check_histories(database)
    assert send(database, run, stored, task("load-1", "RUNNING", "Running")).acked == stored
