"""What an agent can give runs that ask for it. Its Pythons are looked for while it works, since each has to be started to ask for its version."""

from __future__ import annotations

import threading
from contextlib import suppress

from appliance.agents.environments import Environments
from appliance.agents.pythons import NoPython
from appliance.agents.run_keys import RunKeys
from appliance.agents.run_users import RunUsers
from appliance.kit import process_limits
from appliance.protocol.agents import Provided

EVERY = 60.0
"""Seconds after which a Python that was installed or removed is noticed."""


class Provisions:
    """Those of one agent. Until they have been looked for, its own Python is the only one."""

    def __init__(self, environments: Environments, users: RunUsers, keys: RunKeys) -> None:
        self._environments, self._users, self._keys = environments, users, keys
        self._stopped = threading.Event()
        self.current = self._with(environments.own_python())

    def start(self) -> None:
        """Look for Pythons from now on, in a thread of its own."""
        if self.current.pythons:
            threading.Thread(target=self._keep_looking, name="appliance-provisions", daemon=True).start()

    def close(self) -> None:
        self._stopped.set()

    def _keep_looking(self) -> None:
        self._look()
        while not self._stopped.wait(EVERY):
            self._look()

    def _look(self) -> None:
        with suppress(NoPython):  # its own does not start, and runs say so
            self.current = self._with(self._environments.pythons())

    def _with(self, pythons: list[str]) -> Provided:
        users, limits = self._users.usable, process_limits.most()
        return Provided(users=users, pythons=pythons, limits=limits, results_key_ids=self._keys.ids)
