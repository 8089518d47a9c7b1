"""Notices when containers end: at once, from the engine's events, and by looking at all of them when the events were interrupted, and now and then."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from appliance.agents.attempts import recorded_usage
from appliance.agents.live_attempts import LiveAttempt, Watch
from appliance.agents.usage import UNKNOWN, Usage, of_stats
from appliance.kit import clock
from appliance.kit.backoff import delays
from appliance.packaging.docker_engine import Engine, EngineAway, EngineRefused, engine_errors

PATROL = 15.0
"""Seconds after which all containers are looked at, in case that an event was lost."""
_NOT_ENDED = ("running", "paused", "restarting", "removing")
_logger = logging.getLogger("appliance.agent")


@dataclass(eq=False)
class LiveContainer(LiveAttempt):
    """The container of an attempt. `sampled`: what it has used, as the engine said it last; `due`: when the engine is asked next, which is rarer the
    longer the container runs."""

    sampled: Usage = UNKNOWN
    pauses: Iterator[float] = field(default_factory=lambda: delays(0.5, PATROL))
    due: float = 0.0

    def __post_init__(self) -> None:
        self.due = clock.monotonic() + next(self.pauses)

    def sample(self, engine: Engine) -> None:
        """Note what it has used so far, in case that it is killed, and can't say so itself."""
        self.due = clock.monotonic() + next(self.pauses)
        now = of_stats(engine.stats(self.id))
        if now is not None:
            self.sampled = Usage(now.cpu_seconds, max(now.peak_memory or 0, self.sampled.peak_memory or 0))

    def used(self, facts: Mapping[str, Any] | None) -> Usage:
        """What it has used, once it has ended, as far as that is known: what it said itself, or else what was sampled last."""
        limit = facts["HostConfig"].get("Memory") if facts is not None and facts["State"].get("OOMKilled") else None
        return recorded_usage(self.directory) or Usage(self.sampled.cpu_seconds, limit or self.sampled.peak_memory)


class ContainerWatch(Watch[LiveContainer]):
    """Threads that call `on_end(container, facts)` once for each container, then `gone()` when it is no longer live. `facts` is what the engine
    knows of it, None if it was removed. If `on_end` raises EngineAway, it is called again later."""

    def __init__(
        self,
        engine: Engine,
        labels: Mapping[str, str],
        on_end: Callable[[LiveContainer, dict[str, Any] | None], None],
        gone: Callable[[], None],
    ) -> None:
        super().__init__(gone)
        self._engine, self._labels, self._on_end = engine, labels, on_end
        self._news: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # the id of a container, None: any
        self._to_sample: queue.SimpleQueue[LiveContainer | None] = queue.SimpleQueue()  # None: one that is new
        self._closing = threading.Event()
        self._events: Any = None

    def start(self) -> None:
        for work, name in ((self._listen, "events"), (self._look_after, "containers"), (self._sample, "samples")):
            threading.Thread(target=work, name=f"appliance-{name}", daemon=True).start()

    def add(self, live: LiveContainer) -> None:
        super().add(live)
        self._to_sample.put(None)

    def look_at(self, live: LiveContainer) -> None:
        self._news.put(live.id)

    def sample(self, container: LiveContainer) -> None:
        """Have it noted soon what it has used."""
        self._to_sample.put(container)

    def close(self) -> None:
        self._closing.set()
        self._news.put("")
        self._cut_events()

    def _cut_events(self) -> None:
        if self._events is not None:
            with suppress(Exception):  # it has ended already; or it can't be cut, as over SSH
                self._events.close()

    def _listen(self) -> None:
        pauses = delays(0.1, 5.0)
        while not self._closing.is_set():
            try:
                with engine_errors():
                    self._events = self._engine.ends(self._labels)
                    self._news.put(None)  # what has ended in the meantime
                    for event in self._events:
                        pauses = delays(0.1, 5.0)
                        self._news.put(str(event.get("id", "")))
            except (EngineAway, EngineRefused) as error:
                self._is_away(error)
            self._closing.wait(next(pauses))

    def _look_after(self) -> None:
        while not self._closing.is_set():
            try:
                news = self._news.get(timeout=PATROL)
            except queue.Empty:
                news = None
            due = [each for each in self.live() if news in (None, each.id)]
            if all(self._settle(each) for each in due) and news is None:
                self._try()

    def _sample(self) -> None:
        """In a thread of its own, since the engine may measure for a second before it answers."""
        while not self._closing.is_set():
            soonest = min((each.due for each in self.live()), default=clock.monotonic() + PATROL)
            try:
                urgent = self._to_sample.get(timeout=max(0.0, soonest - clock.monotonic()))
            except queue.Empty:
                urgent = None
            now = clock.monotonic()
            for container in [urgent] if urgent is not None else [each for each in self.live() if each.due <= now]:
                if not self._closing.is_set():
                    container.sample(self._engine)

    def _try(self) -> None:
        try:
            self._engine.check()
            if self.problem:
                _logger.info("The Docker engine is back.")
                self._cut_events()  # nothing may ever come by the old connection, if the network went without a word
            self.problem = ""
        except (EngineAway, EngineRefused) as error:
            self._is_away(error)

    def _is_away(self, error: Exception) -> None:
        text = str(error) if isinstance(error, EngineAway) else f"The Docker engine answers with an error: {error}"
        if not self.problem and not self._closing.is_set():
            _logger.warning("%s Runs that are active continue, and none is started.", text)
        self.problem = text

    def _settle(self, container: LiveContainer) -> bool:
        """Whether the engine answers. One that is silent takes a minute to ask, so the others are asked on the next patrol."""
        if self._closing.is_set() or not container.start_requested.is_set():
            return True
        try:
            facts = self._engine.look(container.id)
            status = "gone" if facts is None else facts["State"]["Status"]
            if status in _NOT_ENDED or (status == "created" and not container.doubt):
                return True
            self._on_end(container, facts)
        except (EngineAway, EngineRefused) as error:
            self._is_away(error)
            return isinstance(error, EngineRefused)
        except Exception:  # logged only: the thread must survive, or no later end would be noticed
            _logger.exception("Could not record the end of run %s.", container.record.flow_run_id)
        self.discard(container)
        return True
