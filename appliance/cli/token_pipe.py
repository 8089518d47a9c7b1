"""How the embedded agent gets its token, and the key to those of its runs: over a pipe, from a process that may read the database, since the agent may not."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.context import ForkProcess

from appliance.kit import hidden_memory, lifecycle

FORK = multiprocessing.get_context("fork")


class TokenPipe:
    """One pipe for each start of the agent. Without a token, a process waits for it as the server's user, and writes it then."""

    def __init__(self, token: str, key: str, wait: Callable[[], str], enter: Callable[[], None]) -> None:
        self._token, self._key, self._wait, self._enter = token, key, wait, enter
        self._reader = self._writer = -1
        self._waiting: ForkProcess | None = None

    def renew(self) -> None:
        """In the supervisor, before it forks the agent."""
        self.close()
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        if self._token:
            self._write(self._token)
        else:
            self._waiting = FORK.Process(target=self._write_later, args=(os.getpid(),), name="agent-token")
            self._waiting.start()

    def started(self) -> None:
        """In the supervisor, after it has forked the agent."""
        os.close(self._reader)
        os.close(self._writer)

    def close(self) -> None:
        """End the process that waits, which the end of the supervisor would otherwise wait for."""
        if self._waiting is not None:
            self._waiting.kill()
            self._waiting.join()
            self._waiting = None

    def read(self) -> tuple[str, str]:
        """In the agent: wait for the token, and get the key with it."""
        os.close(self._writer)
        with os.fdopen(self._reader, "rb") as reader:
            token, _, key = reader.read().decode().partition("\n")
        return token, key

    def _write_later(self, supervisor: int) -> None:
        self._enter()
        hidden_memory.hide()
        lifecycle.die_with(supervisor)
        os.close(self._reader)
        self._write(self._wait())

    def _write(self, token: str) -> None:
        os.write(self._writer, f"{token}\n{self._key}".encode())
