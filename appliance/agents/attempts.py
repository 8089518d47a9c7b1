"""The agent's record of its runs: one directory per attempt, which outlives the agent and the process."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import msgspec

from appliance.agents.agent import system_error
from appliance.agents.become import REFUSED
from appliance.agents.run_files import EXIT_FILE, STOP_FILE, USAGE_FILE, cancellation
from appliance.agents.sealed_tokens import seal, unseal
from appliance.agents.usage import LONGEST, UNKNOWN, Usage, parse
from appliance.core import masking
from appliance.engine.output.streams import BOTH
from appliance.kit import clock
from appliance.kit.privileges import Ids
from appliance.protocol.agents import Exited, Work

OUTPUT = "output.log"
OWN = "own"
"""The folder of an attempt's process, if it works as another user than the agent: all that is beside it is closed to that user."""
_BEARER = "token"
_RECORD, _EXIT = "job.json", "exited.json"  # agents of earlier releases use the same names
_MAX_ARCHIVED = 50
_TAIL_LINES, _TAIL_BYTES = 20, 64 * 1024
_logger = logging.getLogger("appliance.agent")
_ABNORMAL_TEXT = "Its exit code is unknown, because its agent was restarted in the meantime."


class AttemptRecord(msgspec.Struct, kw_only=True):
    """One started attempt. `identity` distinguishes its process from a later one with the same pid."""

    flow_run_id: UUID
    attempt: int
    pid: int
    identity: str = msgspec.field(name="born")
    limits: dict[str, int] = {}
    token: str = ""  # to deliver the reports that the process left in its spool; kept in a file of its own


class AttemptStore:
    """The attempt directories of one agent."""

    def __init__(self, state_dir: Path, key: bytes = b"") -> None:
        """`key` seals the tokens; without it, whoever can read the files can read them, too."""
        self._key = key
        self._runs = state_dir.resolve() / "runs"
        self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)

    def directory(self, flow_run_id: UUID, attempt: int) -> Path:
        """The directory of an attempt."""
        return self._runs / f"{flow_run_id}-{attempt}"

    def create(self, flow_run_id: UUID, attempt: int) -> Path:
        """Create a private directory. Raises FileExistsError if the attempt was already started."""
        directory = self.directory(flow_run_id, attempt)
        directory.mkdir(mode=0o700)
        return directory

    def begin(self, work: Work) -> Path | None:
        """Likewise, for an agent that starts it; None if that was done before. Raises StartFailed, or NotStarted."""
        try:
            return self.create(work.flow_run_id, work.attempt)
        except FileExistsError:
            _logger.error(
                "Attempt %d of run %s was already started; not starting it twice.", work.attempt, work.flow_run_id
            )
            return None
        except OSError as error:
            raise system_error("The run's directory could not be created", error) from error

    def give(self, directory: Path, ids: Ids) -> None:
        """Make a folder for the process of an attempt that works as another user. Raises OSError."""
        for folder in (self._runs, directory):
            folder.chmod(0o711)
        (directory / OWN).mkdir(mode=0o700)
        os.chown(directory / OWN, ids.uid, ids.gid)

    def save(self, directory: Path, record: AttemptRecord) -> None:
        """Store the record, so that a restarted agent finds the process."""
        sealed = seal(self._key, record.flow_run_id, record.attempt, record.token)
        write(directory / _BEARER, sealed.encode())
        write(directory / _RECORD, msgspec.json.encode(msgspec.structs.replace(record, token="")))

    def save_exit(self, directory: Path, exited: Exited) -> None:
        """Store the exit, so that a restarted agent reports it."""
        write(directory / _EXIT, msgspec.json.encode(exited))

    def exited_at(self, directory: Path) -> datetime:
        """When the exit was stored; now, if that failed."""
        try:
            return datetime.fromtimestamp((directory / _EXIT).stat().st_mtime, UTC)
        except OSError:
            return clock.now()

    def load(self) -> Iterator[tuple[Path, AttemptRecord, Exited | None]]:
        """Every attempt that is not archived, with its exit if that is known."""
        for directory in sorted(self._runs.iterdir()):
            try:
                record = msgspec.json.decode((directory / _RECORD).read_bytes(), type=AttemptRecord)
                if not record.token:  # agents of earlier releases kept it in the record
                    sealed = (directory / _BEARER).read_text(encoding="ascii")
                    token = unseal(self._key, record.flow_run_id, record.attempt, sealed)
                    record = msgspec.structs.replace(record, token=token)
                file = directory / _EXIT
                yield directory, record, msgspec.json.decode(file.read_bytes(), type=Exited) if file.exists() else None
            except (OSError, ValueError, RecursionError):  # also those of msgspec
                continue  # archived, spoiled by a run, or interrupted by a crash before the process was started

    def archive(self, directory: Path, *, clean: bool) -> None:
        """Call this when the exit was reported. Deletes clean attempts, and keeps the output of the latest others."""
        if clean:
            shutil.rmtree(directory, ignore_errors=True)
            return
        if not directory.exists():  # creating it had failed
            return
        for file in {*directory.iterdir(), *files_of(directory).iterdir()}:
            if file.name != OUTPUT and (file.is_symlink() or not file.is_dir()):
                file.unlink(missing_ok=True)
        archived = [path for path in self._runs.iterdir() if not (path / _RECORD).exists()]
        for old in sorted(archived, key=lambda path: path.stat().st_mtime, reverse=True)[_MAX_ARCHIVED:]:
            shutil.rmtree(old, ignore_errors=True)


def files_of(directory: Path) -> Path:
    """Where the process of an attempt keeps its files."""
    own = directory / OWN
    return own if own.is_dir() else directory


def opened(path: Path) -> BinaryIO:
    """A file that the process of an attempt has written: no link, no pipe, and no file of anybody else. Raises OSError."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and (path.parent.name != OWN or status.st_uid == path.parent.stat().st_uid):
        return file
    file.close()
    raise PermissionError(errno.EPERM, "it is not a file of the run", str(path))


def process_identity(pid: int) -> str:
    """A string that identifies this process even after its pid is reused; "" if there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def recorded_exit_code(directory: Path) -> int | None:
    """The exit code that the process itself wrote to its directory."""
    try:
        with opened(files_of(directory) / EXIT_FILE) as file:
            return int(file.read(20))
    except (OSError, ValueError):
        return None


def recorded_usage(directory: Path) -> Usage | None:
    """What the process itself wrote that it has used; None if it ended before."""
    try:
        with opened(files_of(directory) / USAGE_FILE) as file:
            return parse(file.read(LONGEST))
    except OSError:
        return None


def write_stop_reason(directory: Path, reason: str) -> None:
    """Write the reason for a stop where the process finds it on SIGTERM."""
    try:
        write(files_of(directory) / STOP_FILE, cancellation(reason).encode())
    except OSError:
        return  # the process then stops without knowing the reason


def exit_report(
    record: AttemptRecord,
    directory: Path,
    code: int | None,
    signal_name: str | None,
    reason: str = "",
    used: Usage = UNKNOWN,
) -> Exited:
    """The report about a process that has ended, with the last lines of its output."""
    if code is None and signal_name is None:
        code = recorded_exit_code(directory)
        if code is None and not reason:
            reason = f"The run's process has ended. {_ABNORMAL_TEXT}"
    if signal_name == "SIGXCPU" and "cpu_seconds" in record.limits:
        reason = f"The run's process was killed by SIGXCPU: it has used its limit, cpu_seconds={record.limits['cpu_seconds']}."
    tail = _tail(files_of(directory))
    if code == REFUSED and tail and not reason:
        reason = tail[-1]
    return Exited(
        flow_run_id=record.flow_run_id,
        attempt=record.attempt,
        code=code,
        signal=signal_name,
        reason=reason,
        tail=tail,
        cpu_seconds=used.cpu_seconds,
        peak_memory=used.peak_memory,
    )


def _tail(directory: Path) -> list[str]:
    """The last lines of the process: those that it has logged, and then what nobody has read."""
    lines = [line for name in (OUTPUT, *BOTH) for line in _end_of(directory / name)]
    return [line[:2000] for line in lines[-_TAIL_LINES:]]


def _end_of(path: Path) -> list[str]:
    """The last lines of a file. What has been removed from it reads as zeros."""
    try:
        with opened(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            return masking.mask(file.read().strip(b"\0").decode("utf-8", "replace")).splitlines()
    except OSError:
        return []


def write(path: Path, content: bytes) -> None:
    """Write a file atomically, readable only by the owner of its folder."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        file.write(content)
    draft.replace(path)
