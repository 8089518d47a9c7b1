"""The local accounts as which an agent may start runs: those that its administrator has listed, if the agent works as root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from appliance.agents.agent import Lacking
from appliance.kit.privileges import Ids

_OF_THE_AGENT = ("HOME", "USER", "LOGNAME", "MAIL")
_OF_ITS_SESSION = ("XDG_", "SUDO_")


@dataclass(frozen=True)
class Account:
    """An account of this machine, with the groups to which it belongs."""

    name: str
    ids: Ids
    home: str

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables of a process of this account, from those of the agent."""
        kept = {
            name: value
            for name, value in environ.items()
            if name not in _OF_THE_AGENT and not name.startswith(_OF_ITS_SESSION)
        }
        return kept | {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


class RunUsers:
    """What APPLIANCE_AGENT_USERS permits. The first is for runs that name none."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = tuple(names)

    @property
    def default(self) -> str | None:
        """The name of the account as which runs work whose flow names none; None: they stay what the agent is."""
        return self._names[0] if self._names and os.geteuid() == 0 else None

    @property
    def usable(self) -> list[str]:
        """Those that this agent can become."""
        return [name for name in self._names if not _problem(name)]

    def account(self, name: str) -> Account:
        """The account as which a flow wants its runs to work. Raises Lacking."""
        if name not in self._names:
            listed = ", ".join(self._names) or "none"
            raise Lacking(
                f"This agent starts no runs as user {name!r}; the users that it may become: {listed}. To allow it, set "
                f"APPLIANCE_AGENT_USERS={','.join([*self._names, name])} and restart the agent, or remove user from the flow's run config."
            )
        problem = _problem(name)
        if problem:
            raise Lacking(problem)
        entry = pwd.getpwnam(name)
        groups = tuple(os.getgrouplist(name, entry.pw_gid))
        return Account(name, Ids(entry.pw_uid, entry.pw_gid, groups), entry.pw_dir)

    @property
    def accounts(self) -> list[Account]:
        """Those that this agent can become."""
        return list(map(self.account, self.usable))

    def problems(self) -> Iterator[str]:
        """Why this agent can't become a user that is listed, one sentence each."""
        yield from dict.fromkeys(filter(None, map(_problem, self._names)))


def _problem(name: str) -> str:
    if os.geteuid() != 0:
        return (
            "APPLIANCE_AGENT_USERS lists users, and only an agent that works as root can start runs as them. Start `appliance agent start process` as root, or "
            "the embedded agent with APPLIANCE_AGENT_USER=root."
        )
    try:
        pwd.getpwnam(name)
    except KeyError:
        return (
            f"APPLIANCE_AGENT_USERS lists {name!r}, and this machine has no such user; create it, or remove it there."
        )
    return ""
