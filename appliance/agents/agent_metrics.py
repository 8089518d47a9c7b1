"""The metrics of an agent for Prometheus. No label has more than a few values, and none is the name of a flow or run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from appliance.agents.agent import Agent
from appliance.agents.agent_health import health_of
from appliance.agents.vitals import START_BUCKETS
from appliance.kit import clock

CONTENT_TYPE = CONTENT_TYPE_LATEST


def text(agent: Agent) -> bytes:
    """The metrics as they are now."""
    return generate_latest(_Collected(agent))


class _Collected(Collector):
    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def collect(self) -> Iterator[Metric]:
        vitals, health = self._agent.vitals, health_of(self._agent)
        info = GaugeMetricFamily("appliance_agent_info", "Always 1.", labels=["version", "kind"])
        info.add_metric([health.version, health.kind], 1)
        yield info
        answered_at, skew = vitals.answered_at, self._agent.skew.seconds
        for name, meaning, value in (
            ("healthy", "Whether /health says ok or waiting.", health.status != "failing"),
            ("server_reachable", "Whether the server has answered the last request.", not vitals.away),
            ("slots", "Runs that it takes at once.", health.slots),
            ("active_runs", "Runs that it has.", health.active_runs),
            ("exits_waiting", "Ends of runs that the server has not heard of yet.", vitals.exits_waiting()),
            ("last_answer_age_seconds", "Seconds since the server answered a claim.", answered_at and clock.monotonic() - answered_at),
            ("clock_skew_seconds", "How far its clock is ahead of the server's.", skew),
        ):  # fmt: skip
            if value is not None:
                yield GaugeMetricFamily(f"appliance_agent_{name}", meaning, value)
        yield CounterMetricFamily("appliance_agent_claims", "Claims that the server has answered.", vitals.claims)
        counts = list(accumulate(vitals.start_counts))
        yield CounterMetricFamily("appliance_agent_starts", "Runs started.", counts[-1])
        failed = CounterMetricFamily("appliance_agent_failed_starts", "Runs not started.", labels=["kind"])
        for kind, count in vitals.failed.items():
            failed.add_metric([kind], count)
        yield failed
        limits = [*map(str, START_BUCKETS), "+Inf"]
        yield HistogramMetricFamily(
            "appliance_agent_start_duration_seconds",
            "From the claim of a run to its start.",
            buckets=list(zip(limits, counts, strict=True)),
            sum_value=vitals.start_seconds,
        )
