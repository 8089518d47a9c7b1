"""`python -m tests.chaos.herd [--agents 200] [--seconds 60] [--postgres]`: agents that lose their server at the same moment, and find it again at the same moment.

Real are the server (a process of its own, which is killed and started again), the loop, the client, and the back-off of each agent, and its connection over the
loopback. The agents are threads of this process, since 200 interpreters would measure the machine, and start nothing: what a run costs is the matter of other storms.
So the times include what 200 threads of one interpreter take from each other, and are rather too long than too short.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from appliance.agents.agent import Agent
from appliance.client import agents
from appliance.client.answers import Response
from appliance.client.transport import Transport, _Request
from appliance.kit import clock
from appliance.protocol.agents import Enrolled, Held, Work
from tests import process_guard
from tests.chaos.faults import Postgres
from tests.e2e.appliance_process import until
from tests.integration.live import TOKEN, LiveServer

LONGEST_REQUEST, LONGEST_PAUSE = 5.0, 30.0
"""Seconds: the 99th percentile of the requests, in which a claim waits for work for 3 seconds, and the longest that an agent waits before it asks again."""
SLOT, LARGEST_SHARE = 0.1, 0.2
"""How many agents may come back in the same tenth of a second."""
OBSERVED = 15.0


@dataclass(frozen=True)
class Request:
    """One that an agent has sent; `answered` is None if nobody did."""

    agent: str
    began: float
    ended: float
    answered: bool


class Timed(Transport):
    """Notes each request."""

    def __init__(self, url: str, agent: str, notes: list[Request]) -> None:
        super().__init__(url, TOKEN)
        self._agent, self._notes = agent, notes

    def _exchange(self, request: _Request) -> tuple[Response, bytes]:
        began, answered = clock.monotonic(), False
        try:
            result = super()._exchange(request)
            answered = result[0].status_code == 200
            return result
        finally:
            self._notes.append(Request(self._agent, began, clock.monotonic(), answered))


class Idle(Agent):
    """Takes runs, and starts none."""

    kind = "process"

    def __init__(self, transport: Transport, name: str) -> None:
        super().__init__(transport, name=name, labels=[name], capacity=1)

    def open(self) -> None:
        pass

    def on_enrol(self, answer: Enrolled) -> None:
        pass

    def close(self) -> None:
        self._transport.close()

    def holding(self) -> list[Held]:
        return []

    def start(self, work: Work) -> None:
        raise AssertionError("nobody has asked for a run")

    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        pass

    def report_failed_start(self, work: Work, reason: str) -> None:
        pass


@dataclass(frozen=True)
class Figures:
    """Seconds, but for the share. `back` is from the end of the server's start until the last agent was heard; `share` is the largest part of the agents that came
    back in one tenth of a second."""

    requests: int
    p50: float
    p99: float
    longest: float
    back: float
    pause: float
    share: float

    def __str__(self) -> str:
        return (
            f"{self.requests} requests: p50 {self.p50:.2f} s, p99 {self.p99:.2f} s, longest {self.longest:.2f} s; all agents were heard within {self.back:.2f} s; "
            f"longest pause {self.pause:.2f} s; {self.share:.0%} came back in the same {SLOT} s"
        )


def herd(directory: Path, *, size: int, seconds: float, postgres: bool = False) -> Figures:
    """The server is gone for so many seconds. Then the agents' requests are watched for a while."""
    with ExitStack() as stack:
        settings = {}
        if postgres:
            database = Postgres(directory / "postgres")
            stack.callback(database.close)
            settings["APPLIANCE_DATABASE_URL"] = database.url
        server = LiveServer(directory / "data", **settings).start()
        stack.callback(server.kill)
        notes: list[Request] = []
        stop = threading.Event()
        names = [f"herd-{number}" for number in range(size)]
        members = [Idle(Timed(server.url, name, notes), name) for name in names]
        threads = [threading.Thread(target=member.run, args=(stop,), daemon=True) for member in members]
        stack.callback(lambda: [thread.join(30) for thread in threads])
        stack.callback(stop.set)
        for thread in threads:
            thread.start()
        until("all are here", lambda: len(agents.listed(server.client)) == size, 120)
        until("all have claimed", lambda: len({note.agent for note in list(notes) if note.answered}) == size, 60)
        gone = clock.monotonic()
        server.kill()
        time.sleep(seconds)  # the outage
        server.start()
        back = clock.monotonic()
        until("all are back", lambda: len(_heard_since(notes, gone + seconds)) == size, 60)
        time.sleep(OBSERVED)  # what is measured
        return _figures(list(notes), names, gone, gone + seconds, back)


def _heard_since(notes: list[Request], moment: float) -> set[str]:
    return {note.agent for note in list(notes) if note.answered and note.began >= moment}


def _figures(notes: Sequence[Request], names: Sequence[str], gone: float, start: float, back: float) -> Figures:
    answered = sorted(note.ended - note.began for note in notes if note.answered and note.began >= start)
    returns = {
        name: next(note for note in notes if note.agent == name and note.answered and note.began >= start)
        for name in names
    }
    slots = Counter(int(note.began / SLOT) for note in returns.values())
    pauses = [0.0]
    for name in names:
        own = [note for note in notes if note.agent == name and note.ended >= gone]
        pauses += [after.began - before.ended for before, after in itertools.pairwise(own)]
    return Figures(
        requests=len(answered),
        p50=answered[len(answered) // 2],
        p99=answered[int(len(answered) * 0.99)],
        longest=answered[-1],
        back=max(note.ended for note in returns.values()) - back,
        pause=max(pauses),
        share=max(slots.values()) / len(names),
    )


def broken(figures: Figures) -> list[str]:
    """What is not as promised."""
    promises = {
        f"99 of 100 requests take at most {LONGEST_REQUEST} s": figures.p99 <= LONGEST_REQUEST,
        f"no agent waits longer than {LONGEST_PAUSE} s": figures.pause <= LONGEST_PAUSE,
        f"at most {LARGEST_SHARE:.0%} come back at once": figures.share <= LARGEST_SHARE,
    }
    return [promise for promise, is_kept in promises.items() if not is_kept]


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.herd", description=__doc__)
    options.add_argument("--agents", type=int, default=200)
    options.add_argument("--seconds", type=float, default=60.0, help="how long the server is gone")
    options.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")
    given = options.parse_args()
    process_guard.watch()
    logging.getLogger("appliance.agent").setLevel(logging.ERROR)  # each of them says the same
    directory = process_guard.marked_directory("appliance-chaos-")
    figures = herd(directory, size=given.agents, seconds=given.seconds, postgres=given.postgres)
    shutil.rmtree(directory, ignore_errors=True)
    print(figures)
    failures = broken(figures)
    print("verdict: " + (f"BROKEN: {'; '.join(failures)}" if failures else "clean"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
