"""The warm pool: ready processes, their exit codes, and what happens when the zygote is gone."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.agents.warm_pool import PoolUnusable, WarmPool

WAIT = 10.0


@pytest.fixture(scope="module")
def pool() -> Iterator[WarmPool]:
    pool = WarmPool()
    yield pool
    pool.close()


def start(pool: WarmPool, directory: Path, **more: str) -> tuple[int, int]:
    return pool.start({**os.environ, **more}, directory, directory / "output.log")


def status(pool: WarmPool, pid: int) -> int:
    """How a process ended, with what it has used."""
    ended = pool.ended(pid, WAIT)
    assert ended is not None and ended.used.cpu_seconds is not None and ended.used.peak_memory is not None
    assert 0 < ended.used.cpu_seconds < 60 and 2**23 < ended.used.peak_memory < 2**30
    return ended.status


def wait(handle: int) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    assert poll.poll(WAIT * 1000)
    os.close(handle)


def test_a_process_without_a_job_ends_with_its_reason_in_the_output(pool: WarmPool, tmp_path: Path) -> None:
    pid, handle = start(pool, tmp_path)
    wait(handle)
    assert status(pool, pid) == 1
    assert "APPLIANCE_RUN_ID" in (tmp_path / "output.log").read_text()


def job(directory: Path) -> dict[str, str]:
    return {
        "APPLIANCE_RUN_ID": "00000000-0000-7000-8000-000000000000",
        "APPLIANCE_RUN_ATTEMPT": "1",
        "APPLIANCE_RUN_TOKEN": "t",
        "APPLIANCE_RUN_DIR": str(directory),
        "APPLIANCE_URL": "http://127.0.0.1:1",  # nobody answers, so the run waits for its server
    }


def test_each_process_has_a_session_of_its_own_and_its_signal_is_told(pool: WarmPool, tmp_path: Path) -> None:
    pid, handle = start(pool, tmp_path, **job(tmp_path))
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGKILL)
    wait(handle)
    assert status(pool, pid) == -signal.SIGKILL


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "MALLOC_ARENA_MAX"])
def test_what_the_interpreter_reads_at_its_start_needs_a_cold_process(
    pool: WarmPool, tmp_path: Path, name: str
) -> None:
    with pytest.raises(PoolUnusable):
        start(pool, tmp_path, **{name: "/elsewhere"})


def test_processes_outlive_the_zygote_and_then_the_pool_is_unusable(tmp_path: Path) -> None:
    pool = WarmPool()
    pid, handle = start(pool, tmp_path, **job(tmp_path))
    pool.close()
    os.kill(pid, 0)
    os.kill(pid, signal.SIGKILL)
    wait(handle)
    assert pool.ended(pid, WAIT) is None
    with pytest.raises(PoolUnusable):
        start(pool, tmp_path)


def test_files_where_the_agent_was_started_do_not_stand_in_for_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise RuntimeError('taken for a library')")
    monkeypatch.chdir(tmp_path)
    pool = WarmPool()
    pid, handle = start(pool, tmp_path)
    wait(handle)
    assert status(pool, pid) == 1
    assert "APPLIANCE_RUN_ID" in (tmp_path / "output.log").read_text()
    pool.close()
