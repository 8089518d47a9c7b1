"""Agents for the cluster: in a thread of the test, or in a process that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from appliance.agents.kubernetes import KubernetesAgent
from appliance.agents.kubernetes_cluster import Cluster
from appliance.agents.kubernetes_rules import KubernetesRules
from appliance.agents.kubernetes_watch import LiveJob
from appliance.client.transport import Transport
from appliance.kit import crash as crash_points

RULES = KubernetesRules(image="etl:3", namespace="flows", images=("none:*", "odd:*", "wide:*"))


class _Telling(KubernetesAgent):
    told: queue.SimpleQueue[str]

    def _tell(self, live: LiveJob, sentence: str) -> None:
        super()._tell(live, sentence)
        self.told.put(sentence)


class Host:
    """An agent in a thread. `told` has what it wrote to logs of runs that wait."""

    def __init__(self, url: str, token: str, kubeconfig: Path, folder: Path, **options: Any) -> None:
        self._url, self._token, self._kubeconfig, self._folder, self._options = url, token, kubeconfig, folder, options
        self._starts = 0
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def start(self) -> None:
        """Each time in another folder: what it needs of the one before is in the cluster."""
        self._stop, self._starts = threading.Event(), self._starts + 1
        folder = self._folder / str(self._starts)
        agent = _agent(self._url, self._token, self._kubeconfig, folder, **self._options)
        agent.told = self.told
        self._thread = threading.Thread(target=agent.run, args=(self._stop,))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def killable(url: str, token: str, kubeconfig: Path, folder: Path, crash: str = "") -> ForkServerProcess:
    """A process with such an agent, which ends by SIGKILL where `crash` says. Its imports are those of a server that it is a fork of."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_work, args=(url, token, kubeconfig, folder, crash), daemon=True)
    process.start()
    return process


def _work(url: str, token: str, kubeconfig: Path, folder: Path, crash: str) -> None:
    crash_points.arm(f"{crash}:1:kill" if crash else "")
    agent = _agent(url, token, kubeconfig, folder)
    agent.told = queue.SimpleQueue()
    agent.run(threading.Event())


def _agent(url: str, token: str, kubeconfig: Path, folder: Path, **options: Any) -> _Telling:
    os.environ["KUBECONFIG"] = str(kubeconfig)
    state = folder / "agent"
    return _Telling(
        Transport(url, token), name="ship", state_dir=state, cluster=Cluster(), rules=RULES, wait=0.3, **options
    )
