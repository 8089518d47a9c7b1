"""A process that was stopped while it writes keeps others waiting for five seconds at most, however many wait; then they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from appliance.kit import clock
from appliance.server.actions import leases
from appliance.server.db.session import Database
from appliance.server.errors import Unavailable
from tests.e2e.appliance_process import clean_environment

WRITER = """
import sys
from appliance.server.actions import leases
from appliance.server.db.session import Database

print("began", flush=True)
leases.acquire(Database(sys.argv[1]), "scheduler", "stopped", 10)
"""
WRITERS = 5
LONGEST = 5.5
"""Seconds; the half is for a machine that is busy with other things."""


def stopped_writer(url: str) -> subprocess.Popen[bytes]:
    """A process that has stopped in a transaction, before its commit."""
    environment = clean_environment(PYTHONPATH=str(Path.cwd()), APPLIANCE_CRASH="lease.take.applied:1:stop")
    process = subprocess.Popen([sys.executable, "-c", WRITER, url], env=environment, stdout=subprocess.DEVNULL)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    return process


@pytest.mark.slow
def test_others_get_an_answer_in_time(database: Database, database_url: str) -> None:
    leases.acquire(database, "scheduler", "first", -1)
    impatient = Database(database_url)  # with the patience of requests
    process = stopped_writer(database_url)
    try:
        waits: list[float] = []
        sentences: list[str] = []

        def write() -> None:
            began = clock.monotonic()
            with pytest.raises(Unavailable) as refused:
                leases.acquire(impatient, "scheduler", "other", 10)
            waits.append(clock.monotonic() - began)
            sentences.append(refused.value.message)

        threads = [threading.Thread(target=write) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(waits) == WRITERS
        assert max(waits) < LONGEST
        assert set(sentences) == {"Another process has not finished writing to the database; try again in a moment."}
        with database.read() as session:
            assert session.execute(text("select holder from lease")).scalars().all() == ["first"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        impatient.dispose()
    assert leases.acquire(database, "scheduler", "other", 10) is not None
