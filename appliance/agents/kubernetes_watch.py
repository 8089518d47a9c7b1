"""Notices when jobs end, or can't start: from watches of jobs and pods that go on where they were cut, and by looking after all of them now and then."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from appliance.agents import kubernetes_jobs as jobs
from appliance.agents.kubernetes_cluster import EVENTS, JOBS, PODS, Cluster, ClusterAway, ClusterRefused, Manifest
from appliance.agents.live_attempts import LiveAttempt, Watch
from appliance.agents.pod_metrics import PodMetrics
from appliance.agents.usage import UNKNOWN, Usage, parse
from appliance.kit import clock
from appliance.kit.backoff import delays

PATROL = 15.0
"""Seconds after which all jobs are looked at, in case that something was missed, and those that have no pod are explained."""
_GONE = 410
_logger = logging.getLogger("appliance.agent")


@dataclass(eq=False, kw_only=True)
class LiveJob(LiveAttempt):
    """The job of an attempt. `since`: when the agent began to wait for its start; `pod`: as it was seen last; `reasons`: why it waits, as far as its log says so;
    `given_up`: why it does not start, once its job is being deleted for that; `stopped`: why it was asked to stop;
    `sampled`: what it has used, as far as the cluster has measured it, until `measured_at`."""

    since: float = field(default_factory=clock.monotonic)
    pod: Manifest | None = None
    reasons: set[str] = field(default_factory=set)
    given_up: str = ""
    stopped: str = ""
    sampled: Usage = UNKNOWN
    measured_at: datetime | None = None

    @property
    def used(self) -> Usage:
        """What it said itself at its end, or else what was measured last. The peak of one that was killed for lack of memory is its limit."""
        limit = jobs.exceeded_memory(self.pod)
        return parse(jobs.usage_of(self.pod)) or Usage(self.sampled.cpu_seconds, limit or self.sampled.peak_memory)

    @property
    def place(self) -> tuple[str, str]:
        """The namespace and the name of the job."""
        namespace, _, name = self.id.partition("/")
        return namespace, name


class JobWatch(Watch[LiveJob]):
    """Calls `on_end(live, job)` once for each job, where None is one that is gone, and `tell(live, sentence)` when one waits. A job that has not
    started after `start_timeout` seconds is deleted, and then ends as given up. If `on_end` raises ClusterAway, it is called again later."""

    def __init__(
        self,
        cluster: Cluster,
        namespaces: Sequence[str],
        labels: Mapping[str, str],
        on_end: Callable[[LiveJob, Manifest | None], None],
        tell: Callable[[LiveJob, str], None],
        gone: Callable[[], None],
        start_timeout: float,
    ) -> None:
        super().__init__(gone)
        self._cluster, self._namespaces, self._selector = cluster, namespaces, jobs.selector(labels)
        self._on_end, self._tell, self._start_timeout = on_end, tell, start_timeout
        self._news: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # the id of a job, None: any
        self._metrics = PodMetrics(cluster, namespaces, self._selector)
        self._closing = threading.Event()
        self._known: dict[str, dict[str, Manifest]] = {
            JOBS: {},
            PODS: {},
        }  # by the ids of jobs, which have one pod at most

    def start(self) -> None:
        for namespace in self._namespaces:
            for kind in (JOBS, PODS):
                name = f"appliance-{kind}-{namespace}"
                threading.Thread(target=self._follow, args=(kind, namespace), name=name, daemon=True).start()
        threading.Thread(target=self._look_after, name="appliance-patrol", daemon=True).start()
        self._metrics.start(self.live)

    def look_at(self, live: LiveJob) -> None:
        self._news.put(live.id)

    def sample(self) -> None:
        """Have it noted soon what all have used."""
        self._metrics.ask()

    def close(self) -> None:
        self._closing.set()
        self._metrics.close()
        self._news.put("")
        self._cluster.close()

    def _follow(self, kind: str, namespace: str) -> None:
        """Keep what is known of one kind. A watch that ends, or is cut, goes on from the version that was seen last."""
        version, pauses = "", delays(0.1, 5.0)
        while not self._closing.is_set():
            try:
                version = version or self._list(kind, namespace)
                for event in self._cluster.watch(kind, namespace, self._selector, version):
                    pauses = delays(0.1, 5.0)
                    version = str(event["object"]["metadata"]["resourceVersion"])
                    self._take(kind, event)
                    if self._closing.is_set():
                        return
            except ClusterAway as error:
                _logger.debug("A watch of %s was cut: %s", kind, error)
                self._news.put(None)
            except ClusterRefused as error:
                version = ""  # too old, or whatever it is: what is there now is listed
                if error.status != _GONE:
                    self._is_away(error)
            self._closing.wait(next(pauses))

    def _list(self, kind: str, namespace: str) -> str:
        listed, version = self._cluster.list(kind, namespace, labelSelector=self._selector)
        with self._lock:
            kept = {id: facts for id, facts in self._known[kind].items() if facts["metadata"]["namespace"] != namespace}
            self._known[kind] = kept | {jobs.id_of(facts): facts for facts in listed}
        self._news.put(None)
        return version

    def _take(self, kind: str, event: Manifest) -> None:
        if event["type"] == "BOOKMARK":
            return
        facts = event["object"]
        id = jobs.id_of(facts)
        with self._lock:
            if event["type"] != "DELETED":
                self._known[kind][id] = facts
            else:
                self._known[kind].pop(id, None)
            if kind == PODS and id in self._live:
                self._live[id].pod = facts
        self._news.put(id)

    def _look_after(self) -> None:
        while not self._closing.is_set():
            try:
                news = self._news.get(timeout=PATROL)
            except queue.Empty:
                news = None
                self._try()
            for live in self.live():
                if news in (None, live.id) and not self._closing.is_set():
                    self._settle(live, is_patrol=news is None)

    def _try(self) -> None:
        """Whether it can be reached, and lets the agent see what it has to see."""
        try:
            for namespace in self._namespaces:
                for kind in (JOBS, PODS):
                    self._cluster.list(kind, namespace, labelSelector=self._selector, limit="1")
            if self.problem:
                _logger.info("The Kubernetes API is back.")
            self.problem = ""
        except (ClusterAway, ClusterRefused) as error:
            self._is_away(error)

    def _is_away(self, error: Exception) -> None:
        if not self.problem and not self._closing.is_set():
            _logger.warning("%s Runs that are active continue, and none is started.", error)
        self.problem = str(error)

    def _settle(self, live: LiveJob, is_patrol: bool) -> None:
        if not live.start_requested.is_set():
            return
        try:
            job = self._job(live)
            if not self._is_over(live, job):
                if job is not None and not live.is_stopping and not live.given_up and not jobs.has_started(live.pod):
                    self._wait_for_start(live, is_patrol)
                return
            self._on_end(live, job)
        except (ClusterAway, ClusterRefused) as error:
            self._is_away(error)
            return
        except Exception:  # logged only: the thread must survive, or no later end would be noticed
            _logger.exception("Could not record the end of run %s.", live.record.flow_run_id)
        self.discard(live)

    def _job(self, live: LiveJob) -> Manifest | None:
        """The job as it is known. That it is gone, or was suspended, is asked for: a watch may be late. So is a pod of which nothing is known."""
        namespace, name = live.place
        job = self._known[JOBS].get(live.id)
        live.pod = self._known[PODS].get(live.id, live.pod)
        if job is None or jobs.is_suspended(job):
            job = self._cluster.get(JOBS, namespace, name)
        if job is not None and jobs.is_finished(job) and not jobs.has_ended(live.pod):
            listed, _ = self._cluster.list(PODS, namespace, labelSelector=f"job-name={name}")
            live.pod = listed[-1] if listed else live.pod
        return job

    def _is_over(self, live: LiveJob, job: Manifest | None) -> bool:
        if job is None or jobs.has_ended(live.pod) or jobs.is_finished(job):
            return True
        return jobs.is_suspended(job) and live.id not in self._known[PODS]

    def _wait_for_start(self, live: LiveJob, is_patrol: bool) -> None:
        """Tell once what it waits for, and give it up if waiting is of no use, or took too long."""
        sentence, is_hopeless = jobs.obstacle(live.pod) if live.pod is not None else ("", False)
        if live.pod is None and is_patrol:
            sentence, is_hopeless = self._refused(live)
        is_late = clock.monotonic() - live.since > self._start_timeout
        if is_hopeless or is_late:
            late = f"The run did not start within {self._start_timeout:.0f} s. " if not is_hopeless else ""
            live.given_up = f"{late}{sentence}".strip()
            _logger.warning("Run %s is given up: %s", live.record.flow_run_id, live.given_up)
            try:
                self._cluster.delete(JOBS, *live.place, "Foreground")
            except (ClusterAway, ClusterRefused):
                live.given_up = ""
                raise
        elif (
            sentence and sentence.partition(":")[0] not in live.reasons
        ):  # the rest of it changes, such as the number of nodes
            live.reasons.add(sentence.partition(":")[0])
            self._tell(live, f"The run waits for its pod. {sentence}")

    def _refused(self, live: LiveJob) -> tuple[str, bool]:
        """Why the job has no pod."""
        namespace, name = live.place
        listed, _ = self._cluster.list(
            EVENTS, namespace, fieldSelector=f"involvedObject.kind=Job,involvedObject.name={name}"
        )
        messages = [event.get("message", "") for event in listed if event.get("reason") == "FailedCreate"]
        return jobs.refusal_of_pod(messages[-1]) if messages else ("", False)
