"""What pods use now, in a cluster that measures them: it is all that is known of those that are killed, and so can't say what they have used."""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from appliance.agents.job_template import RUN
from appliance.agents.kubernetes_cluster import METRICS, Cluster, ClusterAway, ClusterRefused, Manifest
from appliance.agents.usage import Usage
from appliance.protocol.containers import bytes_in

INTERVAL = 15.0
"""Seconds between two looks, as a metrics server measures by default."""
_ABSENT = (403, 404)
_CORES = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,9})?)(?P<unit>[num]?)")
_WINDOW = re.compile(r"(?:(?P<minutes>\d{1,4})m)?(?P<seconds>\d{1,6}(?:\.\d{1,9})?)s")
_PARTS = {"": 1, "m": 1e3, "u": 1e6, "n": 1e9}
_logger = logging.getLogger("appliance.agent")


class Measured(Protocol):
    """An attempt in a pod. `sampled`: what it has used, as far as it was measured; `measured_at`: until when."""

    pod: Manifest | None
    sampled: Usage
    measured_at: datetime | None


class PodMetrics:
    """Asks in a thread of its own, since what measures may be slow, until the cluster says that nothing does, or that the agent may not see it."""

    def __init__(self, cluster: Cluster, namespaces: Sequence[str], selector: str) -> None:
        self._cluster, self._namespaces, self._selector = cluster, namespaces, selector
        self._requests: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def start(self, live: Callable[[], Iterable[Measured]]) -> None:
        threading.Thread(target=self._look, args=(live,), name="appliance-metrics", daemon=True).start()

    def ask(self) -> None:
        """Look soon."""
        self._requests.put(True)

    def close(self) -> None:
        self._requests.put(False)

    def _look(self, live: Callable[[], Iterable[Measured]]) -> None:
        while True:
            try:
                if not self._requests.get(timeout=INTERVAL):
                    return
            except queue.Empty:
                pass
            by_pod = {
                (each.pod["metadata"]["namespace"], each.pod["metadata"]["name"]): each for each in live() if each.pod
            }
            try:
                for namespace in {namespace for namespace, _ in by_pod} & set(self._namespaces):
                    for metrics in self._cluster.list(METRICS, namespace, labelSelector=self._selector)[0]:
                        attempt = by_pod.get((namespace, metrics["metadata"]["name"]))
                        if attempt is not None:
                            note(attempt, metrics)
            except ClusterAway:
                continue
            except ClusterRefused as error:
                if error.status in _ABSENT:
                    _logger.info(
                        "What killed runs have used is not known: the cluster has no metrics of pods, or the agent may not list them."
                    )
                    return
            except (LookupError, TypeError, ValueError) as error:
                _logger.debug("The metrics of pods can't be understood: %s", error)


def note(attempt: Measured, metrics: Mapping[str, Any]) -> None:
    """Add what the pod has used since it was measured before. Raises LookupError, TypeError or ValueError."""
    at = datetime.fromisoformat(metrics["timestamp"])
    if attempt.measured_at is not None and at <= attempt.measured_at:
        return
    seconds = _seconds(metrics["window"]) if attempt.measured_at is None else (at - attempt.measured_at).total_seconds()
    usage = {container["name"]: container["usage"] for container in metrics["containers"]}[RUN]
    cores, memory, before = cores_in(usage["cpu"]), bytes_in(usage["memory"]) or 0, attempt.sampled
    attempt.sampled = Usage((before.cpu_seconds or 0.0) + cores * seconds, max(before.peak_memory or 0, memory))
    attempt.measured_at = at


def cores_in(amount: str) -> float:
    """The cores in a measurement, which is finer than what a run config asks for. Raises ValueError."""
    match = _CORES.fullmatch(amount)
    if match is None:
        raise ValueError(f"{amount!r} is no amount of cores.")
    return float(match["number"]) / _PARTS[match["unit"]]


def _seconds(window: str) -> float:
    match = _WINDOW.fullmatch(window)
    if match is None:
        raise ValueError(f"{window!r} is no duration.")
    return 60 * int(match["minutes"] or 0) + float(match["seconds"])
