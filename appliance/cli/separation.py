"""Keeps the embedded agent and its runs apart from the server: as root, each becomes a user of its own, whose files and processes are all that
it can reach."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from appliance.agents.roots import Roots
from appliance.cli import data_owner
from appliance.config import Settings
from appliance.kit import privileges
from appliance.kit.privileges import Ids, interpreter

SERVER_USER, AGENT_USER = "appliance", "appliance-agent"
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
            self.enter_server()
            return
        privileges.see_through(self.barriers)
        privileges.become(self.agent)
        os.environ["HOME"] = self.home
        for name in ("USER", "LOGNAME", "MAIL"):
            os.environ.pop(name, None)


def decide(settings: Settings) -> Separation:
    """Who runs what, by what the settings and the disk say. The data directory then belongs to the server."""
    if os.geteuid() != 0:
        return Separation(problem="only root can give it a user of its own")
    named = _named_server(settings)
    decision = _apart(settings, named)
    if named is None:
        try:
            data_owner.settle(settings.data_path, decision.server)
        except OSError as error:
            problem = decision.problem or f"{error.filename or settings.data_path} can't be given to the server"
            return Separation(problem=problem)
    return decision


def _apart(settings: Settings, server: Ids | None) -> Separation:
    agent, home = _user("APPLIANCE_AGENT_USER", settings.agent_user, AGENT_USER)
    agent = agent or _spare(settings.data_path / "agent")
    if agent.uid in (0, None if server is None else server.uid):
        return Separation(server, problem="its user is that of the server")
    try:
        roots = [Path(root) for root in Roots.of(settings, home="").open if Path(root).exists()]
        closed = next((root for root in roots if not privileges.can_enter(root, agent, read=True)), None)
        if closed is not None:
            return Separation(server, problem=f"user {agent.uid} can't read {closed}, from where the agent takes code")
        if home and privileges.can_enter(Path(home), agent, read=True):
            roots.append(Path(home))
        needed = [*interpreter(), *_named_pythons(settings), *roots, settings.data_path]
        barriers = privileges.barriers((path for path in needed if path.exists()), agent)
    except OSError as error:
        return Separation(server, problem=f"{error.filename} can't be looked at")
    return Separation(
        server or _own_server(settings, agent), agent, home or str(settings.data_path / "agent"), barriers
    )


def _own_server(settings: Settings, agent: Ids) -> Ids | None:
    """A user for the server if it can do all its work as one: its database is in the data directory, its port is open to users, and it can
    reach its code and its data."""
    server = _spare(settings.data_path, agent)
    above = next(folder for folder in settings.data_path.parents if folder.exists())
    reached = [path for path in interpreter() if path.exists()]
    if (
        settings.database_url
        or settings.port < _first_port()
        or privileges.barriers([*reached, above], server)
        or not privileges.can_enter(above, server)
        or not data_owner.is_ours(settings.data_path)
    ):
        return None
    return server


def _spare(place: Path, other: Ids | None = None) -> Ids:
    """A number that no user has, and not the other one: that of the owner of the place from an earlier start, or else one by its path."""
    with suppress(OSError):
        owner = place.stat().st_uid
        if owner in privileges.SPARE and (other is None or owner != other.uid):
            return Ids(owner, owner)
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    numbers = [number for number in privileges.SPARE if number not in taken and (other is None or number != other.uid)]
    number = numbers[zlib.crc32(os.fsencode(place)) % len(numbers)]
    return Ids(number, number)


def _first_port() -> int:
    """The lowest port on which other users than root may listen."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024


def prepare(settings: Settings, separation: Separation) -> Trial | None:
    """Give the agent its places in the data directory, and begin to try whether its user can run there; None if it has no user of its own."""
    if os.geteuid() != 0:
        return None
    data_owner.hand_over(settings.data_path, separation.server, separation.agent)
    return None if separation.agent is None else Trial(settings, separation)


class Trial:
    """Runs our code as the agent's user, in a process of its own, while the start goes on."""

    def __init__(self, settings: Settings, separation: Separation) -> None:
        self._settings, self._separation = settings, separation
        environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        options: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROBE],
                preexec_fn=separation.enter_agent,
                cwd="/",
                env=environ,
                **options,
            )
        except (OSError, subprocess.SubprocessError):
            self._process = None

    def outcome(self) -> Separation:
        """The separation, or if it isn't possible here, how it is without: everything is the server's again."""
        agent = self._separation.agent
        assert agent is not None
        if self._process is None:
            problem = f"user {agent.uid} can't be given what it needs to run Python here"
        else:
            try:
                problem = (
                    f"user {agent.uid} can't run the appliance's code" if self._process.wait(_PROBE_SECONDS) else ""
                )
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                problem = f"user {agent.uid} took more than {_PROBE_SECONDS} seconds to load the appliance's code"
        if not problem:
            return self._separation
        data = self._settings.data_path
        without = Separation(_named_server(self._settings), problem=problem)
        if without.server is None:
            data_owner.settle(data, None, held=True)
        data_owner.hand_over(data, without.server, None)
        return without


def _named_server(settings: Settings) -> Ids | None:
    """The user to whom the data directory belongs if that is the server's. A directory of root, or of anybody else, is the business of the
    check that follows."""
    ids, _ = _user("APPLIANCE_SERVER_USER", settings.server_user, SERVER_USER)
    if ids is None:
        return None
    data = settings.data_path
    if not data.exists():
        data_owner.create(data, ids)
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


def _named_pythons(settings: Settings) -> list[Path]:
    """What the interpreters read that flows may name by their paths."""
    files = [Path(path) for path in settings.open_pythons]
    return [place for file in files for place in (file, file.resolve().parent.parent)]
