"""Keeps the embedded agent and its runs apart from the server: as root, they become a user of their own if the site has one for them, whose
files and processes are all that they can reach."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from appliance.agents.roots import Roots
from appliance.config import Settings
from appliance.kit import privileges
from appliance.kit.privileges import Ids

SERVER_USER, AGENT_USER = "appliance", "appliance-agent"
_PLACES = ("agent", "results")
_PROBE = "import msgspec, sqlite3, ssl, appliance.config"
_PROBE_SECONDS = 60


@dataclass(frozen=True)
class Separation:
    """`server` and `agent` are the users of the processes; None: that of the supervisor. `problem` says why the agent has none of its own."""

    server: Ids | None = None
    agent: Ids | None = None
    home: str = ""
    barriers: dict[Path, list[Path]] = field(default_factory=dict)
    problem: str = ""

    def enter_server(self) -> None:
        """Become the server, for good."""
        if self.server is not None:
            privileges.become(self.server)

    def enter_agent(self) -> None:
        """Become the agent, for good."""
        if self.agent is None:
            return
        privileges.see_through(self.barriers)
        privileges.become(self.agent)
        os.environ["HOME"] = self.home
        for name in ("USER", "LOGNAME", "MAIL"):
            os.environ.pop(name, None)


def decide(settings: Settings) -> Separation:
    """Who runs what, by what the settings and the disk say. The data directory need not exist."""
    if os.geteuid() != 0:
        return Separation(problem="only root can give it a user of its own")
    server = _server_user(settings)
    agent, home = _user("APPLIANCE_AGENT_USER", settings.agent_user, AGENT_USER)
    if agent is None:
        return Separation(server, problem=f"no user {AGENT_USER} exists, and APPLIANCE_AGENT_USER names no other")
    if agent.uid in (0, None if server is None else server.uid):
        return Separation(server, problem="its user is that of the server")
    try:
        roots = (
            [Path(root) for root in Roots.of(settings).open if Path(root).exists()] if settings.agent_roots else _here()
        )
        closed = next((root for root in roots if not privileges.can_enter(root, agent, read=True)), None)
        if closed is not None:
            return Separation(server, problem=f"user {agent.uid} can't read {closed}, from where the agent takes code")
        needed = [*_interpreter(), *roots, settings.data_path]
        barriers = privileges.barriers((path for path in needed if path.exists()), agent)
    except OSError as error:
        return Separation(server, problem=f"{error.filename} can't be looked at")
    return Separation(server, agent, home or str(settings.data_path / "agent"), barriers)


def prepare(settings: Settings, separation: Separation) -> Separation:
    """Give the agent its places in the data directory, and try whether its user can run there. Returns what is possible."""
    if os.geteuid() != 0:
        return separation
    _hand_over(settings.data_path, separation)
    if separation.agent is None:
        return separation
    problem = _try(separation, separation.agent.uid)
    if not problem:
        return separation
    without = Separation(separation.server, problem=problem)
    _hand_over(settings.data_path, without)
    return without


def _server_user(settings: Settings) -> Ids | None:
    """The user to whom the data directory belongs if that is the server's. A directory of root, or of anybody else, is the business of the
    check that follows."""
    ids, _ = _user("APPLIANCE_SERVER_USER", settings.server_user, SERVER_USER)
    if ids is None:
        return None
    data = settings.data_path
    if not data.exists():
        for folder in [folder for folder in reversed(data.parents) if not folder.exists()]:
            folder.mkdir()
            folder.chmod(0o755)  # or the user could not go through it
        data.mkdir(mode=0o700)
        os.chown(data, ids.uid, ids.gid)
    return ids if data.stat().st_uid == ids.uid != 0 else None


def _user(setting: str, name: str, default: str) -> tuple[Ids | None, str]:
    """The user of a setting, by its name or number, or else the one with the default's name if there is one; and the user's home."""
    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name or default)
    except KeyError:
        if not name:
            return None, ""
        if name.isdecimal():
            return Ids(int(name), int(name)), ""
        raise click.ClickException(
            f"{setting} names the user {name!r}, which does not exist; create it, or give a number."
        ) from None
    return Ids(entry.pw_uid, entry.pw_gid), entry.pw_dir if os.path.isdir(entry.pw_dir) else ""  # noqa: PTH112 - also false where root may not look


def _here() -> list[Path]:
    here = Path.cwd().resolve()
    return [here] if here != Path("/") else []


def _interpreter() -> list[Path]:
    """What our own Python processes read: the interpreter, its library, and the packages."""
    places = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, *filter(None, sys.path)]
    files = [Path(sys.executable).resolve(), Path(__file__).resolve().parents[1]]
    return list(dict.fromkeys([Path(place).resolve() for place in places] + files))


def _hand_over(data: Path, separation: Separation) -> None:
    """The agent's places in the data directory belong to its user, who alone may go through the data directory."""
    new = separation.agent or separation.server or Ids(0, 0)
    with privileges.acting_as(separation.server):
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        for name in _PLACES:
            try:
                os.mkdir(name, 0o700, dir_fd=directory)
            except FileExistsError:
                continue
    try:
        for name in _PLACES:
            _give(directory, name, new, separation.server)
        os.fchown(directory, -1, (separation.agent or separation.server or Ids(0, 0)).gid)
        with privileges.acting_as(separation.server):
            os.fchmod(directory, 0o700 if separation.agent is None else 0o710)
    finally:
        os.close(directory)


def _give(parent: int, name: str, ids: Ids, server: Ids | None) -> None:
    """Give a folder and what is in it to a user, unless the folder is that user's already. Links are not followed."""
    with privileges.acting_as(server):
        owner = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if owner.st_uid == ids.uid:
        return
    opener = server and Ids(
        owner.st_uid, owner.st_gid
    )  # root itself opens what it likes, unless it has only some capabilities
    with privileges.acting_as(opener):
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        names = [entry.name for entry in os.scandir(folder)]
    try:
        for inner in names:
            _give_one(folder, inner, ids, opener)
        os.fchown(folder, ids.uid, ids.gid)
    finally:
        os.close(folder)


def _give_one(parent: int, name: str, ids: Ids, opener: Ids | None) -> None:
    with privileges.acting_as(opener):
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            _give(parent, name, ids, opener)
        elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # another link to it may be somebody else's
            os.chown(f"/proc/self/fd/{handle}", ids.uid, ids.gid)
    finally:
        os.close(handle)


def _try(separation: Separation, uid: int) -> str:
    """Why the agent's user can't run here, in a clause; empty if it can. Tried in a process of its own."""

    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _PROBE],
            preexec_fn=separation.enter_agent,
            cwd="/",
            env=environ,
            timeout=_PROBE_SECONDS,
            check=False,
            **options,
        )
    except (OSError, subprocess.SubprocessError):
        return f"user {uid} can't be given what it needs to run Python here"
    return "" if done.returncode == 0 else f"user {uid} can't run the appliance's code"
