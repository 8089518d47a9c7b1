"""What an agent remembers about its runs: one directory per attempt, which outlives the agent and the process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import msgspec

from appliance.agents.execute import EXIT_FILE, STOP_FILE
from appliance.protocol.agents import Exited

OUTPUT = "output.log"
_JOB, _EXITED = "job.json", "exited.json"
_KEPT = 50
_TAIL_LINES, _TAIL_BYTES = 20, 64 * 1024
_ABNORMAL_TEXT = "Its exit code is unknown, since its agent was restarted after it began."


class Job(msgspec.Struct, kw_only=True):
    """One started attempt. `born` tells its process from a later one with the same number."""

    flow_run_id: UUID
    attempt: int
    pid: int
    born: str
    token: str  # to deliver what the process left in its spool


class Jobs:
    """The directories of one agent."""

    def __init__(self, state_dir: Path) -> None:
        self._runs = state_dir.resolve() / "runs"
        self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)

    def directory(self, flow_run_id: UUID, attempt: int) -> Path:
        """Where an attempt's things lie."""
        return self._runs / f"{flow_run_id}-{attempt}"

    def create(self, flow_run_id: UUID, attempt: int) -> Path:
        """A new private directory. Raises FileExistsError when the attempt was started before."""
        directory = self.directory(flow_run_id, attempt)
        directory.mkdir(mode=0o700)
        return directory

    def remember(self, directory: Path, job: Job) -> None:
        """From now on a restarted agent finds the process."""
        _write(directory / _JOB, msgspec.json.encode(job))

    def ended(self, directory: Path, exited: Exited) -> None:
        """From now on a restarted agent finds what is still to be reported."""
        _write(directory / _EXITED, msgspec.json.encode(exited))

    def known(self) -> Iterator[tuple[Path, Job, Exited | None]]:
        """Every attempt that was not yet put aside, with its end where that is known."""
        for directory in sorted(self._runs.iterdir()):
            try:
                job = msgspec.json.decode((directory / _JOB).read_bytes(), type=Job)
                end = directory / _EXITED
                yield directory, job, msgspec.json.decode(end.read_bytes(), type=Exited) if end.exists() else None
            except (OSError, msgspec.DecodeError):
                continue  # put aside before, or cut off by a crash before its process was started

    def put_aside(self, directory: Path, *, clean: bool) -> None:
        """The end was reported: forget a clean one, keep the output of the newest others."""
        if clean:
            shutil.rmtree(directory, ignore_errors=True)
            return
        if not directory.exists():  # it could not be made in the first place
            return
        for file in directory.iterdir():
            if file.name != OUTPUT and file.is_file():
                file.unlink(missing_ok=True)
        aside = [path for path in self._runs.iterdir() if not (path / _JOB).exists()]
        for old in sorted(aside, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)


def born(pid: int) -> str:
    """When the process `pid` was started, as text that no other process shares; "" when there is none (or only its remains)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def left_code(directory: Path) -> int | None:
    """The exit code that the process wrote down itself."""
    try:
        return int((directory / EXIT_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def tell_why(directory: Path, reason: str) -> None:
    """Leave the reason of a stop where the process finds it when it gets SIGTERM."""
    try:
        _write(directory / STOP_FILE, (reason if reason.startswith("Cancelled") else f"Cancelled: {reason}").encode())
    except OSError:
        return  # the process stops without knowing why


def end_of(job: Job, directory: Path, code: int | None, signal_name: str | None, reason: str = "") -> Exited:
    """The report about an ended process, with the last lines of its output."""
    if code is None and signal_name is None:
        code = left_code(directory)
        if code is None and not reason:
            reason = f"The run's process has ended. {_ABNORMAL_TEXT}"
    return Exited(
        flow_run_id=job.flow_run_id,
        attempt=job.attempt,
        code=code,
        signal=signal_name,
        reason=reason,
        tail=_tail(directory),
    )


def _tail(directory: Path) -> list[str]:
    try:
        with (directory / OUTPUT).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [line[:2000] for line in lines[-_TAIL_LINES:]]


def _write(path: Path, content: bytes) -> None:
    """All or nothing, readable by nobody else."""
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)
