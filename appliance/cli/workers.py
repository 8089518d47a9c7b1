"""Several API workers under gunicorn: they die with their master, are replaced when they die, and log like every other process."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]

from appliance.config import Settings
from appliance.kit import lifecycle
from appliance.kit.loop_watchdog import SILENCE
from appliance.server import asgi
from appliance.server.graphql import endpoint, schema  # noqa: F401 - which workers load later, but share if their master has
from appliance.server.web import connections

_MASTER_MARGIN = 2  # extra seconds that the master gives a worker before killing it


class Log(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sends gunicorn's log lines where all others go, in the same format."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        _propagate(self.error_log)


class Worker(UvicornWorker):  # type: ignore[misc]  # uvicorn_worker has no types either
    """A worker with the same settings as a single server."""

    CONFIG_KWARGS = {"loop": "auto", "http": connections.Protocol}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _propagate(logging.getLogger("uvicorn.error"))
        self.config.access_log = self.config.server_header = self.config.proxy_headers = False
        self.config.timeout_graceful_shutdown = self.cfg.graceful_timeout - _MASTER_MARGIN


class Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The master. `keep_alive` is in seconds, for idle connections; so is `grace`, for open requests on shutdown."""

    def __init__(self, settings: Settings, *, keep_alive: int, grace: int) -> None:
        self._settings, self._keep_alive, self._grace = settings, keep_alive, grace
        super().__init__()

    def load_config(self) -> None:
        for key, value in {
            "bind": self._settings.address,
            "workers": self._settings.workers,
            "worker_class": Worker,
            "logger_class": Log,
            "timeout": int(SILENCE),
            "keepalive": self._keep_alive,
            "graceful_timeout": self._grace + _MASTER_MARGIN,
            "control_socket_disable": True,
            "post_fork": _die_with_master,
        }.items():
            self.cfg.set(key, value)

    def load(self) -> object:
        return asgi.create(self._settings)


def _die_with_master(master: Any, worker: Any) -> None:
    """A worker that outlived its master would hold the port, so that no new server could start."""
    lifecycle.die_with(master.pid)


def _propagate(logger: logging.Logger) -> None:
    logger.handlers = []
    logger.propagate = True
