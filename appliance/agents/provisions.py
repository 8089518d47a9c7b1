"""What an agent can give runs that ask for it, looked up while it works: starting each Python to ask for its version takes too long to wait for."""

from __future__ import annotations

import threading

from appliance.agents.environments import Environments
from appliance.agents.pythons import NoPython
from appliance.agents.run_keys import RunKeys
from appliance.agents.run_users import RunUsers
from appliance.kit import process_limits
from appliance.protocol.agents import Provided

EVERY = 60.0
"""Seconds after which a Python that was installed or removed is noticed."""


class Provisions:
    """Those of one agent. `current` is None until the Pythons have been looked up."""

    def __init__(self, environments: Environments, users: RunUsers, keys: RunKeys) -> None:
        self._environments, self._users, self._keys = environments, users, keys
        self._stopped = threading.Event()
        self.current: Provided | None = None

    def start(self) -> None:
        """Look now if that is quick, and else in a thread of its own."""
        if not self._environments.allowed:
            self._look()
            return
        threading.Thread(target=self._keep_looking, name="appliance-provisions", daemon=True).start()

    def close(self) -> None:
        self._stopped.set()

    def _keep_looking(self) -> None:
        self._look()
        while not self._stopped.wait(EVERY):
            self._look()

    def _look(self) -> None:
        try:
            pythons = self._environments.pythons()
        except NoPython:  # its own does not start: runs say so
            pythons = []
        self.current = Provided(
            users=self._users.usable, pythons=pythons, limits=process_limits.most(), results_key_ids=self._keys.ids
        )
