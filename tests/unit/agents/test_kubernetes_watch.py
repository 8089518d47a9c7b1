"""Talking to a cluster: refusals as sentences, watches that go on, and a fake that answers as clusters do."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from appliance.agents import kubernetes_jobs as jobs
from appliance.agents import own_code
from appliance.agents.agent import Lacking
from appliance.agents.attempts import AttemptRecord
from appliance.agents.kubernetes import KubernetesAgent
from appliance.agents.kubernetes_cluster import JOBS, PODS, SECRETS, Cluster, ClusterAway, ClusterRefused
from appliance.agents.kubernetes_rules import KubernetesRules
from appliance.agents.kubernetes_watch import JobWatch, LiveJob
from appliance.cli.root import invoke
from appliance.client.transport import Transport
from appliance.protocol.agents import Work
from appliance.protocol.run_config import KubernetesDocument
from tests.e2e.appliance_process import until
from tests.kubernetes.cluster import FakeCluster
from tests.kubernetes.recorded import recorded
from tests.kubernetes.store import ApiError

OWN = jobs.labels_of_agent("http://appliance.test", "ship")
SELECTOR = jobs.selector(OWN)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    made = FakeCluster(tmp_path / "cluster")
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
    yield made
    made.close()


@pytest.fixture
def cluster(fake: FakeCluster) -> Cluster:
    return Cluster()


def job(number: int, image: str = "etl:3") -> dict[str, Any]:
    work = Work(
        flow_run_id=UUID(int=number),
        attempt=1,
        run_token="t",
        name="r",
        flow="f",
        project="p",
        storage={},
        run_config={},
    )
    return jobs.job(work, KubernetesDocument(), KubernetesRules(image=image, namespace="flows"), OWN, 1)


def refused(call: Any, *arguments: Any) -> ClusterRefused:
    with pytest.raises(ClusterRefused) as caught:
        call(*arguments)
    return caught.value


def test_refusals_are_sentences_that_say_what_to_do(fake: FakeCluster, cluster: Cluster) -> None:
    assert cluster.check().startswith("v1.")
    cluster.create(JOBS, "flows", job(1))
    again = refused(cluster.create, JOBS, "flows", job(1))
    assert (again.status, again.reason) == (409, "AlreadyExists")
    assert cluster.get(JOBS, "flows", "nothing") is None
    fake.store.quotas = {"jobs": 1}
    assert refused(cluster.create, JOBS, "flows", job(2)).is_quota
    fake.store.quotas = {}

    def deny(kind: str, _facts: dict[str, Any]) -> None:
        denied = recorded("denied_by_webhook")
        raise ApiError(denied["code"], denied["reason"], denied["message"])

    fake.store.admission = deny
    assert "denied the request: images must come from" in str(refused(cluster.create, JOBS, "flows", job(3)))
    fake.api.busy = 3  # one is answered after as many
    assert cluster.list(JOBS, "flows")[0]
    fake.api.busy = 100
    assert refused(cluster.list, JOBS, "flows").status == 429
    fake.api.busy = 0
    fake.api.rules = []
    lacking = str(refused(cluster.list, PODS, "flows"))
    assert lacking.startswith(
        "The agent's account lacks the permission to list pods in namespace flows; apply the role"
    )
    fake.kubeconfig.write_text(json.dumps(fake.api.kubeconfig()).replace("the-agent", "another"))
    assert "does not accept the agent's credentials" in str(refused(Cluster().check))
    fake.close()
    with pytest.raises(ClusterAway, match=r"The Kubernetes API can't be reached: Connection refused\."):
        Cluster().check()


def test_the_fake_answers_in_the_recorded_shapes(fake: FakeCluster, cluster: Cluster) -> None:
    def status(call: Any, *arguments: Any) -> dict[str, Any]:
        with pytest.raises(ApiError) as caught:
            call(*arguments)
        return caught.value.status

    made = {"metadata": {"name": "a"}, "spec": {"suspend": True}}
    version = int(fake.store.create("jobs", "flows", made)["metadata"]["resourceVersion"])
    assert status(fake.store.create, "jobs", "flows", made) == recorded("already_exists")
    assert status(fake.store.get, "jobs", "flows", "b") == recorded("not_found")
    fake.store.quotas = {"jobs": 1}
    assert status(fake.store.create, "jobs", "flows", {"metadata": {"name": "c"}}) == recorded("exceeded_quota")
    fake.store.forget()
    expired = status(lambda: list(fake.store.after("jobs", 1)))
    assert expired.keys() == recorded("too_old")["object"].keys()
    assert (expired["code"], expired["reason"]) == (410, recorded("too_old")["object"]["reason"])
    assert refused(lambda: list(cluster.watch(JOBS, "flows", "", str(version - 1)))).status == 410
    fake.api.rules = []
    shown = refused(cluster.list, SECRETS, "flows")
    assert (shown.status, shown.reason) == (403, recorded("no_permission")["reason"])
    fake.api.rules = None
    (first,) = [
        event for event, _ in zip(cluster.watch(JOBS, "flows", "", str(fake.store.version)), range(1), strict=False)
    ]
    assert first["type"] == "BOOKMARK" and first.keys() == recorded("bookmark").keys()
    assert first["object"].keys() == recorded("bookmark")["object"].keys()


def test_owners_foreground_deletion_and_time_to_live(fake: FakeCluster, cluster: Cluster) -> None:
    made = cluster.create(JOBS, "flows", job(1))
    cluster.create(SECRETS, "flows", jobs.secret(made, {"a": b"1"}))
    cluster.delete(JOBS, "flows", made["metadata"]["name"], "Background")
    fake.until(lambda: not fake.store.all("secrets"))
    odd = cluster.create(JOBS, "flows", job(2, "odd:1"))
    name = odd["metadata"]["name"]
    cluster.patch(JOBS, "flows", name, {"spec": {"suspend": False}})
    fake.until(lambda: fake.store.all("pods"))
    cluster.delete(JOBS, "flows", name, "Foreground")
    fake.until(lambda: not fake.store.all("jobs") and not fake.store.all("pods"))
    kinds = [(of, type) for _, of, type, _ in fake.store.history if type == "DELETED" and of != "secrets"]
    assert kinds[-2:] == [("pods", "DELETED"), ("jobs", "DELETED")], "what is owned goes first"
    kept = cluster.create(JOBS, "flows", job(3))
    over = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    fake.store.change("jobs", "flows", kept["metadata"]["name"], lambda facts: facts.update(status=over))
    fake.until(lambda: not fake.store.all("jobs"))


class Watched:
    """A watch, with what it has said."""

    def __init__(self, cluster: Cluster, start_timeout: float = 60) -> None:
        self.ends: queue.SimpleQueue[tuple[LiveJob, dict[str, Any] | None]] = queue.SimpleQueue()
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.cluster = cluster
        self.watch = JobWatch(
            cluster,
            ["flows"],
            OWN,
            lambda live, facts: self.ends.put((live, facts)),
            lambda _live, sentence: self.told.put(sentence),
            lambda: None,
            start_timeout,
        )
        self.watch.start()

    def add(self, number: int, image: str = "etl:3", is_released: bool = True) -> LiveJob:
        made = self.cluster.create(JOBS, "flows", job(number, image))
        record = AttemptRecord(flow_run_id=UUID(int=number), attempt=1, pid=0, identity=jobs.id_of(made))
        live = LiveJob(record=record, directory=Path())
        self.watch.add(live)
        if is_released:
            self.cluster.patch(JOBS, *live.place, {"spec": {"suspend": False}})
        live.start_requested.set()
        self.watch.look_at(live)
        return live


@pytest.fixture
def watched(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr("appliance.agents.kubernetes_watch.PATROL", 0.2)
    made = Watched(cluster)
    yield made
    made.watch.close()


def test_a_job_that_can_not_start_is_deleted_and_ends_as_given_up(fake: FakeCluster, watched: Watched) -> None:
    live = watched.add(1, "none:1")
    assert watched.ends.get(timeout=20) == (live, None)
    assert "ImagePullBackOff" in live.given_up and not fake.store.all("pods")
    assert watched.watch.live() == []


def test_what_a_job_waits_for_is_told_once(fake: FakeCluster, watched: Watched) -> None:
    fake.store.quotas = {"pods": 0}
    live = watched.add(1)
    assert "A quota of the namespace is used up: " in watched.told.get(timeout=20)
    watched.watch._start_timeout = 0.0
    assert watched.ends.get(timeout=20) == (live, None)
    assert live.given_up.startswith("The run did not start within") and watched.told.empty()


def test_ends_are_noticed_across_cuts_and_versions_that_are_too_old(fake: FakeCluster, watched: Watched) -> None:
    fake.until(lambda: fake.api.watches >= 2)
    deleted, suspended = watched.add(1, "wide:1"), watched.add(2, is_released=False)
    assert watched.ends.get(timeout=20)[0] is suspended
    fake.api.cut()
    fake.store.delete("jobs", "flows", deleted.place[1])
    fake.store.forget()
    assert watched.ends.get(timeout=20) == (deleted, None)
    assert fake.api.watches > 2
    assert watched.watch.problem == "", "a watch that was cut is no outage"


def test_what_pods_use_is_measured_where_something_measures(
    fake: FakeCluster, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "appliance.agent")
    measure, asked = fake.api.metrics, threading.Event()

    def metrics(namespace: str) -> list[dict[str, Any]]:
        assert measure is not None
        asked.set()
        return measure(namespace)

    fake.api.metrics = metrics
    live = watched.add(21)
    until("its pod is known", lambda: live.pod)
    watched.watch.sample()
    assert asked.wait(10)
    fake.api.metrics = None
    watched.watch.sample()
    until("it asks no more", lambda: "the cluster has no metrics of pods" in caplog.text)
    assert watched.watch.problem == ""


def test_a_missing_permission_is_a_problem_until_it_is_given(fake: FakeCluster, watched: Watched) -> None:
    fake.api.rules = [{"apiGroups": ["batch"], "verbs": ["list"], "resources": ["jobs"]}]
    watched.watch._try()
    assert "lacks the permission to list pods in namespace flows" in watched.watch.problem
    fake.api.rules = None
    watched.watch._try()
    assert watched.watch.problem == ""


def test_an_agent_says_why_it_can_not_use_its_cluster(
    fake: FakeCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def said(*options: str) -> str:
        url = () if "--server-url" in options else ("--server-url", "http://appliance.test:4200")
        assert invoke(["agent", "start", "kubernetes", "--image", "etl:3", *url, *options]) in (1, 2)
        return capsys.readouterr().err

    assert "Pods don't reach the server at http://127.0.0.1:4200" in said("--server-url", "http://127.0.0.1:4200")
    assert "'2X' is not an amount" in said("--memory", "2X")
    assert "namespace 'Flows' is not valid" in said("--allow-namespace", "Flows")
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump({"kind": "Pod"}))
    assert "is not the manifest of a job" in said("--template", str(tmp_path / "pod.yaml"))
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", "file:///results")
    assert "names a folder, which pods don't have" in said()
    monkeypatch.delenv("APPLIANCE_RESULTS_URL")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "Run the agent in a pod of the cluster, or set KUBECONFIG." in said()


def test_sealed_code_is_handed_over_in_the_secret_and_unpacked_by_the_process(
    fake: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "opened"
    (source / "shop").mkdir(parents=True)
    (source / "shop/totals.py").write_text("x = 1")
    place = {"type": "local", "path": str(source / "shop/totals.py"), "root": str(source), "flow": "totals"}
    agent = KubernetesAgent(
        Transport("http://appliance.test", "t"),
        name="ship",
        state_dir=tmp_path / "agent",
        cluster=Cluster(),
        rules=KubernetesRules(image="etl:3"),
    )
    monkeypatch.setattr(agent._code, "obtain", lambda _document, _access: (source, place))
    sealed = {"type": "bundle", "sealed": True, "path": "shop/totals.py", "flow": "totals"}
    work = Work(
        flow_run_id=UUID(int=1),
        attempt=1,
        run_token="t",
        name="r",
        flow="f",
        project="p",
        storage=sealed,
        run_config={},
    )
    access: Any = None
    files = agent._files(work, KubernetesDocument(), access)
    handed, directory = tmp_path / "handed", tmp_path / "run"
    for folder in (handed, directory):
        folder.mkdir()
    for name, content in files.items():
        (handed / name).write_bytes(content)
    own_code.obtain(sealed | {"digest": "0" * 64, "sha256": "0" * 64}, directory, handed, access)
    assert (directory / "code/shop/totals.py").read_text() == "x = 1"
    (source / "large.bin").write_bytes(os.urandom(1_000_000))
    with pytest.raises(Lacking, match="too long for a secret of Kubernetes, which takes 900,000 bytes"):
        agent._files(work, KubernetesDocument(), access)
