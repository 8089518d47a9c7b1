"""The Kubernetes agent: each run is a job with one pod, which outlives the agent. A secret has what the pod's process needs; it fetches its code itself."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from appliance.agents import attempt_environment, containers, own_code
from appliance.agents import kubernetes_jobs as jobs
from appliance.agents.agent import Lacking, NotStarted, StartFailed
from appliance.agents.attempts import OUTPUT, AttemptRecord, exit_report, write
from appliance.agents.detached import TAIL, DetachedAgent, PreparedAttempt
from appliance.agents.job_template import RUN
from appliance.agents.kubernetes_cluster import JOBS, SECRETS, Cluster, ClusterAway, ClusterRefused, Manifest
from appliance.agents.kubernetes_rules import KubernetesRules
from appliance.agents.kubernetes_watch import JobWatch, LiveJob
from appliance.agents.preparation import RunAccess
from appliance.agents.returning import give_back
from appliance.agents.run_files import CODE_FILE, HANDED
from appliance.client import agents
from appliance.client.errors import ClientError
from appliance.client.transport import Transport
from appliance.core import secrets
from appliance.kit import clock, crash
from appliance.packaging import archive
from appliance.protocol import storage as storages
from appliance.protocol.agents import AgentReport, CodeGone, InfrastructureLog, Work
from appliance.protocol.run_config import KubernetesDocument

_MOST_HANDED = 900_000
"""Bytes of a secret, of which Kubernetes takes one mebibyte."""
_logger = logging.getLogger("appliance.agent")


class KubernetesAgent(DetachedAgent[LiveJob, KubernetesDocument]):
    """Starts jobs in a cluster, as far as the rules permit."""

    kind = "kubernetes"
    noun, place = "job", "The cluster"
    document = KubernetesDocument
    _watch: JobWatch

    def __init__(
        self,
        transport: Transport,
        *,
        name: str,
        cluster: Cluster,
        rules: KubernetesRules,
        **options: Any,
    ) -> None:
        """The other options are those of every agent of this family."""
        super().__init__(transport, name=name, **options)
        self._cluster, self._rules = cluster, rules
        self._own = jobs.labels_of_agent(transport.url, name)
        self._watch = JobWatch(
            cluster, rules.all_namespaces, self._own, self._on_end, self._tell, self.changed.set, self._start_timeout
        )

    def prepare(self, work: Work, access: RunAccess) -> PreparedAttempt:
        config = self._config(work, storages.decode(work.storage))
        files = self._files(work, config, access)
        try:
            manifest = jobs.job(work, config, self._rules, self._own, self._grace)
            namespace = manifest["metadata"]["namespace"]
            job = self._create_patiently(lambda: self._cluster.create(JOBS, namespace, manifest), access)
        except ValueError as error:
            raise StartFailed(str(error)) from error
        except (ClusterAway, ClusterRefused) as error:
            raise self._refused(error) from error
        crash.point("agent.job")
        id = jobs.id_of(job)
        try:
            secret = jobs.secret(job, files)  # one that is there after an error is this one: its job is new
            self._patiently(lambda: self._cluster.create(SECRETS, namespace, secret), access, dict)
        except BaseException as error:
            self._remove(id)
            raise (self._refused(error) if isinstance(error, ClusterAway | ClusterRefused) else error) from error
        crash.point("agent.secret")
        return PreparedAttempt(id=id, remove=self._remove)

    def _refused(self, error: ClusterAway | ClusterRefused) -> NotStarted | Lacking:
        if isinstance(error, ClusterAway):
            return NotStarted(str(error))
        if error.is_there:
            return NotStarted("There is a job of this attempt already.")
        return Lacking(f"The cluster did not create the run's job: {error}")

    def _files(self, work: Work, config: KubernetesDocument, access: RunAccess) -> dict[str, bytes]:
        """What the pod's process gets. Raises what fetching code raises, or Lacking."""
        variables = {
            **secrets.contents(os.environ),
            **crash.forward(os.environ),
            **self._settings,
            **config.env,
            **attempt_environment.variables(work, self._url, containers.RUN_DIR, self._run_keys, hidden=True),
            HANDED: str(jobs.ASSIGNMENT_DIR),
        }
        files = {jobs.ENVIRONMENT: json.dumps(variables).encode()}
        if work.storage.get("sealed"):  # the key that opens it stays with the agent
            folder, local_place = self._code.obtain(work.storage, access)
            names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
            files[CODE_FILE] = msgspec.json.encode(containers.inside(local_place, folder))
            files[own_code.ARCHIVE] = archive.pack({name: (folder / name).read_bytes() for name in names})
        if sum(map(len, files.values())) > _MOST_HANDED:
            raise Lacking(
                f"The run's sealed code is too long for a secret of Kubernetes, which takes {_MOST_HANDED:,} bytes; install it in the image, "
                "or register the flow with less in its project."
            )
        return files

    def _refusal(self, config: KubernetesDocument) -> str:
        return self._rules.refusal(config)

    def _of(self, record: AttemptRecord, directory: Path) -> LiveJob:
        return LiveJob(record=record, directory=directory)

    def _release(self, live: LiveJob) -> None:
        self._cluster.patch(JOBS, *live.place, {"spec": {"suspend": False}})

    def _end(self, live: LiveJob, reason: str) -> None:
        live.stopped = reason
        self._watch.sample()
        self._cluster.delete(JOBS, *live.place, "Foreground")

    def _never_started(self, id: str) -> bool:
        namespace, _, name = id.partition("/")
        job = self._cluster.get(JOBS, namespace, name)
        return job is not None and jobs.is_suspended(job)

    def _found(self) -> Iterator[tuple[str, UUID, int]]:
        for namespace in self._rules.all_namespaces:
            existing, _ = self._cluster.list(JOBS, namespace, labelSelector=jobs.selector(self._own))
            for job in existing:
                yield jobs.id_of(job), *jobs.attempt_in(job)

    def _delete(self, id: str) -> None:
        namespace, _, name = id.partition("/")
        self._cluster.delete(JOBS, namespace, name, "Background")

    # --- what the watch finds

    def _tell(self, live: LiveJob, sentence: str) -> None:
        """Write a line to the run's log, if the server can be reached."""
        record = live.record
        line = InfrastructureLog(
            flow_run_id=record.flow_run_id, attempt=record.attempt, at=clock.now(), level="WARNING", message=sentence
        )
        _logger.warning("Run %s: %s", record.flow_run_id, sentence)
        try:
            if self._exits.agent_id is not None:
                agents.report(self._transport, self._exits.agent_id, AgentReport(logs=[line]))
        except ClientError as error:
            _logger.info("A line of the log of run %s is lost: %s", record.flow_run_id, error)

    def _on_end(self, live: LiveJob, job: Manifest | None) -> None:
        """Keep what the pod has written last, and report its end. Raises ClusterAway."""
        record, directory = live.record, live.directory
        if live.given_up and not jobs.has_started(live.pod) and self._gives_back_live(live):
            return
        output = b""
        if jobs.has_started(live.pod) and live.pod is not None:
            output = self._cluster.output(live.place[0], live.pod["metadata"]["name"], RUN, TAIL)
        code, name, reason = jobs.end_of(job, live.pod, output.decode("utf-8", "replace"))
        if code is None:
            reason = live.stopped or live.given_up or reason
        try:
            if code != 0:
                write(directory / OUTPUT, output)
            exited = exit_report(record, directory, code, name, reason, live.used)
            self._attempts.save_exit(directory, exited)
        except OSError as error:  # it is still reported
            _logger.error("Could not write the end of run %s to disk: %s", record.flow_run_id, error)
            exited = exit_report(record, directory, code, name, reason, live.used)
        _logger.info("The job of run %s ended: %s", record.flow_run_id, reason or "exit code 0.")
        crash.point("agent.ended")
        self._exits.add(directory, record, exited)

    def _gives_back_live(self, live: LiveJob) -> bool:
        """Let the run wait until a person has changed what kept it from starting. Its job is being deleted."""
        record = live.record
        if self._exits.agent_id is None:
            return False
        request = CodeGone(flow_run_id=record.flow_run_id, attempt=record.attempt, reason=live.given_up, is_code=False)
        if not give_back(self._transport, self._exits.agent_id, request, str(record.flow_run_id)):
            return False
        self.vitals.not_started("lacking")
        shutil.rmtree(live.directory, ignore_errors=True)
        return True
