"""The rated load of a small site, as its agents, runs and people would make it: 20 agents, 500 schedules, 500 live runs, which come to
50 changes of state and 500 log lines a second. Nothing runs; only what would be said is said."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2 as httpx
import msgspec

from appliance.kit import clock, ids
from appliance.protocol.agents import Claim, Enrol, Held, Work
from appliance.protocol.run_protocol import Begin, Event, FlowStateEvent, LogEvent, Report, TaskStateEvent
from tests.bench import catalogue
from tests.integration import builders

AGENTS, SCHEDULES, FLOWS, LIVE = 20, 500, 25, 500
BEAT = 10.0
"""Seconds between two reports of a run: the heartbeat's own."""
STEPS = 20
LINES = 10
PERIOD = STEPS * BEAT * SCHEDULES / LIVE
"""Seconds between two runs of a schedule: as long as a run lives, so that all schedules have one alive."""
_TASK_STEPS = 16
_REPORTERS = 16
_WAIT = 20.0
LABEL = "soak"


@dataclass
class Heard:
    """What the load heard since it was asked last."""

    milliseconds: list[float] = field(default_factory=list)
    late_seconds: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class Attempt:
    """A live run: it says something every BEAT."""

    work: Work
    agent: Agent
    step: int = 0
    tries: int = 0

    @property
    def path(self) -> str:
        return f"/api/v1/flow-runs/{self.work.flow_run_id}"

    def report(self) -> bytes:
        """The next batch; the same when it is sent again."""
        at = clock.now()
        events: list[Event] = []
        place = (self.step - 1) // 2
        if self.step <= _TASK_STEPS:
            type, name = ("RUNNING", "Running") if self.step % 2 else ("SUCCESS", "Success")
            events.append(TaskStateEvent(slug="load-1", map_index=place, type=type, name=name, at=at, run_count=1))  # type: ignore[arg-type]
        for number in range(LINES):
            text = f"Step {self.step}: wrote {number} rows of partition {place}."
            events.append(LogEvent(at=at, level="INFO", logger="flow", message=text, slug="load-1", map_index=place))
        if self.step == STEPS:
            events.append(FlowStateEvent(type="SUCCESS", name="Success", at=at))
        return msgspec.json.encode(Report(attempt=self.work.attempt, seq=self.step, events=events))


class Agent:
    """One agent: it asks for work, and holds what it got until that has ended."""

    def __init__(self, number: int) -> None:
        self.name = f"soak-{number:02d}"
        self.held: dict[Any, Held] = {}
        self.id = ""


class Load:
    """Starts with `start`, runs in threads of this process until `stop`."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._heard = Heard()
        self._due: list[tuple[float, int, Attempt]] = []
        self._more = threading.Condition()
        self._order = itertools.count()
        self.live = 0
        self.agents = [Agent(number) for number in range(AGENTS)]
        works: list[tuple[Callable[..., None], tuple[Any, ...]]] = [(self._claim, (agent,)) for agent in self.agents]
        works += [(self._report, ()) for _ in range(_REPORTERS)]
        works += [(self._look, ()), (self._listen, ())]
        self._threads = [threading.Thread(target=work, args=arguments, daemon=True) for work, arguments in works]

    def start(self) -> None:
        """Register the flows with their schedules, enrol the agents, and begin."""
        with self._client() as http:
            for number in range(FLOWS):
                self._register(http, number)
            for agent in self.agents:
                body = Enrol(name=agent.name, type="process", labels=[LABEL], capacity=LIVE, version="0", host="h")
                agent.id = self._post(http, "/api/v1/agents", body)["agent_id"]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Fall silent, as if the machine of all agents went away."""
        self._over.set()
        with self._more:
            self._more.notify_all()
        for thread in self._threads:
            thread.join(_WAIT + 5)

    def heard(self) -> Heard:
        with self._lock:
            found, self._heard = self._heard, Heard()
        return found

    def _register(self, http: httpx.Client, number: int) -> None:
        each = SCHEDULES // FLOWS
        began = clock.now()
        starts = [began + timedelta(seconds=PERIOD * (number * each + place) / SCHEDULES) for place in range(each)]
        clocks = [{"kind": "interval", "seconds": PERIOD, "anchor": at.isoformat(), "timezone": "UTC"} for at in starts]
        document = builders.document(schedules=clocks, labels=[LABEL]) | {"name": f"soak-{number:02d}"}
        self._post(
            http,
            "/api/v1/flows",
            {
                "project": "soak",
                "name": document["name"],
                "content_hash": ids.sha256(repr(document)),
                "document": document,
                "storage": {"type": "local", "path": "x.py"},
                "labels": [LABEL],
            },
        )

    def _claim(self, agent: Agent) -> None:
        with self._client() as http:
            while not self._over.is_set():
                with self._lock:
                    holding = list(agent.held.values())
                share = max(0, LIVE * 6 // 5 // AGENTS - len(holding))
                request = Claim(free_slots=min(4, share), wait_s=_WAIT, labels=[LABEL], holding=holding)
                answer = self._safely("claim", partial(self._post, http, f"/api/v1/agents/{agent.id}/claim", request))
                for work in [] if answer is None else msgspec.convert(answer["work"], list[Work]):
                    attempt = Attempt(work, agent)
                    with self._lock:
                        agent.held[work.flow_run_id] = Held(flow_run_id=work.flow_run_id, attempt=work.attempt)
                        self.live += 1
                    self._soon(attempt, 0.0)

    def _report(self) -> None:
        with self._client() as http:
            while (attempt := self._next()) is not None:
                self._say(http, attempt)

    def _say(self, http: httpx.Client, attempt: Attempt) -> None:
        first = attempt.step == 0
        kind, body = ("begin", Begin(attempt=attempt.work.attempt)) if first else ("report", attempt.report())
        answer = self._safely(kind, partial(self._post, http, f"{attempt.path}/{kind}", body, attempt.work.run_token))
        if answer is None:
            attempt.tries += 1
            if attempt.tries > 30:
                self._forget(attempt, "lost")
            else:
                self._soon(attempt, 1.0)
            return
        attempt.tries = 0
        self._note(attempt, answer)
        if attempt.step == STEPS:
            self._forget(attempt, "finished")
            return
        attempt.step += 1
        self._soon(attempt, BEAT)

    def _note(self, attempt: Attempt, answer: dict[str, Any]) -> None:
        changes = 3 if attempt.step == 0 else int(attempt.step <= _TASK_STEPS) + int(attempt.step == STEPS)
        with self._lock:
            self._heard.counts["transitions"] += changes  # a begun run was Scheduled, Pending, Running
            self._heard.counts["lines"] += LINES if attempt.step else 0
            if attempt.step == 0:
                due = msgspec.convert(answer["scheduled_time"], type=type(clock.now()))
                self._heard.late_seconds.append((clock.now() - due).total_seconds())

    def _forget(self, attempt: Attempt, how: str) -> None:
        with self._lock:
            attempt.agent.held.pop(attempt.work.flow_run_id, None)
            self.live -= 1
            self._heard.counts[how] += 1

    def _look(self) -> None:
        """A person with the page of runs open, who looks at a run and at the flows now and then."""
        with self._client() as http:
            for number in itertools.count():
                if self._over.wait(1.0):
                    return
                query, values = [
                    (catalogue.RUNS, {"filter": {}, "first": 100}),
                    (catalogue.RUNS, {"filter": {"stateTypes": ["RUNNING"]}, "first": 100}),
                    (catalogue.FLOWS, {"filter": {}}),
                ][number % 3]
                self._safely("look", partial(self._post, http, "/graphql", {"query": query, "variables": values}))

    def _listen(self) -> None:
        """A page that is told of every change."""
        with self._client() as http:
            while not self._over.is_set():
                try:
                    with http.stream("GET", "/api/v1/events") as stream:
                        for line in stream.iter_lines():
                            with self._lock:
                                self._heard.counts["told"] += line.startswith("data:")
                            if self._over.is_set():
                                return
                except httpx.HTTPError:
                    self._failed("listen")
                    self._over.wait(1.0)

    def _safely(self, kind: str, request: Callable[[], Any]) -> Any | None:
        """The answer, or None when there was none or a bad one, which is counted."""
        began = time.perf_counter()
        try:
            answer = request()
        except (httpx.HTTPError, AssertionError):
            self._failed(kind)
            self._over.wait(0.2)
            return None
        if kind != "claim":  # that waits for work
            with self._lock:
                self._heard.milliseconds.append((time.perf_counter() - began) * 1000)
        return answer

    def _failed(self, kind: str) -> None:
        if not self._over.is_set():
            with self._lock:
                self._heard.counts["errors"] += 1
                self._heard.counts[f"errors of {kind}"] += 1

    def _soon(self, attempt: Attempt, seconds: float) -> None:
        with self._more:
            heapq.heappush(self._due, (clock.monotonic() + seconds, next(self._order), attempt))
            self._more.notify()

    def _next(self) -> Attempt | None:
        with self._more:
            while not self._over.is_set():
                wait = self._due[0][0] - clock.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._more.wait(wait)
        return None

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return httpx.Client(base_url=self._url, headers=headers, trust_env=False, timeout=_WAIT + 30)

    def _post(self, http: httpx.Client, path: str, body: Any, token: str | None = None) -> Any:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {token}"} if token else None
        answer = http.post(path, content=content, headers=headers)
        assert answer.is_success, answer.text[:300]
        return msgspec.json.decode(answer.content)
