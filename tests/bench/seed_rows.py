"""The rows of a large, lifelike database, as tuples in the columns' order that both SQLite and Postgres' COPY take as they are.

The same seed, sizes and end give the same rows. Work falls on few flows and few hours more than on others, most runs succeed, some
fail, and one run is very wide.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from appliance.kit import ids

Row = tuple[object, ...]
COLUMNS = {
    "project": "id name description created",
    "user": "id username password_hash role disabled created",
    "agent": "id name type labels capacity version host state last_seen created",
    "flow": "id project_id name overrides settings paused archived created updated",
    "flow_version": "id flow_id number content_hash graph parameters schedules storage run_config labels sdk_version created"
    " created_by",
    "schedule": "id flow_id kind document timezone parameters labels active catch_up catch_up_cap overlap origin version"
    " scheduled_until plan_at created updated",
    "flow_run": "id flow_id flow_version_id schedule_id due_at name parameters context labels run_config priority"
    " scheduled_time state_type state_name state_message state_data state_at version attempt agent_id lease_expires_at last_seq"
    " cancel_requested start_time end_time times_resurrected created created_by",
    "flow_run_state": "flow_run_id version attempt type name message at actor",
    "task_run": "id flow_run_id task_slug map_index name state_type state_name state_message state_data state_at version attempt"
    " run_count tags start_time end_time created",
    "task_run_state": "task_run_id version attempt type name message at",
    "log": "flow_run_id task_slug map_index at level logger message",
    "event": "at topic object_id kind data actor delivered",
}
OUTCOMES = (
    (880, "SUCCESS", "Success"),
    (70, "FAILED", "Failed"),
    (10, "FAILED", "Crashed"),
    (20, "CANCELLED", "Cancelled"),
    (20, "CANCELLED", "Skipped"),
)
STEPS = (
    "extract orders",
    "extract customers",
    "clean",
    "check schema",
    "join",
    "aggregate by day",
    "load warehouse",
    "report",
)
_DAYS = 180
_LINES = (
    "Read {n} rows from the source in {s} s.",
    "Wrote {n} rows to table daily_{s}.",
    "Waiting for the export of partition {n} to finish.",
    "Checked {n} records against the schema, {s} were left out.",
)


@dataclass(frozen=True)
class Sizes:
    """How much to make. `logs` are lines for each task run, on average; `wide` is the width of the one very wide run."""

    runs: int = 1_000_000
    task_runs: int = 10_000_000
    logs: float = 1.0
    schedules: int = 2_000

    @property
    def wide(self) -> int:
        return min(100_000, self.task_runs // 20)

    @property
    def live(self) -> int:
        return min(500, self.runs // 20)

    @property
    def ahead(self) -> int:
        return min(20_000, self.runs // 20)

    @property
    def told(self) -> int:
        """Runs whose events are still kept."""
        return min(50_000, self.runs // 4)


@dataclass(frozen=True)
class FlowFacts:
    id: str
    version_id: str
    slugs: tuple[str, ...]
    schedules: tuple[str, ...]
    labels: str


@dataclass
class Site:
    """What the runs refer to: projects, flows with their versions and schedules, agents."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    flows: list[FlowFacts] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)


def stamp(at: datetime) -> str:
    """A time of UTC as SQLite keeps it and as Postgres reads it."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def uuid7_at(at: datetime, dice: random.Random) -> str:
    """A version 7 id of that moment."""
    ms = int(at.timestamp() * 1000)
    return f"{ms:012x}7{dice.getrandbits(12):03x}{8 + dice.getrandbits(2):x}{dice.getrandbits(60):015x}"


def site(sizes: Sizes, until: datetime, dice: random.Random) -> Site:
    """Projects, users, agents, flows, versions and schedules."""
    made, began = Site(), until - timedelta(days=_DAYS + 1)
    old = stamp(began)

    def new() -> str:
        return uuid7_at(began, dice)

    projects = [(new(), f"project-{number:02d}", "", old) for number in range(12)]
    made.tables["project"] = list(projects)
    made.tables["user"] = [(new(), "bench", None, "admin", 0, old)]
    agents = [
        (new(), f"agent-{n:02d}", "process", '["etl","gpu"]', 32, "1.0", f"host-{n}", "online", stamp(until), old)
        for n in range(20)
    ]
    made.tables["agent"] = list(agents)
    made.agents = [str(row[0]) for row in agents]
    for table in ("flow", "flow_version", "schedule"):
        made.tables[table] = []
    for number in range(max(10, min(500, sizes.runs // 100))):
        _flow(made, number, str(projects[number % len(projects)][0]), sizes, until, old, dice)
    return made


def _flow(made: Site, number: int, project: str, sizes: Sizes, until: datetime, old: str, dice: random.Random) -> None:
    flow_id, name = (
        uuid7_at(until - timedelta(days=_DAYS), dice),
        f"{dice.choice(STEPS).replace(' ', '-')}-{number:03d}",
    )
    labels = '["etl"]' if number % 3 == 0 else "[]"
    made.tables["flow"].append((flow_id, project, name, "{}", "{}", int(number % 50 == 49), 0, old, old))
    slugs = tuple(f"{step.replace(' ', '_')}-{place + 1}" for place, step in enumerate(STEPS))
    tasks = [{"slug": slug, "name": slug.rpartition("-")[0], "tags": [], "mapped": False} for slug in slugs]
    edges = [{"upstream": a, "downstream": b, "key": "rows", "mapped": False} for a, b in itertools.pairwise(slugs)]
    graph = json.dumps({"tasks": tasks, "edges": edges, "reference_tasks": [slugs[-1]]})
    version_id = ""
    for version in (1, 2, 3)[: 1 + number % 3]:
        version_id = uuid7_at(until - timedelta(days=_DAYS), dice)
        hash_, parameter = (
            ids.sha256(f"{flow_id}{version}"),
            '[{"name":"day","required":false,"default":"","schema":{}}]',
        )
        row = (version_id, flow_id, version, hash_, graph, parameter, "[]", '{"type":"module"}', '{"type":"universal"}')
        made.tables["flow_version"].append((*row, labels, "1.0", old, "bench"))
    schedules = []
    flows = max(10, min(500, sizes.runs // 100))
    for _ in range(max(1, sizes.schedules // flows)):
        schedule_id = uuid7_at(until - timedelta(days=_DAYS), dice)
        schedules.append(schedule_id)
        document = json.dumps({"kind": "cron", "cron": f"{dice.randrange(60)} {dice.randrange(24)} * * *"})
        later = stamp(until + timedelta(days=10))
        row = (schedule_id, flow_id, "cron", document, "UTC", "{}", "[]", 1, "latest", 100, "allow", "code", 1)
        made.tables["schedule"].append((*row, later, later, old, old))
    made.flows.append(FlowFacts(flow_id, version_id, slugs, tuple(schedules), labels))


class Runs:
    """The rows of all runs, oldest first, by table."""

    def __init__(self, made: Site, sizes: Sizes, until: datetime, dice: random.Random) -> None:
        self._site, self._sizes, self._until, self._dice = made, sizes, until, dice
        self._weights = [1 / (place + 3) for place in range(len(made.flows))]
        self._outcomes = [part for weight, *part in OUTCOMES for _ in range(weight)]
        self._left = sizes.task_runs - sizes.wide
        self._line = 0

    def batches(self, size: int) -> Iterator[dict[str, list[Row]]]:
        """The rows of `size` runs at a time."""
        ended = self._sizes.runs - self._sizes.live - self._sizes.ahead
        for start in range(0, self._sizes.runs, size):
            rows: dict[str, list[Row]] = {name: [] for name in COLUMNS if "run" in name or name in ("log", "event")}
            numbers = range(start, min(start + size, self._sizes.runs))
            flows = self._dice.choices(self._site.flows, self._weights, k=len(numbers))
            for number, flow in zip(numbers, flows, strict=True):
                self._run(rows, number, flow, ended)
            yield rows

    def _run(self, rows: dict[str, list[Row]], number: int, flow: FlowFacts, ended: int) -> None:
        dice, until = self._dice, self._until
        if number >= ended + self._sizes.live:
            place = number - ended - self._sizes.live
            due = until + timedelta(minutes=20 + place // 2, microseconds=number)
            self._planned(rows, flow, due)
            return
        live = number >= ended
        share = number / max(1, ended)
        at = until - timedelta(days=_DAYS * (1 - share)) if not live else until - timedelta(minutes=dice.random() * 30)
        at = at - timedelta(seconds=2) + timedelta(microseconds=number % 1_000_000)
        type, name = ("RUNNING", "Running") if live else dice.choice(self._outcomes)
        began = at + timedelta(seconds=dice.random() * 3)
        over = began + timedelta(seconds=2 + dice.expovariate(1 / 90))
        if over > until:
            over = until
        run_id, times = uuid7_at(at, dice), tuple(map(stamp, (at, began, over)))
        started = name != "Skipped"
        self._flow_run(rows, run_id, flow, number, type, name, times, live, started)
        self._history(rows, run_id, type, name, times, number, ended)
        if started:
            self._tasks(rows, UUID(run_id), flow, type, name, times, number)

    def _planned(self, rows: dict[str, list[Row]], flow: FlowFacts, due: datetime) -> None:
        run_id, at, now = uuid7_at(self._until, self._dice), stamp(due), stamp(self._until)
        schedule = self._dice.choice(flow.schedules)
        row = (
            run_id,
            flow.id,
            flow.version_id,
            schedule,
            at,
            f"planned-{_WORDS[self._dice.getrandbits(7)]}",
            "{}",
            "{}",
            flow.labels,
            "{}",
            0,
            at,
        )
        rows["flow_run"].append(
            (*row, "SCHEDULED", "Scheduled", "", None, now, 1, 0, None, None, 0, 0, None, None, 0, now, "scheduler")
        )
        rows["flow_run_state"].append((run_id, 1, 0, "SCHEDULED", "Scheduled", "", now, "scheduler"))

    def _flow_run(
        self,
        rows: dict[str, list[Row]],
        run_id: str,
        flow: FlowFacts,
        number: int,
        type: str,
        name: str,
        times: tuple[str, ...],
        live: bool,
        started: bool,
    ) -> None:
        dice = self._dice
        due, began, over = times
        scheduled = number % 5 != 0
        schedule = dice.choice(flow.schedules) if scheduled else None
        message = "ValueError: the source answered with 3 columns instead of 4" if name == "Failed" else ""
        data = '{"location":"s3://results/x","tail":[]}' if type == "FAILED" else None
        label = f"{_WORDS[dice.getrandbits(7)]}-{_WORDS[dice.getrandbits(7)]}"
        lease = stamp(self._until + timedelta(seconds=180)) if live else None
        head = (
            run_id,
            flow.id,
            flow.version_id,
            schedule,
            due if scheduled else None,
            label,
            '{"day":"2026-01-31"}',
            "{}",
        )
        middle = (flow.labels, '{"type":"universal","env":{}}', 0, due, type, name, message, data)
        state = (
            began if live else over,
            3 if live else 4,
            1 if started else 0,
            dice.choice(self._site.agents) if started else None,
        )
        ending = (
            lease,
            4,
            0,
            began if started else None,
            None if live else over,
            0,
            due,
            "scheduler" if scheduled else "alice",
        )
        rows["flow_run"].append((*head, *middle, *state, *ending))

    def _history(
        self,
        rows: dict[str, list[Row]],
        run_id: str,
        type: str,
        name: str,
        times: tuple[str, ...],
        number: int,
        ended: int,
    ) -> None:
        due, began, over = times
        steps = [
            ("SCHEDULED", "Scheduled", due),
            ("PENDING", "Submitted", due),
            ("RUNNING", "Running", began),
            (type, name, over),
        ]
        for version, (kind, label, at) in enumerate(steps[: 3 if type == "RUNNING" else 4], 1):
            rows["flow_run_state"].append((run_id, version, min(1, version - 1), kind, label, "", at, "agent-token"))
            if number >= ended - self._sizes.told:
                data = f'{{"type":"{kind}","name":"{label}","version":{version}}}'
                rows["event"].append((at, "flow_run", run_id, "flow_run.state", data, "agent-token", 1))

    def _tasks(
        self,
        rows: dict[str, list[Row]],
        run_id: UUID,
        flow: FlowFacts,
        type: str,
        name: str,
        times: tuple[str, ...],
        number: int,
    ) -> None:
        runs_left = self._sizes.runs - self._sizes.ahead - number
        width = min(self._left, max(1, round(self._left / max(1, runs_left) * (0.4 + self._dice.random() * 1.2))))
        self._left -= width
        if number == self._sizes.runs // 2:
            width += self._sizes.wide
        mapped = width - len(flow.slugs)
        failing = width // 2 if name in ("Failed", "Crashed") else width
        for place in range(width):
            index = -1 if mapped <= 0 or place < len(flow.slugs) else place - len(flow.slugs)
            slug = flow.slugs[place % len(flow.slugs)] if index < 0 else flow.slugs[4]
            outcome = _of_task(type, place - failing)
            self._task(rows, run_id, slug, index, outcome, times)

    def _task(
        self,
        rows: dict[str, list[Row]],
        run_id: UUID,
        slug: str,
        index: int,
        outcome: tuple[str, str],
        times: tuple[str, ...],
    ) -> None:
        _due, began, over = times
        parent, task_id, (type, name) = run_id.hex, ids.derived(run_id, slug, index).hex, outcome
        failed = type == "FAILED"
        message = "ValueError: the source answered with 3 columns instead of 4" if failed else ""
        label = slug.rpartition("-")[0] if index < 0 else f"{slug.rpartition('-')[0]}[{index}]"
        running = type == "RUNNING"
        at, versions = (began, 1) if running else (over, 2)
        head = (task_id, parent, slug, index, label, type, name, message, None, at, versions, 1, 1, "[]")
        rows["task_run"].append((*head, began, None if running else over, began))
        rows["task_run_state"].append((task_id, 1, 1, "RUNNING", "Running", "", began))
        if not running:
            rows["task_run_state"].append((task_id, 2, 1, type, name, message, over))
        self._line += 1
        lines = int(self._line * self._sizes.logs) - int((self._line - 1) * self._sizes.logs)
        for _ in range(lines):
            text = message or _LINES[self._line & 3].format(n=self._line, s=self._line % 97)
            rows["log"].append((parent, slug, index, over, 40 if failed else 20, "flow", text))


def _of_task(type: str, place: int) -> tuple[str, str]:
    if place < 0 or type == "SUCCESS":
        return ("SUCCESS", "Success") if type != "RUNNING" or place % 3 else ("RUNNING", "Running")
    if place == 0 and type == "FAILED":
        return "FAILED", "Failed"
    return {"FAILED": ("FAILED", "TriggerFailed"), "RUNNING": ("RUNNING", "Running")}.get(
        type, ("CANCELLED", "Cancelled")
    )


_WORDS = [ids.sha256(str(number))[:6] for number in range(128)]
