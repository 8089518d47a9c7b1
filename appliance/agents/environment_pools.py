"""Starters of processes for the environments that were used last, so that a run in one of them starts as fast as any other."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping

from appliance.agents.environment_folder import Environment
from appliance.agents.warm_pool import WarmPool

MOST = 2
"""Each takes about 40 MB of memory."""
_logger = logging.getLogger("appliance.agent")


class EnvironmentPools:
    """A warm pool per environment. Thread-safe."""

    def __init__(self, *, hidden: bool) -> None:
        self._hidden = hidden
        self._lock = threading.Lock()
        self._pools: OrderedDict[str, WarmPool] = OrderedDict()  # that used last comes last

    def obtain(self, environment: Environment, environ: Mapping[str, str]) -> WarmPool | None:
        """The pool of an environment, ready to start processes; `environ` is what anyone may see of theirs. None if it must start them cold: pools with
        processes that are still running are kept, since only they learn how those end."""
        with self._lock:
            pool = self._pools.pop(environment.key, None)
            if pool is not None and pool.is_dead:
                pool.close()
                pool = None
            pool = pool or self._made(environment, environ)
            if pool is not None:
                self._pools[environment.key] = pool
        if pool is not None:
            pool.wait_until_ready()
        return pool

    def close(self) -> None:
        """Stop all. Their processes continue."""
        with self._lock:
            while self._pools:
                self._pools.popitem()[1].close()

    def _made(self, environment: Environment, environ: Mapping[str, str]) -> WarmPool | None:
        if len(self._pools) >= MOST:
            idle = next((key for key, pool in self._pools.items() if pool.is_idle), None)
            if idle is None:
                return None
            self._pools.pop(idle).close()
        try:
            return WarmPool(
                hidden=self._hidden, python=str(environment.python), environ=environ, held=[environment.held]
            )
        except OSError as error:
            _logger.warning("Could not start a warm pool for environment %s: %s", environment.key, error)
            return None
