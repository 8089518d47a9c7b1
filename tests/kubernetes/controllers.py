"""What turns jobs into pods and pods into ends of jobs, deletes what has no owner any more, and what is done for too long."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime, timedelta

from appliance.kit import clock
from tests.kubernetes.store import FOREGROUND, ApiError, Facts, Store, now

ENDED = ("Succeeded", "Failed")


class Controllers:
    """One thread, which looks at everything after each change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._closing = False
        self.later = timedelta()
        """How far the clock of finished jobs is ahead."""
        threading.Thread(target=self._work, daemon=True).start()

    def wait_for_ttl(self, seconds: float) -> None:
        """So much time passes for finished jobs."""
        with self._store.changed:
            self.later += timedelta(seconds=seconds)
            self._store.changed.notify_all()

    def close(self) -> None:
        with self._store.changed:
            self._closing = True
            self._store.changed.notify_all()

    def _work(self) -> None:
        store = self._store
        with store.changed:
            while not self._closing:
                seen = store.version
                for job in store.all("jobs"):
                    with suppress(ApiError):  # it was changed in the meantime
                        self._look_after(job)
                self._collect()
                if store.version == seen:
                    store.changed.wait(5)

    def _look_after(self, job: Facts) -> None:
        metadata, spec = job["metadata"], job["spec"]
        space, name = metadata["namespace"], metadata["name"]
        pods = [pod for pod in self._store.all("pods", space) if _owner(pod) == metadata["uid"]]
        if "deletionTimestamp" in metadata:
            for pod in pods:
                self._store.delete("pods", space, pod["metadata"]["name"])
            if not pods and metadata.get("finalizers") == [FOREGROUND]:
                self._store.remove("jobs", space, name)
            return
        if _condition(job) is not None:
            self._expire(job)
            return
        if spec.get("suspend"):
            for pod in pods:
                self._store.delete("pods", space, pod["metadata"]["name"])
            return
        for pod in pods:
            if pod["status"].get("phase") in ENDED:
                self._finish(job, pod["status"]["phase"])
        if not pods:
            if job["status"].get("failed"):
                self._finish(job, "Failed")
            else:
                self._create_pod(job)
        elif any("deletionTimestamp" in pod["metadata"] for pod in pods):
            self._store.change("jobs", space, name, lambda facts: facts["status"].update(failed=1))

    def _expire(self, job: Facts) -> None:
        metadata, ended = job["metadata"], datetime.fromisoformat(str(_condition(job)))
        if clock.now() + self.later >= ended + timedelta(seconds=job["spec"]["ttlSecondsAfterFinished"]):
            self._store.delete("jobs", metadata["namespace"], metadata["name"])

    def _finish(self, job: Facts, phase: str) -> None:
        if phase == "Succeeded":
            conditions = [{"type": "Complete", "status": "True", "reason": "CompletionsReached"}]
        else:
            text = "Job has reached the specified backoff limit"
            conditions = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": text}]
        conditions[0]["lastTransitionTime"] = now()
        metadata = job["metadata"]
        self._store.change(
            "jobs", metadata["namespace"], metadata["name"], lambda facts: facts["status"].update(conditions=conditions)
        )

    def _create_pod(self, job: Facts) -> None:
        metadata, template = job["metadata"], job["spec"]["template"]
        name = f"{metadata['name']}-x7k2p"
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
        labels = {**template["metadata"]["labels"], "job-name": metadata["name"]}
        made = {
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
            "spec": template["spec"],
            "status": {"phase": "Pending", "conditions": []},
        }
        try:
            self._store.create("pods", metadata["namespace"], made)
        except ApiError as error:
            self._warn(job, f"Error creating: {error}")

    def _warn(self, job: Facts, message: str) -> None:
        metadata = job["metadata"]
        event = {
            "metadata": {"name": f"{metadata['name']}.17f3"},
            "involvedObject": {"kind": "Job", "namespace": metadata["namespace"], "name": metadata["name"]},
            "reason": "FailedCreate",
            "type": "Warning",
            "message": message,
        }
        with suppress(ApiError):  # it was told before
            self._store.create("events", metadata["namespace"], event)

    def _collect(self) -> None:
        """What an owner that is gone has left behind."""
        uids = {each["metadata"]["uid"] for kind in ("jobs", "pods") for each in self._store.all(kind)}
        for kind in ("pods", "secrets"):
            for each in self._store.all(kind):
                if _owner(each) not in (None, *uids):
                    with suppress(ApiError):
                        self._store.delete(kind, each["metadata"]["namespace"], each["metadata"]["name"])


def _owner(facts: Facts) -> str | None:
    owners = facts["metadata"].get("ownerReferences") or []
    return owners[0]["uid"] if owners else None


def _condition(job: Facts) -> str | None:
    return next((each["lastTransitionTime"] for each in job["status"].get("conditions", [])), None)
