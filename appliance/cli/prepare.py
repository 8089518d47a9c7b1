"""What the server needs before it can start, besides its database: its own data directory and a free port. Loads nothing that takes long."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
import socket
import threading
from pathlib import Path
from typing import IO

import click

from appliance.config import Settings
from appliance.kit import backoff, clock, privileges

log = logging.getLogger(__name__)
_LOCK, _KEY = ".lock", ".agent-key"
_DATABASE = "appliance.db"
_PATIENCE = 3.0
"""Seconds that the processes of an appliance that was killed may take to end."""
_wait = threading.Event().wait


class StartError(click.ClickException):
    """The appliance can't start; the message says what to do next. Exit code 1."""


def keep_files_private() -> int:
    """From now on, nobody else can read what this process and its children create. Returns the umask from before."""
    return os.umask(0o077)


def data_directory(settings: Settings) -> IO[str]:
    """Create the data directory if it does not exist, and lock it: two appliances must not share one.

    The lock lasts as long as the returned file is open in this process or in one forked from it, so a moment longer than a supervisor
    that was killed: its processes end with it, but one that waits for the disk not before that.
    """
    path = settings.data_path
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(path)
        lock = os.fdopen(os.open(path / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w")
    except OSError as error:
        raise _unusable(path, error) from error
    deadline = clock.monotonic() + _PATIENCE
    for pause in backoff.delays(0.01, 0.1):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                lock.close()
                raise _unusable(path, error) from error
            if clock.monotonic() >= deadline:
                lock.close()
                raise StartError(
                    f"Another appliance is using the data directory {path}; stop it, or choose another with --data-dir."
                ) from error
        _wait(pause)
    return lock


def _unusable(path: Path, error: OSError) -> StartError:
    return StartError(
        f"The data directory {path} can't be used ({reason(error)}); make it writable, or choose another with --data-dir."
    )


def agent_key(settings: Settings) -> str:
    """The key with which the embedded agent seals what its runs must not read. The first call creates it."""
    path = settings.data_path / _KEY
    try:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "r", encoding="ascii") as known:
                return known.read()
        with os.fdopen(file, "w", encoding="ascii") as fresh:
            fresh.write(secrets.token_hex(32))
            fresh.flush()
            os.fsync(fresh.fileno())
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise StartError(f"The file {path} can't be used ({reason(error)}); remove it, and start again.") from error


def _make_private(path: Path) -> None:
    """Raise StartError if the directory belongs to somebody else, or others can enter it; close it to others if it is ours alone."""
    status = path.stat()
    if status.st_uid != os.geteuid() and not (os.geteuid() == 0 and status.st_uid in privileges.SPARE):
        raise StartError(
            f"The data directory {path} belongs to another user; start the appliance as that user, or choose another with --data-dir."
        )
    if not status.st_mode & 0o077 or (os.getuid() == 0 and status.st_mode & 0o077 == 0o010):
        return  # root lets the group of the agent go through
    for name in (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm"):  # of a release that did not see to it
        if (path / name).is_file() and not (path / name).is_symlink():
            (path / name).chmod(0o600)
    if not any(path.iterdir()) or any((path / name).exists() for name in (_LOCK, _DATABASE)):
        path.chmod(0o700)
        log.warning("The data directory %s was open to other users; now only this one can enter it.", path)
    else:
        raise StartError(
            f"Other users can enter the data directory {path}, which has other files in it; choose one of its own with --data-dir, or close it: "
            f"chmod 700 {path}"
        )


def free_port(settings: Settings) -> None:
    """Raise StartError when the address can't be bound."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and settings.host != "::":  # as the server does it
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StartError(
                    f"Port {settings.port} on {settings.host} is in use; stop the other program, or choose another port with --port."
                ) from error
            raise StartError(
                f"Can't listen on {settings.address} ({reason(error)}); choose another address with --host and --port."
            ) from error


def workers(settings: Settings) -> None:
    """Check that several workers have Postgres, and prepare the directory from which /metrics sums their counts.

    Call it before anything loads prometheus_client, which reads the environment only once, and after `free_port`, because
    a server already running on this port keeps its counts there.
    """
    if settings.workers == 1:
        return
    if settings.database.startswith("sqlite"):
        raise click.UsageError(
            "SQLite supports only one worker; omit --workers, or use a Postgres database with --database-url."
        )
    path = settings.data_path / "metrics" / str(settings.port)
    try:
        _wipe(path)
    except OSError as error:
        raise StartError(
            f"The directory {path} can't be used ({reason(error)}); make it writable, or choose another with --data-dir."
        ) from error
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(path)


def _wipe(path: Path) -> None:
    """Empty a directory whose files are only meaningful while one server runs."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in path.iterdir():
        file.unlink(missing_ok=True)


def reason(error: OSError) -> str:
    """Why the system refused, in lower case."""
    if isinstance(error, socket.gaierror):  # its numbers are not the system's
        return str(error.strerror).lower()
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
