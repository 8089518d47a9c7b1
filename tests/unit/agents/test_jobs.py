"""What an agent remembers: directories, processes and their ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

from appliance.agents.attempts import OUTPUT, Job, Jobs, born, end_of


def job(run: UUID, pid: int = 0, attempt: int = 1) -> Job:
    return Job(flow_run_id=run, attempt=attempt, pid=pid, born=born(pid), token="secret")


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    assert born(os.getpid()) == born(os.getpid()) != ""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    assert born(process.pid) != born(os.getpid())
    process.wait()
    assert born(process.pid) == ""


def test_a_restarted_agent_finds_what_was_started_and_what_ended(tmp_path: Path) -> None:
    jobs, first, second = Jobs(tmp_path), uuid4(), uuid4()
    for run in (first, second):
        jobs.remember(jobs.create(run, 1), job(run))
    directory = jobs.directory(second, 1)
    jobs.ended(directory, end_of(job(second), directory, 3, None))
    known = {found.flow_run_id: end for _, found, end in Jobs(tmp_path).known()}
    assert known[first] is None
    end = known[second]
    assert end is not None
    assert end.code == 3


def test_tokens_are_readable_by_nobody_else(tmp_path: Path) -> None:
    jobs, run = Jobs(tmp_path), uuid4()
    directory = jobs.create(run, 1)
    jobs.remember(directory, job(run))
    assert directory.stat().st_mode & 0o077 == 0
    assert (directory / "job.json").stat().st_mode & 0o077 == 0


def test_the_end_carries_the_last_lines_of_the_output(tmp_path: Path) -> None:
    jobs, run = Jobs(tmp_path), uuid4()
    directory = jobs.create(run, 1)
    (directory / OUTPUT).write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)) + b"\xff")
    end = end_of(job(run), directory, None, "SIGKILL")
    assert len(end.tail) == 20
    assert end.tail[-2:] == ["line 99999", "\N{REPLACEMENT CHARACTER}"]
    assert (end.code, end.signal, end.reason) == (None, "SIGKILL", "")


def test_an_unknown_end_is_taken_from_the_processs_own_word_or_told_as_unknown(tmp_path: Path) -> None:
    jobs, run = Jobs(tmp_path), uuid4()
    directory = jobs.create(run, 1)
    assert "unknown" in end_of(job(run), directory, None, None).reason
    (directory / "exit").write_text("75")
    assert end_of(job(run), directory, None, None).code == 75


def test_clean_ends_are_forgotten_and_the_output_of_the_newest_others_is_kept(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    clean = jobs.create(uuid4(), 1)
    jobs.put_aside(clean, clean=True)
    assert not clean.exists()
    directories = []
    for number in range(53):
        run = uuid4()
        directory = jobs.create(run, 1)
        (directory / OUTPUT).write_text("last words")
        jobs.remember(directory, job(run))
        jobs.put_aside(directory, clean=False)
        os.utime(directory, (number, number))
        directories.append(directory)
    kept = [directory for directory in directories if directory.exists()]
    assert len(kept) <= 51
    assert directories[-1] in kept
    assert not list(jobs.known())
    assert (directories[-1] / OUTPUT).read_text() == "last words"
