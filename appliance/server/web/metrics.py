"""Metrics for Prometheus at /metrics.

This process's own work (HTTP) is counted in memory. If several workers serve one address, it is counted in files that any of them can
add up: prometheus_client does this if PROMETHEUS_MULTIPROC_DIR names a directory. Work that any process may do (runs created, started,
finished) is read from the database at each scrape, so that it is correct however many servers and services there are: a service stores
the totals, and a scrape adds the outbox's events since then, whose ids only grow.
"""

from __future__ import annotations

import os
import threading
from collections import Counter as Counts
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import Message, Scope
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from appliance.config import Network
from appliance.kit import clock
from appliance.kit.version import VERSION
from appliance.server.actions import disk, soundness
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import agents, bundles, leases, readable, size
from appliance.server.db.rows.leases import LeaseRow
from appliance.server.db.session import Database
from appliance.server.domain.run_totals import DELAY_BUCKETS, MEMORY_BUCKETS, RunTotals
from appliance.server.domain.waiting import health_of
from appliance.server.errors import Forbidden, ServerError
from appliance.server.web.proxies import is_in
from appliance.server.web.totals import StateCounts, Totals

disable_created_metrics()  # type: ignore[no-untyped-call]  # they add a series per metric that says only when it was first counted

SHARED = "PROMETHEUS_MULTIPROC_DIR"
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STATE_TYPES = ("SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "CANCELLED")
HEALTHS = ("online", "offline", "draining", "quarantined")


FRESH = 1.0
"""Seconds for which the text of the metrics is kept."""


class Metrics:
    """The counters of one app, and the registry that exposes them."""

    def __init__(self, database: Database, disk_budget: int = 0) -> None:
        self._text: bytes | None = None
        self._text_at, self._text_lock = 0.0, threading.Lock()
        self.registry = CollectorRegistry()
        shared = os.environ.get(SHARED)
        own = None if shared else self.registry  # shared counts are read from the files instead
        self._requests = Counter(
            "appliance_http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=own,
        )
        self._durations = Histogram(
            "appliance_http_request_duration_seconds",
            "Time to the first byte of the response, excluding long polls and streams.",
            ["method", "route"],
            buckets=HTTP_BUCKETS,
            registry=own,
        )
        # looking up the series for some labels costs more than counting; there are only about as many as routes
        self._request_series = cache(
            lambda method, route, hundreds: self._requests.labels(method, route, f"{hundreds}xx")
        )
        self._duration_series = cache(lambda method, route: self._durations.labels(method, route))
        if shared:
            MultiProcessCollector(self.registry, shared)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=self.registry)  # for one of several workers it would mean little
        PlatformCollector(registry=self.registry)
        self.registry.register(_FromDatabase(database, disk_budget))

    async def observe(self, message: Message, scope: Scope) -> None:
        """Count a request just before the first byte of its response is sent."""
        if message["type"] != "http.response.start":
            return
        verb = str(scope.get("method"))
        method = verb if verb in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE") else "other"
        route = str(scope.get("path_template") or "unmatched")
        self._request_series(method, route, message["status"] // 100).inc()
        started = scope["state"].get("started")
        if started is not None and not route.endswith(("/claim", "/events")):
            self._duration_series(method, route).observe(clock.monotonic() - started)

    def text(self) -> bytes:
        """The metrics as they were at most a second ago, however often they are asked for."""
        with self._text_lock:
            now = clock.monotonic()
            if self._text is None or now - self._text_at >= FRESH:
                self._text, self._text_at = generate_latest(self.registry), now
            return self._text


class _FromDatabase:
    """Reads what all processes have done. If the database can't be reached, the other metrics are still returned."""

    def __init__(self, database: Database, disk_budget: int) -> None:
        self._database = database
        self._disk_budget = disk_budget
        self._by_type = StateCounts()
        self._totals = Totals()
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Empty, because registration must not query the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("appliance_build_info", "Always 1; the label is the version.", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build
        up = GaugeMetricFamily("appliance_database_up", "Whether the database answered the query for these metrics.")
        try:
            metrics = self._read()
        except ServerError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from metrics

    def _read(self) -> list[Metric]:
        now = clock.now()
        with self._lock, self._database.read() as session:
            totals = self._totals.get(session)
            by_type = self._by_type.get(session)
            health = Counts(health_of(row, now) for row in agents.every(session))
            lease = leases.get(session, leases.SCHEDULER)
            size_bytes = size.database_bytes(session)
            return [
                *_disk(disk.measure(self._database, self._disk_budget, now=now)),
                _labelled("appliance_flow_runs", "Flow runs by state type.", "state_type", by_type, STATE_TYPES),
                _labelled("appliance_agents", "Agents by health.", "health", health, HEALTHS),
                *_scheduler(lease, now),
                GaugeMetricFamily("appliance_database_size_bytes", "Size of the database.", value=size_bytes),
                *_bundles(*bundles.totals(session)),
                *_soundness(soundness.last(self._database)),
                *_counters(totals),
            ]


def _counters(totals: RunTotals) -> list[Metric]:
    created = CounterMetricFamily(
        "appliance_flow_runs_created",
        "Flow runs created since the appliance was set up.",
        value=totals.created,
    )
    finished = CounterMetricFamily(
        "appliance_flow_runs_finished", "Flow runs finished, by final state type.", labels=["state"]
    )
    for state in ("SUCCESS", "FAILED", "CANCELLED"):
        finished.add_metric([state], totals.finished.get(state, 0))
    delay = HistogramMetricFamily(
        "appliance_flow_run_start_delay_seconds",
        "Time from when a run could have started, due and created, to the start of its flow.",
    )
    delay.add_metric([], totals.delays.buckets(DELAY_BUCKETS), totals.delays.sum)
    cpu = CounterMetricFamily(
        "appliance_flow_run_cpu_seconds",
        "CPU time that ended attempts of flow runs have used, as their agents have measured it.",
        value=totals.cpu_seconds,
    )
    memory = HistogramMetricFamily(
        "appliance_flow_run_peak_memory_bytes", "Peak memory of ended attempts of flow runs."
    )
    memory.add_metric([], totals.peaks.buckets(MEMORY_BUCKETS), totals.peaks.sum)
    return [created, finished, delay, cpu, memory]


def _bundles(number: int, total: int) -> list[Metric]:
    return [
        GaugeMetricFamily("appliance_bundles", "Bundles of code that the server keeps.", value=number),
        GaugeMetricFamily("appliance_bundle_bytes", "Bytes of the bundles of code.", value=total),
    ]


def handler(metrics: Metrics, public: bool, networks: Sequence[Network]) -> HTTPRouteHandler:
    """GET /metrics: public, or only for administrators' tokens; if there are `networks`, only from there."""
    permission = Permission.PUBLIC if public else Permission.READ_METRICS

    @get("/metrics", opt={"permission": permission}, sync_to_thread=True)
    def show(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Get the metrics in Prometheus' text format."""
        if networks and not (request.client and is_in(request.client.host, networks)):
            raise Forbidden(
                "The metrics aren't for this address; an administrator can add it to APPLIANCE_METRICS_FROM."
            )
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return show


def _labelled(
    name: str, text: str, label: str, values: Mapping[str, float], keys: tuple[str, ...]
) -> GaugeMetricFamily:
    """A gauge with one label from a fixed set, so that values that no longer occur are reported as 0."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for value in keys:
        family.add_metric([value], values.get(value, 0))
    return family


def _disk(state: disk.Disk) -> list[Metric]:
    """Unknown values, such as the disk size of Postgres, are omitted."""
    values: list[tuple[str, str, float | None]] = [
        ("appliance_database_used_bytes", "Bytes of the database in use, without free pages.", state.used),
        ("appliance_database_wal_bytes", "Size of SQLite's write-ahead log.", state.write_ahead_log),
        ("appliance_disk_free_bytes", "Bytes free on the database's disk.", state.free),
        ("appliance_disk_size_bytes", "Size of the database's disk.", state.total),
        ("appliance_disk_reserve_bytes", "Size of the reserve file.", state.reserve),
        ("appliance_kept_results", "Results of runs that the appliance keeps itself.", state.results),
        ("appliance_kept_result_bytes", "Bytes of these results.", state.results_bytes),
        ("appliance_disk_writable", "Whether the disk has room for changes: 1 or 0.", int(state.writable)),
        (
            "appliance_disk_full_in_days",
            "Days until the disk or its budget is full at the current growth rate.",
            state.days_left,
        ),
    ]
    return [GaugeMetricFamily(name, text, value=value) for name, text, value in values if value is not None]


def _soundness(last: soundness.Soundness | None) -> list[Metric]:
    skipped = CounterMetricFamily(
        "appliance_damaged_rows_skipped",
        "Times that this process left a damaged row out of a list.",
        value=readable.skipped(),
    )
    if last is None:
        return [skipped]
    sound = ("appliance_database_sound", "Whether the last check of SQLite's file found no damage: 1 or 0.")
    checked = ("appliance_database_checked_timestamp_seconds", "When SQLite's file was last checked, in Unix time.")
    rows = ("appliance_damaged_rows", "Rows with a damaged value that the last check found.")
    return [
        skipped,
        GaugeMetricFamily(*rows, value=last.damaged_rows),
        GaugeMetricFamily(*sound, value=int(not last.problems)),
        GaugeMetricFamily(*checked, value=last.at.timestamp()),
    ]


def _scheduler(lease: LeaseRow | None, now: datetime) -> list[Metric]:
    if lease is None or lease.last_run_at is None:
        return []
    age = now - lease.last_run_at
    return [
        GaugeMetricFamily(
            "appliance_scheduler_last_tick_timestamp_seconds",
            "When the scheduler finished its last round, in Unix time.",
            value=lease.last_run_at.timestamp(),
        ),
        GaugeMetricFamily(
            "appliance_scheduler_tick_age_seconds",
            "Seconds since the scheduler's last round.",
            value=age.total_seconds(),
        ),
    ]
