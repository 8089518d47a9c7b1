"""The record that an agent keeps of its attempts: directories, processes, and their exits."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from appliance.agents.attempts import (
    OUTPUT,
    AttemptRecord,
    AttemptStore,
    exit_report,
    opened,
    process_identity,
    write_stop_reason,
)
from appliance.kit.privileges import Ids


def record(run: UUID, pid: int = 0, attempt: int = 1) -> AttemptRecord:
    return AttemptRecord(flow_run_id=run, attempt=attempt, pid=pid, identity=process_identity(pid), token="secret")


def test_a_process_is_distinguished_from_a_later_one_with_its_number() -> None:
    assert process_identity(os.getpid()) == process_identity(os.getpid()) != ""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    assert process_identity(process.pid) != process_identity(os.getpid())
    process.wait()
    assert process_identity(process.pid) == ""


def test_a_restarted_agent_finds_what_was_started_and_what_ended(tmp_path: Path) -> None:
    attempts, first, second = AttemptStore(tmp_path), uuid4(), uuid4()
    for run in (first, second):
        attempts.save(attempts.create(run, 1), record(run))
    directory = attempts.directory(second, 1)
    attempts.save_exit(directory, exit_report(record(second), directory, 3, None))
    exits = {stored.flow_run_id: end for _, stored, end in AttemptStore(tmp_path).load()}
    assert exits[first] is None
    end = exits[second]
    assert end is not None
    assert end.code == 3


def test_tokens_are_readable_by_nobody_else(tmp_path: Path) -> None:
    attempts, run = AttemptStore(tmp_path), uuid4()
    directory = attempts.create(run, 1)
    attempts.save(directory, record(run))
    assert directory.stat().st_mode & 0o077 == 0
    assert (directory / "job.json").stat().st_mode & 0o077 == 0


def test_the_end_carries_the_last_lines_of_the_output(tmp_path: Path) -> None:
    attempts, run = AttemptStore(tmp_path), uuid4()
    directory = attempts.create(run, 1)
    (directory / OUTPUT).write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)) + b"\xff")
    end = exit_report(record(run), directory, None, "SIGKILL")
    assert len(end.tail) == 20
    assert end.tail[-2:] == ["line 99999", "\N{REPLACEMENT CHARACTER}"]
    assert (end.code, end.signal, end.reason) == (None, "SIGKILL", "")


def test_an_unknown_end_is_taken_from_the_processs_own_record_or_reported_as_unknown(tmp_path: Path) -> None:
    attempts, run = AttemptStore(tmp_path), uuid4()
    directory = attempts.create(run, 1)
    assert "unknown" in exit_report(record(run), directory, None, None).reason
    (directory / "exit").write_text("75")
    assert exit_report(record(run), directory, None, None).code == 75


def test_clean_ends_are_forgotten_and_the_output_of_the_newest_others_is_kept(tmp_path: Path) -> None:
    attempts = AttemptStore(tmp_path)
    clean = attempts.create(uuid4(), 1)
    attempts.archive(clean, clean=True)
    assert not clean.exists()
    directories = []
    for number in range(53):
        run = uuid4()
        directory = attempts.create(run, 1)
        (directory / OUTPUT).write_text("last words")
        attempts.save(directory, record(run))
        attempts.archive(directory, clean=False)
        os.utime(directory, (number, number))
        directories.append(directory)
    kept = [directory for directory in directories if directory.exists()]
    assert len(kept) <= 51
    assert directories[-1] in kept
    assert not list(attempts.load())
    assert (directories[-1] / OUTPUT).read_text() == "last words"


def test_the_record_of_an_earlier_release_is_adopted(tmp_path: Path) -> None:
    attempts, run = AttemptStore(tmp_path), uuid4()
    directory = attempts.create(run, 2)
    (directory / "job.json").write_text(
        f'{{"flow_run_id":"{run}","attempt":2,"pid":7,"born":"boot:1","token":"secret"}}'
    )
    assert list(attempts.load()) == [
        (directory, AttemptRecord(flow_run_id=run, attempt=2, pid=7, identity="boot:1", token="secret"), None)
    ]


def test_a_record_that_a_run_has_nested_too_deeply_is_passed_over(tmp_path: Path) -> None:
    attempts, run = AttemptStore(tmp_path), uuid4()
    nested = "[" * 100_000 + "]" * 100_000
    (attempts.create(run, 1) / "job.json").write_text(f'{{"flow_run_id":"{run}","attempt":1,"pid":7,"more":{nested}}}')
    assert not list(attempts.load())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_of_the_folder_of_an_account_only_files_of_its_own_are_read(tmp_path: Path) -> None:
    attempts, run, ids = AttemptStore(tmp_path), uuid4(), Ids(65534, 65534)
    directory = attempts.create(run, 1)
    attempts.give(directory, ids)
    own = directory / "own"
    (tmp_path / "secret").write_text("7")
    (own / "exit").symlink_to(tmp_path / "secret")
    os.link(tmp_path / "secret", own / OUTPUT)
    os.mkfifo(own / "spool.jsonl")
    report = exit_report(record(run), directory, None, None)
    assert report.code is None and report.tail == []
    for name in ("exit", OUTPUT, "spool.jsonl"):
        with pytest.raises(OSError, match=r"it is not a file of the run|symbolic links"):
            opened(own / name).close()
    (own / "exit").unlink()
    (own / "exit").write_text("7")
    os.chown(own / "exit", *dataclasses.astuple(ids)[:2])
    assert exit_report(record(run), directory, None, None).code == 7
    write_stop_reason(directory, "enough")
    assert ((own / "stop").stat().st_uid, (own / "stop").read_text()) == (ids.uid, "Cancelled: enough")
    attempts.archive(directory, clean=False)
    assert [*own.iterdir()] == [own / OUTPUT]
