"""What this machine and Python allow, measured in the same run as the rest."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path


def interpreter_ms() -> float:
    """Milliseconds to start and end an interpreter that does nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1000


def commit_ms(folder: Path) -> float:
    """Milliseconds of one single-row commit, WAL and synchronous=FULL."""
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=full")
    database.execute("create table if not exists t (x integer)")
    began = time.perf_counter()
    for number in range(50):
        database.execute("insert into t values (?)", (number,))
    elapsed = time.perf_counter() - began
    database.close()
    return elapsed / 50 * 1000
