"""Several API workers under gunicorn: whatever kills the master kills them too, one that dies is replaced, and all log like the rest."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]

from appliance.config import Settings
from appliance.kit.lifecycle import die_with_parent
from appliance.server import asgi

_OF_GUNICORN = 2  # seconds that the master waits longer than a worker does, before it kills it


class Log(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's lines go where all others go, in the same form."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        _pass_on(self.error_log)


class Worker(UvicornWorker):  # type: ignore[misc]  # nor has this
    """A worker that serves as a lone server does."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _pass_on(logging.getLogger("uvicorn.error"))
        self.config.access_log = self.config.server_header = False
        self.config.timeout_graceful_shutdown = self.cfg.graceful_timeout - _OF_GUNICORN


class Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The master. `keep_alive` and `grace` are seconds: of idle connections, and of open requests at a stop."""

    def __init__(self, settings: Settings, *, keep_alive: int, grace: int) -> None:
        self._settings, self._keep_alive, self._grace = settings, keep_alive, grace
        super().__init__()

    def load_config(self) -> None:
        for key, value in {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": self._settings.workers,
            "worker_class": Worker,
            "logger_class": Log,
            "keepalive": self._keep_alive,
            "graceful_timeout": self._grace + _OF_GUNICORN,
            "control_socket_disable": True,
            "post_fork": _tie,
        }.items():
            self.cfg.set(key, value)

    def load(self) -> object:
        return asgi.create(self._settings)


def _tie(master: Any, worker: Any) -> None:
    """Without its master a worker would go on and hold the port, so that no other could start."""
    die_with_parent(signal.SIGKILL)()
    if os.getppid() != master.pid:  # it died before it could be told
        os._exit(1)


def _pass_on(logger: logging.Logger) -> None:
    logger.handlers = []
    logger.propagate = True
