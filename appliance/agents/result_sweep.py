"""Removes the results that deleted runs have kept in the agent's folder: soon after the start, and then about every hour."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from uuid import UUID

from appliance.client import agents
from appliance.client.errors import ClientError, NotFound
from appliance.client.transport import Transport
from appliance.engine.results.removal import Freed, Kept, ResultFolder
from appliance.kit import clock
from appliance.kit.plurals import counted
from appliance.protocol.agents import MOST_RUNS_ASKED, WereDeleted

SOON, INTERVAL = 3.0, 3600.0
_logger = logging.getLogger("appliance.agent")


class ResultSweep:
    """A thread of its own, which pauses after each step for as long as that took. Whatever goes wrong, the next round tries it again."""

    def __init__(
        self,
        transport: Transport,
        folder: Path,
        holding: Callable[[], Collection[UUID]],
        *,
        soon: float = SOON,
        interval: float = INTERVAL,
    ) -> None:
        """`holding` returns the runs that are active here now, of which nothing is removed."""
        self._transport, self._holding = transport, holding
        self._folder = ResultFolder(folder)
        self._soon, self._interval = soon, interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="appliance-result-sweep", daemon=True)
        self.agent_id: UUID | None = None

    def start(self, agent_id: UUID) -> None:
        """Start sweeping, on behalf of this agent."""
        self.agent_id = agent_id
        if not self._thread.is_alive():
            self._thread.start()

    def close(self) -> None:
        """Stop after the current step."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def run_once(self, agent_id: UUID) -> Freed:
        """Look through the folder once. Raises ClientError; what is left then stays until the next time."""
        freed = Freed()
        try:
            for step in self._steps():
                freed += self._step(agent_id, step)
            self._folder.tidy(clock.now())
        finally:
            if freed.files:
                number = counted(freed.files, "file")
                _logger.info("Removed the results of deleted runs: %s, %d bytes.", number, freed.bytes)
        return freed

    def _steps(self) -> Iterator[list[Kept]]:
        """What runs have kept, bit by bit, with a pause after each as long as it took."""
        with closing(self._folder.kept()) as kept:
            while not self._stop.is_set() and (step := list(islice(kept, MOST_RUNS_ASKED))):
                began = clock.monotonic()
                yield step
                self._stop.wait(clock.monotonic() - began)

    def _step(self, agent_id: UUID, step: list[Kept]) -> Freed:
        ids = list({kept.flow_run_id for kept in step})
        answer = agents.deleted(self._transport, agent_id, WereDeleted(flow_run_ids=ids))
        deleted = set(answer.flow_run_ids).difference(self._holding())
        freed = Freed()
        for kept in step:
            if kept.flow_run_id in deleted and not self._stop.is_set():
                freed += self._folder.remove(kept)
        return freed

    def _work(self) -> None:
        pause = self._soon
        while not self._stop.wait(random.uniform(0.9, 1.1) * pause):  # noqa: S311 - spreads load
            pause = self._interval
            try:
                self._round()
            except Exception:  # what is wrong here must not end the agent
                _logger.exception("Looking for the results of deleted runs failed.")

    def _round(self) -> None:
        assert self.agent_id is not None
        self._folder.trouble = None
        try:
            self.run_once(self.agent_id)
        except NotFound:  # a server of the release before
            return
        except ClientError as error:
            _logger.warning(
                "The results of deleted runs stay for now; the server doesn't say which they are: %s", error
            )
            return
        if self._folder.trouble is not None:
            _logger.warning("Some results of deleted runs may stay: %s", self._folder.trouble)
