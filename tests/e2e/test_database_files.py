"""SQLite's files as operators treat them: stopped, killed, copied, restored, damaged. What can't work says so in one sentence."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.e2e.appliance_process import Appliance


def runs_in(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("select count(*) from flow_run").fetchone()[0])


def names(appliance: Appliance) -> list[str]:
    return sorted(path.name for path in appliance.data_dir.iterdir() if path.name.startswith("appliance.db"))


def kill(appliance: Appliance) -> None:
    assert appliance.process is not None
    appliance.process.kill()
    appliance.process.wait()


def run_sums(appliance: Appliance, times: int) -> None:
    for _ in range(times):
        appliance.wait_for(appliance.create_run("sums"), "SUCCESS")


def refused(appliance: Appliance) -> str:
    """What a start prints that must fail."""
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "start"],
        env=appliance.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_clean_stop_leaves_one_file_which_is_a_whole_backup(own_appliance: Appliance, tmp_path: Path) -> None:
    run_sums(own_appliance, 2)
    assert own_appliance.stop() == 0
    assert names(own_appliance) == ["appliance.db"]
    shutil.copy(own_appliance.data_dir / "appliance.db", tmp_path / "copy.db")
    assert runs_in(tmp_path / "copy.db") == 2


def test_a_copy_beside_the_log_of_a_killed_appliance_is_refused(own_appliance: Appliance, tmp_path: Path) -> None:
    database = own_appliance.data_dir / "appliance.db"
    run_sums(own_appliance, 1)
    own_appliance.stop()
    shutil.copy(database, tmp_path / "copy.db")
    own_appliance.start()
    run_sums(own_appliance, 1)
    kill(own_appliance)
    shutil.copy(tmp_path / "copy.db", database)
    assert "appliance.db-wal does not belong to appliance.db" in refused(own_appliance)
    for name in ("appliance.db-wal", "appliance.db-shm"):
        (own_appliance.data_dir / name).rename(tmp_path / name)
    own_appliance.start()
    assert runs_in(database) == 1


def test_a_damaged_log_stops_the_start_instead_of_dropping_runs(own_appliance: Appliance) -> None:
    run_sums(own_appliance, 1)
    kill(own_appliance)
    log = own_appliance.data_dir / "appliance.db-wal"
    whole = log.read_bytes()
    log.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    assert "appliance.db-wal, the log of the latest changes, is damaged" in refused(own_appliance)
    log.write_bytes(whole)
    own_appliance.start()
    assert runs_in(own_appliance.data_dir / "appliance.db") == 1


def test_a_damaged_database_gets_a_sentence(own_appliance: Appliance) -> None:
    own_appliance.stop()
    database = own_appliance.data_dir / "appliance.db"
    whole = database.read_bytes()
    for content in (
        b"Not a database.\n" * 1000,
        whole[:50_000],
        whole[:100] + b"\xff" * 8000 + whole[8100:],
        whole.replace(b"CREATE TABLE", b"CREATE T\xb3BLE"),
        whole.replace(b"CREATE TABLE", b"CREATE TABEL"),
        whole.replace(b"alembic_version", b"alembic_verzion"),
    ):
        database.write_bytes(content)
        assert "appliance backup restore" in refused(own_appliance)
