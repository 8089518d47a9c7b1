"""The jobs of runs: their names and labels, what is put into them, what keeps them from starting, and what their ends mean."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from appliance.agents.containers import RUN_DIR, foreign, is_foreign, is_newer, newer, signal_of
from appliance.agents.job_template import RUN, container_of, merged, prepared
from appliance.agents.kubernetes_rules import KubernetesRules
from appliance.agents.run_files import USAGE_FILE
from appliance.kit.distribution import DISTRIBUTION
from appliance.kit.version import VERSION
from appliance.protocol.agents import Work
from appliance.protocol.containers import bytes_in
from appliance.protocol.run_config import KubernetesDocument

ASSIGNMENT_DIR = PurePosixPath("/var/lib/appliance-assignment")
"""Where the pod has the files of the attempt's secret, which it can only read."""
ENVIRONMENT = "environment.json"
KEPT_SECONDS = 86_400
"""After its end, the cluster deletes a job that its agent has not deleted."""
_SITE, _AGENT, _RUN, _ATTEMPT, _FLOW = (f"appliance.{name}" for name in ("site", "agent", "run", "attempt", "flow"))
_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_OUT_OF_MEMORY = "OOMKilled"
_NEVER_STARTS = ("StartError", "ContainerCannotRun")
_HOPELESS = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError")
_WORDS = {
    "ErrImagePull": "Image {image} can't be pulled",
    "ImagePullBackOff": "Image {image} can't be pulled",
    "ErrImageNeverPull": "Image {image} is not on the node, and the pull policy is Never",
    "InvalidImageName": "{image!r} is not the name of an image",
    "CreateContainerConfigError": "The run's container can't be created",
}
_DISRUPTIONS = {
    "DeletionByTaintManager": "Its node was lost, or no longer takes it",
    "DeletionByPodGC": "Its node is gone",
    "EvictionByEvictionAPI": "It was evicted, as when a node is drained",
    "PreemptionByScheduler": "It had to give way to a pod of higher priority",
    "TerminationByKubelet": "Its node stopped it",
}
Manifest = dict[str, Any]


def name_of(work: Work) -> str:
    """The name of an attempt's job, and of its secret: the cluster refuses a second one."""
    return f"appliance-{work.flow_run_id}-{work.attempt}"


def labels_of_agent(url: str, name: str) -> dict[str, str]:
    """By which an agent finds its jobs again."""
    return {_SITE: _label(url), _AGENT: _label(name)}


def selector(labels: Mapping[str, str]) -> str:
    """The labels as the API selects by them."""
    return ",".join(f"{name}={value}" for name, value in labels.items())


def attempt_in(facts: Mapping[str, Any]) -> tuple[UUID, int]:
    """The run and the attempt of a job. Raises ValueError."""
    labels = facts["metadata"]["labels"]
    try:
        return UUID(labels[_RUN]), int(labels[_ATTEMPT])
    except KeyError as error:
        raise ValueError(f"The job {facts['metadata']['name']} has no labels of an attempt.") from error


def id_of(facts: Mapping[str, Any]) -> str:
    """The job that an object is, or to which it belongs: its namespace and name."""
    metadata = facts["metadata"]
    labels = metadata["labels"]  # objects are selected by other labels, so there are some
    return f"{metadata['namespace']}/appliance-{labels.get(_RUN)}-{labels.get(_ATTEMPT)}"


def job(
    work: Work, config: KubernetesDocument, rules: KubernetesRules, own: Mapping[str, str], grace: float
) -> Manifest:
    """The manifest, from the agent's template, the flow's, and the run config. Nothing in it is secret. The job is suspended: it starts nothing yet.
    Raises ValueError for templates that are not valid."""
    above = {} if config.job_template is None else prepared(config.job_template)
    made = prepared(merged(prepared(rules.template), above))
    labels = {**own, _RUN: str(work.flow_run_id), _ATTEMPT: str(work.attempt)}
    metadata, spec = made["metadata"], made["spec"]
    made |= {"apiVersion": "batch/v1", "kind": "Job"}
    metadata |= {"name": name_of(work), "namespace": rules.namespace_of(config)}
    metadata["labels"] = (metadata.get("labels") or {}) | labels
    metadata["annotations"] = (metadata.get("annotations") or {}) | {_FLOW: f"{work.project}/{work.flow}"}
    spec |= {"suspend": True, "backoffLimit": 0, "completions": 1, "parallelism": 1}
    spec.setdefault("ttlSecondsAfterFinished", KEPT_SECONDS)
    spec["template"]["metadata"]["labels"] = (spec["template"]["metadata"].get("labels") or {}) | labels
    pod = spec["template"]["spec"]
    account = config.service_account_name or pod.get("serviceAccountName")
    pod |= {"restartPolicy": "Never", "terminationGracePeriodSeconds": max(1, round(grace))}
    pod["enableServiceLinks"] = False  # a service named appliance would set variables that are taken for settings
    if account:
        pod["serviceAccountName"] = account
    else:
        pod.setdefault("automountServiceAccountToken", False)
    if config.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in config.image_pull_secrets]
    pod["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}} | (pod.get("securityContext") or {})
    pod["volumes"] = [
        *pod.get("volumes", []),
        {"name": "appliance-run", "emptyDir": {}},
        {"name": "appliance-assignment", "secret": {"secretName": name_of(work)}},
    ]
    _fill(container_of(pod), config, rules)
    whole: Manifest = _without_nothing(made)
    return whole


def secret(facts: Mapping[str, Any], files: Mapping[str, bytes]) -> Manifest:
    """The secret with the files of an attempt, which is deleted with its job."""
    metadata = facts["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    named = {name: metadata[name] for name in ("name", "namespace")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {**named, "labels": metadata["labels"], "ownerReferences": [owner]},
        "data": {name: base64.b64encode(content).decode() for name, content in files.items()},
    }


def is_suspended(facts: Mapping[str, Any]) -> bool:
    """Whether a job starts nothing."""
    return bool(facts["spec"].get("suspend"))


def is_finished(facts: Mapping[str, Any]) -> bool:
    return _condition(facts, "Complete", "Failed") is not None


def has_started(pod: Mapping[str, Any] | None) -> bool:
    """Whether the run's container is, or was, at work."""
    state = _run_state(pod)
    return "running" in state or ("terminated" in state and state["terminated"].get("reason") not in _NEVER_STARTS)


def has_ended(pod: Mapping[str, Any] | None) -> bool:
    """Whether the run's container will not be at work any more."""
    return pod is not None and (
        "terminated" in _run_state(pod) or pod["status"].get("phase") in ("Succeeded", "Failed")
    )


def obstacle(pod: Mapping[str, Any]) -> tuple[str, bool]:
    """Why the run's container has not started, in a sentence, and whether waiting is of no use; an empty sentence if nothing is known."""
    for status in (*_statuses(pod, "initContainerStatuses"), *_statuses(pod, "containerStatuses")):
        waiting = (status.get("state") or {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _WORDS or (reason.endswith("Error") and reason):
            words = _WORDS.get(reason, "The run's container can't be started").format(image=status.get("image", ""))
            return _sentence(f"{words} ({reason})", message), reason in _HOPELESS
    condition = _condition(pod, "PodScheduled", status="False")
    if condition is not None and condition.get("reason") == "Unschedulable":
        return _sentence("No node takes the run's pod (Unschedulable)", condition.get("message", "")), False
    return "", False


def refusal_of_pod(message: str) -> tuple[str, bool]:
    """The same from an event that tells why a job could not create its pod."""
    words = (
        "A quota of the namespace is used up" if "exceeded quota" in message else "The cluster refuses the run's pod"
    )
    return _sentence(words, message), "exceeded quota" not in message and (
        "forbidden" in message or "denied" in message
    )


def end_of(
    facts: Mapping[str, Any] | None, pod: Mapping[str, Any] | None, output: str
) -> tuple[int | None, str | None, str]:
    """The exit code of the run's container, or else the name of the signal that ended it, and a sentence. `facts`: of the job, None if it is gone;
    `pod`: as it was seen last; `output`: its last lines."""
    ended = _run_state(pod).get("terminated") or {}
    code = int(ended.get("exitCode", -1))
    if code == 0:
        return 0, None, ""
    sentence = _told_of_pod(pod)
    if sentence:
        return None, signal_of(code), sentence
    if not ended:
        return None, None, _told_of_job(facts, pod)
    assert pod is not None
    run = container_of(pod["spec"])
    if ended.get("reason") == _OUT_OF_MEMORY:
        memory = exceeded_memory(pod)
        limit = f"its limit of {memory / 1024**2:,.0f} MiB" if memory else "its node has to give"
        return None, "SIGKILL", f"The run's container was killed because it used more memory than {limit} (OOM)."
    if "No module named 'appliance'" in output:
        return (
            code,
            None,
            f"Image {run['image']} lacks the appliance's SDK; install {DISTRIBUTION} {VERSION} in it, for the Python that starts first.",
        )
    if is_newer(code, output):
        return code, None, newer(run["image"])
    if ended.get("reason") in _NEVER_STARTS or code in (126, 127):
        words = f"Image {run['image']} has no Python that can be started as {run['command'][0]!r}; install one, or name it as the command of the template"
        return code, None, _sentence(words, ended.get("message", ""))
    if is_foreign(output):
        return code, None, foreign(run["image"])
    name = signal_of(code)
    if name in ("SIGTERM", "SIGKILL") and (_is_deleted(facts) or _is_deleted(pod)):
        return None, name, _told_of_job(None if _is_deleted(facts) else facts, pod)
    if name is not None:
        return None, name, f"The run's container was killed by {name}."
    return code, None, f"The run's container ended with exit code {code}."


def usage_of(pod: Mapping[str, Any] | None) -> bytes:
    """What the run's process has written about its use of CPU and memory at its end."""
    message: str = (_run_state(pod).get("terminated") or {}).get("message") or ""
    return message.encode()


def exceeded_memory(pod: Mapping[str, Any] | None) -> int | None:
    """The limit of which the run's container needed more, in bytes, if it was killed for that and has one."""
    if pod is None or (_run_state(pod).get("terminated") or {}).get("reason") != _OUT_OF_MEMORY:
        return None
    limits = (container_of(pod["spec"]).get("resources") or {}).get("limits") or {}
    return bytes_in(str(limits.get("memory", "")))


def _fill(run: Manifest, config: KubernetesDocument, rules: KubernetesRules) -> None:
    """Put into the run's container what is not the template's."""
    run["image"] = config.image or run.get("image") or rules.image
    if config.image_pull_policy:
        run["imagePullPolicy"] = config.image_pull_policy
    run["command"] = [
        *(run.get("command") or ["python3"]),
        *("-P", "-m", "appliance.agents.execute", str(ASSIGNMENT_DIR / ENVIRONMENT)),
    ]
    run.pop("args", None)
    run |= {"terminationMessagePath": str(RUN_DIR / USAGE_FILE), "terminationMessagePolicy": "File"}
    run["workingDir"] = config.working_dir or run.get("workingDir") or str(RUN_DIR)
    resources = run["resources"]
    for what, request, limit, most in (
        ("cpu", config.cpu_request, config.cpu_limit, rules.cpu),
        ("memory", config.memory_request, config.memory_limit, rules.memory),
    ):
        limits = limit or resources["limits"].get(what) or most
        resources["requests"] |= {what: request} if request else {}
        resources["limits"] |= {what: limits} if limits else {}
    run["env"] = [{"name": "PYTHONUNBUFFERED", "value": "1"}, *(run.get("env") or [])]
    run["securityContext"] = {"allowPrivilegeEscalation": False} | (run.get("securityContext") or {})
    run["volumeMounts"] = [
        *(run.get("volumeMounts") or []),
        {"name": "appliance-run", "mountPath": str(RUN_DIR)},
        {"name": "appliance-assignment", "mountPath": str(ASSIGNMENT_DIR), "readOnly": True},
    ]


def _told_of_pod(pod: Mapping[str, Any] | None) -> str:
    """What the cluster did to the pod as a whole."""
    if pod is None:
        return ""
    reason, message = pod["status"].get("reason", ""), pod["status"].get("message", "")
    if reason:
        words = {
            "Evicted": "The run's pod was evicted (Evicted)",
            "NodeLost": "The node of the run's pod was lost (NodeLost)",
        }
        return _sentence(words.get(reason, f"The run's pod has failed ({reason})"), message)
    condition = _condition(pod, "DisruptionTarget")
    if condition is not None:
        words_of_it = _DISRUPTIONS.get(condition.get("reason", ""), "The cluster stopped it")
        return _sentence(
            f"The run's pod was stopped ({condition.get('reason', '')}): {words_of_it[:1].lower()}{words_of_it[1:]}",
            condition.get("message", ""),
        )
    return ""


def _told_of_job(facts: Mapping[str, Any] | None, pod: Mapping[str, Any] | None) -> str:
    """Why there is no end of the run's container."""
    for status in _statuses(pod or {}, "initContainerStatuses"):
        ended = (status.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode"):
            return f"The container {status['name']}, which runs before the run's, ended with exit code {ended['exitCode']}."
    if facts is None:
        return "The run's job was deleted by somebody else."
    if is_suspended(facts):
        return "The run's job was not started, or was suspended by somebody else."
    condition = _condition(facts, "Failed") or {}
    if condition.get("reason") == "DeadlineExceeded":
        return "The run's job took longer than the activeDeadlineSeconds of its template (DeadlineExceeded)."
    return "The run's pod was deleted by somebody else."


def _is_deleted(facts: Mapping[str, Any] | None) -> bool:
    return facts is None or "deletionTimestamp" in facts["metadata"]


def _run_state(pod: Mapping[str, Any] | None) -> Mapping[str, Any]:
    state = next(
        (each.get("state") for each in _statuses(pod or {}, "containerStatuses") if each.get("name") == RUN), None
    )
    return state or {}


def _statuses(pod: Mapping[str, Any], kind: str) -> list[Manifest]:
    return (pod.get("status") or {}).get(kind) or []


def _condition(facts: Mapping[str, Any], *types: str, status: str = "True") -> Manifest | None:
    conditions = (facts.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") in types and each.get("status") == status), None)


def _sentence(words: str, message: str) -> str:
    said = " ".join(message.split())[:500].removesuffix(".")
    return f"{words}: {said}." if said else f"{words}."


def _label(text: str) -> str:
    """A text as the value of a label, which not every text can be."""
    return text if _VALUE.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:32]


def _without_nothing(value: Any) -> Any:
    """Without the empty objects that preparing has added."""
    if isinstance(value, dict):
        kept = {name: _without_nothing(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner != {} or name == "emptyDir"}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value
