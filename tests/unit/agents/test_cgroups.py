"""The cgroups of attempts: where the agent may make them, what they bound, and what they tell of an end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from uuid import uuid4

import pytest

from appliance.agents import out_of_memory
from appliance.agents.attempts import AttemptRecord
from appliance.agents.cgroups import Cgroups, Ending, _emptied, delegated
from appliance.agents.usage import Usage

LIMITS = {"memory": 512 * 1024**2, "processes": 64, "cpu_seconds": 5}


def record(pid: int, limits: dict[str, int] | None = None) -> AttemptRecord:
    return AttemptRecord(flow_run_id=uuid4(), attempt=1, pid=pid, identity="", limits=limits or {})


class Tree:
    """Files as the kernel has them, in a folder, for an agent that is in `path`."""

    def __init__(self, folder: Path, path: str, controllers: str = "cpu memory pids") -> None:
        self.own, self.mounts = folder / "own", folder / "mounts"
        self.root = folder / "tree"
        self.delegated = (self.root / path.strip("/")).parent if path != "/" else self.root
        self.delegated.mkdir(parents=True)
        self.own.write_text(f"4:memory:/elsewhere\n0::{path}\n")
        self.mounts.write_text(
            f"1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / {self.root} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
        )
        (self.delegated / "cgroup.controllers").write_text(f"{controllers}\n")
        (self.delegated / "cgroup.subtree_control").write_text("")

    def find(self) -> Cgroups | None:
        return delegated(self.own, self.mounts)


@pytest.fixture(autouse=True)
def _marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"1" if Path(path).name == "a.service" else b"0")


@pytest.mark.parametrize(
    ("path", "controllers", "is_given"),
    [
        ("/system.slice/a.service/agent", "cpu memory pids", True),
        ("/", "memory pids", True),  # a container whose tree can be written to
        ("/system.slice/b.service/agent", "cpu memory pids", False),  # a unit without Delegate=yes
        ("/system.slice/a.service", "cpu memory pids", False),  # its processes would be in the way
        ("/system.slice/a.service/agent", "cpu pids", False),  # the memory of this machine is in version 1
    ],
)
def test_only_what_the_system_has_delegated_is_used(
    tmp_path: Path, path: str, controllers: str, is_given: bool
) -> None:
    tree = Tree(tmp_path, path, controllers)
    assert (tree.find() is not None) == is_given
    enabled = (tree.delegated / "cgroup.subtree_control").read_text()
    assert enabled == ("+memory +pids" if is_given else "")


def test_a_machine_without_cgroups_of_version_2_gives_none(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "/")
    tree.mounts.write_text("1 0 0:1 / /sys/fs/cgroup rw - cgroup cgroup rw,memory\n")
    assert tree.find() is None
    assert delegated(tmp_path / "none", tmp_path / "none") is None


def test_an_attempt_is_bounded_and_a_lack_of_memory_is_told(tmp_path: Path) -> None:
    found, one = Tree(tmp_path, "/system.slice/a.service/agent").find(), record(42, LIMITS)
    assert found is not None and found.end(one, clean=True) is None
    place = tmp_path / "tree/system.slice/a.service" / f"run-{one.flow_run_id}-1"
    place.mkdir()
    for name in ("memory.oom.group", "memory.max", "memory.swap.max", "pids.max", "cgroup.procs", "cgroup.kill"):
        (place / name).write_text("")
    found.add(one)
    written = {file.name: file.read_text() for file in place.iterdir()}
    assert written == {
        "memory.oom.group": "1", "memory.max": str(512 * 1024**2), "memory.swap.max": "0", "pids.max": "64",
        "cgroup.procs": "42", "cgroup.kill": "",
    }  # fmt: skip
    (place / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n")
    (place / "memory.peak").write_text("536870912\n")
    (place / "cpu.stat").write_text("usage_usec 1250000\n")
    (place / "cgroup.events").write_text("populated 0\nfrozen 0\n")
    ending = found.end(one, clean=False)
    assert ending == Ending(Usage(1.25, 512 * 1024**2), out_of_memory=True, own_limit=True)
    assert (place / "cgroup.kill").read_text() == "1"
    assert "more memory than their limit of 512 MiB (OOM)" in out_of_memory.reason(ending, LIMITS)
    assert "the machine, or its agent's part of it, was" in out_of_memory.reason(ending, {})


def test_without_a_cgroup_the_counter_of_the_kernel_is_the_evidence(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("pgfault 5\noom_kill 3\n")
    assert (out_of_memory.kills(tmp_path / "vmstat"), out_of_memory.kills(tmp_path / "none")) == (3, 0)
    before = out_of_memory.kills()
    assert "probably out of memory" in out_of_memory.reason(None, {}, before - 1)
    assert out_of_memory.reason(None, {}, before) == out_of_memory.reason(None, {}) == ""
    assert out_of_memory.reason(Ending(None), LIMITS, before - 1) == "", "the cgroup would say it"


_REAL = Path("/sys/fs/cgroup/unified") if Path("/sys/fs/cgroup/unified").is_dir() else Path("/sys/fs/cgroup")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the kernel's own tree, without controllers: those of this machine may be in version 1."""
    place = _REAL / f"appliance-test-{os.getpid()}"
    place.mkdir()
    yield place
    for left in [*place.glob("*/"), place]:
        left.rmdir()


on_the_real_tree = pytest.mark.skipif(
    not os.access(_REAL / "cgroup.procs", os.W_OK), reason="cgroups of version 2 can't be made on this machine"
)


@on_the_real_tree
def test_an_attempt_that_has_ended_before_leaves_no_cgroup(folder: Path) -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    Cgroups(folder).add(record(child.pid))
    assert list(folder.glob("run-*")) == []


@on_the_real_tree
@pytest.mark.parametrize("clean", [True, False])
def test_what_an_attempt_leaves_behind_outlives_only_a_clean_end(folder: Path, clean: bool) -> None:
    child = subprocess.Popen(["/bin/sh", "-c", "read line; setsid sleep 600 & echo $!"], stdin=PIPE, stdout=PIPE)
    assert child.stdin is not None and child.stdout is not None
    one = record(child.pid)
    found = Cgroups(folder)
    found.add(one)
    child.stdin.write(b"go\n")
    child.stdin.flush()
    left = int(child.stdout.readline())
    handle = os.pidfd_open(left)
    assert child.wait() == 0
    assert found.end(one, clean=clean) is not None
    assert not (folder / f"run-{one.flow_run_id}-1").exists()
    is_alive = (folder / "outlived").exists() and str(left) in (folder / "outlived/cgroup.procs").read_text().split()
    assert is_alive == clean
    if clean:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        _emptied(folder / "outlived")
    os.close(handle)
    child.stdin.close()
    child.stdout.close()
