"""What a flow may ask of its job, how its manifest is made, what keeps it from starting, and how its end is told."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.agents import kubernetes_jobs as jobs
from appliance.agents.job_template import container_of
from appliance.agents.kubernetes_rules import KubernetesRules
from appliance.cli.root import invoke
from appliance.protocol.agents import Work
from appliance.protocol.containers import bytes_in
from appliance.protocol.run_config import KubernetesDocument, decode
from tests import depth
from tests.kubernetes.recorded import recorded

TEMPLATE = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "ttlSecondsAfterFinished": 60,
        "template": {
            "metadata": {"annotations": {"team": "shop"}},
            "spec": {
                "nodeSelector": {"disk": "fast"},
                "tolerations": [{"key": "batch", "operator": "Exists"}],
                "volumes": [{"name": "data", "hostPath": {"path": "/data"}}],
                "containers": [
                    {
                        "name": "main",
                        "command": ["/opt/etl/bin/python"],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                        "envFrom": [{"secretRef": {"name": "warehouse"}}],
                    }
                ],
            },
        },
    },
}
RULES = KubernetesRules(
    image="etl:3",
    namespace="flows",
    images=("etl:*", "registry.example/etl/*"),
    namespaces=("gpu",),
    service_accounts=("loader",),
    pull_secrets=("registry",),
    fields=(
        "spec.template.spec.tolerations",
        "spec.template.spec.volumes",
        "spec.template.spec.containers.securityContext",
    ),
    memory="2Gi",
    cpu="2",
    template=TEMPLATE,
)
WORK = Work(
    flow_run_id=UUID(int=7),
    attempt=2,
    run_token="the-token",
    name="run",
    flow="totals",
    project="shop",
    storage={},
    run_config={},
)
OWN = jobs.labels_of_agent("http://appliance.test:4200", "edge 1")


def config(**asked: Any) -> KubernetesDocument:
    found = decode({"type": "kubernetes", **asked})
    assert isinstance(found, KubernetesDocument)
    return found


def pod_of(**spec: Any) -> dict[str, Any]:
    return {"kind": "Job", "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"image": "etl:4", "cpu_request": "500m", "cpu_limit": "2", "memory_limit": "2Gi", "memory_request": "1G"},
        {"namespace": "gpu", "service_account_name": "loader", "image_pull_secrets": ["registry"]},
        {"image_pull_policy": "Always", "working_dir": "/srv"},
        {
            "job_template": pod_of(
                containers=[{"image": "registry.example/etl/a:1", "resources": {"limits": {"cpu": 1}}}]
            )
        },
        {"job_template": pod_of(tolerations=[{"key": "gpu", "operator": "Exists"}])},
        {"job_template": pod_of(volumes=[{"name": "scratch", "emptyDir": {}}])},
    ],
)
def test_what_is_allowed(asked: dict[str, Any]) -> None:
    assert RULES.refusal(config(**asked)) == ""


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"image": "other:1"}, "restart it with --allow-image 'other:1', too"),
        ({"namespace": "kube-system"}, "does not allow namespace kube-system (allowed: flows, gpu)"),
        ({"job_template": {"kind": "Job", "metadata": {"namespace": "kube-system"}}}, "namespace kube-system"),
        ({"service_account_name": "admin"}, "restart it with --allow-service-account 'admin', too"),
        ({"job_template": pod_of(serviceAccountName="admin")}, "does not allow service-account admin"),
        ({"image_pull_secrets": ["other"]}, "restart it with --allow-pull-secret 'other', too"),
        ({"memory_limit": "3Gi"}, "asks for memory=3Gi, and a container of this agent gets at most 2Gi"),
        ({"cpu_request": "2500m"}, "restart the agent with --cpu 2500m"),
        ({"memory_limit": "100m"}, "memory '100m' is not an amount"),
        ({"job_template": pod_of(containers=[{"resources": {"limits": {"memory": "4Gi"}}}])}, "memory=4Gi"),
        ({"job_template": pod_of(containers=[{"image": "other:1"}])}, "does not allow image other:1"),
        (
            {"job_template": pod_of(containers=[{"name": "run"}, {"name": "more"}])},
            "field spec.template.spec.containers ",
        ),
        (
            {"job_template": pod_of(containers=[{"env": [{"name": "PYTHONPATH", "value": "/x"}]}])},
            "containers.env.name",
        ),
        (
            {"job_template": pod_of(nodeSelector={"disk": "slow"})},
            "--allow-field 'spec.template.spec.nodeSelector.disk'",
        ),
        ({"job_template": pod_of(securityContext={})}, "field spec.template.spec.securityContext "),
        ({"job_template": pod_of(volumes=7)}, "volumes is not a list of objects"),
        ({"job_template": pod_of(hostNetwork=True)}, "leave spec.template.spec.hostNetwork out"),
        ({"job_template": pod_of(hostPID=True)}, "can't have their pods reach the node"),
        ({"job_template": pod_of(hostIPC=True)}, "can't have their pods reach the node"),
        ({"job_template": pod_of(nodeName="control")}, "can't have their pods reach the node"),
        ({"job_template": pod_of(volumes=[{"name": "a", "hostPath": {"path": "/"}}])}, "volumes.hostPath.path out"),
        ({"job_template": pod_of(volumes=[{"name": "a", "hostPath": {}}])}, "volumes.hostPath out"),
        ({"job_template": pod_of(containers=[{"securityContext": {"privileged": True}}])}, "privileged out"),
        ({"job_template": pod_of(containers=[{"resources": {"limits": {"memory": "0"}}}])}, "memory '0' is no limit"),
        (
            {"job_template": pod_of(containers=[{"resources": {"limits": {"memory": "0.4"}}}])},
            "memory '0.4' is no limit",
        ),
        ({"job_template": pod_of(containers=[{"resources": {"limits": {"cpu": 0}}}])}, "cpu '0' is no limit"),
        ({"job_template": pod_of(serviceAccount="admin")}, "does not allow service-account admin"),
        ({"job_template": pod_of(serviceAccountName="")}, "does not allow service-account"),
        (
            {"job_template": pod_of(initContainers=[{"name": "a", "image": "etl:3"}])},
            "field spec.template.spec.initContainers.",
        ),
        (
            {"job_template": pod_of(ephemeralContainers=[{"name": "a"}])},
            "field spec.template.spec.ephemeralContainers.name",
        ),
        ({"job_template": pod_of(automountServiceAccountToken=True)}, "automountServiceAccountToken"),
        ({"job_template": pod_of(runtimeClassName="kata")}, "runtimeClassName"),
        ({"job_template": {"kind": "Job", "spec": {"podFailurePolicy": {}}}}, "field spec.podFailurePolicy"),
        ({"job_template": {"kind": "Job", "metadata": {"finalizers": ["a/b"]}}}, "field metadata.finalizers"),
        ({"job_template": pod_of(containers=[{"securityContext": {"capabilities": {"add": ["X"]}}}])}, "add out"),
    ],
)
def test_what_is_refused_with_the_option_that_allows_it(asked: dict[str, Any], sentence: str) -> None:
    assert sentence in RULES.refusal(config(**asked))


EVERY_FIELD = KubernetesRules(image="etl:3", fields=("metadata", "spec"), template=TEMPLATE)
"""Of an administrator who opens all that can be opened."""


def run_of(**fields: Any) -> dict[str, Any]:
    return pod_of(containers=[{"name": "run", **fields}])


@pytest.mark.parametrize(
    "template",
    [
        pod_of(hostNetwork=True),
        pod_of(hostPID=True),
        pod_of(hostIPC=True),
        pod_of(hostUsers=True),
        pod_of(nodeName="control"),
        pod_of(volumes=[{"name": "a", "hostPath": {"path": "/"}}]),
        pod_of(volumes=[{"name": "a", "flexVolume": {"driver": "x/y"}}]),
        pod_of(volumes=[{"name": "a", "gitRepo": {"repository": "https://x/y"}}]),
        pod_of(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        pod_of(securityContext={"appArmorProfile": {"type": "Unconfined"}}),
        pod_of(securityContext={"seLinuxOptions": {"type": "spc_t"}}),
        pod_of(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        pod_of(securityContext={"windowsOptions": {"hostProcess": True}}),
        run_of(securityContext={"privileged": True}),
        run_of(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        run_of(securityContext={"procMount": "Unmasked"}),
        run_of(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        run_of(ports=[{"containerPort": 1, "hostPort": 1}]),
        run_of(volumeDevices=[{"name": "a", "devicePath": "/dev/sda"}]),
        run_of(livenessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}),
        run_of(lifecycle={"postStart": {"tcpSocket": {"host": "127.0.0.1", "port": 10_250}}}),
        pod_of(initContainers=[{"name": "a", "securityContext": {"privileged": True}}]),
        pod_of(ephemeralContainers=[{"name": "a", "securityContext": {"privileged": True}}]),
        {
            "kind": "Job",
            "spec": {
                "template": {
                    "metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/run": "unconfined"}}
                }
            },
        },
    ],
    ids=lambda template: json.dumps(template.get("spec"))[22:90],
)
def test_no_option_opens_what_leads_to_the_node(template: dict[str, Any]) -> None:
    assert "Flows can't have their pods reach the node: leave" in EVERY_FIELD.refusal(config(job_template=template))


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (pod_of(serviceAccountName="admin"), "does not allow service-account admin"),
        (pod_of(serviceAccount="admin"), "does not allow service-account admin"),
        (pod_of(imagePullSecrets=[{"name": "registry"}]), "does not allow pull-secret registry"),
        (pod_of(initContainers=[{"name": "a", "image": "other:1"}]), "does not allow image other:1"),
        (pod_of(ephemeralContainers=[{"name": "a", "image": "other:1"}]), "does not allow image other:1"),
        (pod_of(volumes=[{"name": "a", "image": {"reference": "other:1"}}]), "does not allow image other:1"),
        ({"kind": "Job", "metadata": {"namespace": "kube-system"}}, "does not allow namespace kube-system"),
        (
            run_of(volumeMounts=[{"name": "data", "mountPath": "/data", "readOnly": False}]),
            "Volume data of the agent's template leads to the node, so flows can't mount it: leave it out",
        ),
        (
            pod_of(containers=[{"name": "run"}, {"name": "mounter", "command": ["sh"]}]),
            "Container mounter is in the agent's template, which flows can't change: leave it out",
        ),
        (
            pod_of(initContainers=[{"name": "prepare", "command": ["sh"]}]),
            "Container prepare is in the agent's template, which flows can't change: leave it out",
        ),
    ],
)
def test_open_fields_open_nothing_that_has_an_option_of_its_own_or_is_the_administrators(
    template: dict[str, Any], sentence: str
) -> None:
    privileged = {"securityContext": {"privileged": True}}
    own = pod_of(
        volumes=[{"name": "data", "hostPath": {"path": "/data"}}],
        containers=[{"name": "run"}, {"name": "mounter", **privileged}],
        initContainers=[{"name": "prepare", **privileged}],
    )
    rules = KubernetesRules(image="etl:3", fields=("metadata", "spec"), template=own)
    assert sentence in rules.refusal(config(job_template=template))


NAMES = (
    "metadata labels annotations namespace spec template volumes containers initContainers ephemeralContainers imagePullSecrets name image reference "
    "resources requests limits memory cpu volumeMounts env securityContext serviceAccountName serviceAccount command args ttlSecondsAfterFinished"
).split()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "run", "data", "etl:3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=depth.examples(300), deadline=None)
@given(JSON, JSON, st.sampled_from(["", "metadata", "spec", "pod", "container"]))
def test_templates_of_any_form_are_refused_or_become_a_job(value: Any, other: Any, where: str) -> None:
    template = {
        "": {"metadata": value, "spec": other},
        "metadata": {"metadata": {"labels": value, "annotations": other}},
        "spec": {"spec": {"template": value, "ttlSecondsAfterFinished": other}},
        "pod": pod_of(containers=value, volumes=other),
        "container": pod_of(containers=[value], securityContext=other),
    }[where]
    asked = config(job_template={"kind": "Job", **template})
    if not EVERY_FIELD.refusal(asked):
        try:
            job = jobs.job(WORK, asked, EVERY_FIELD, OWN, 10)
        except ValueError as error:
            assert str(error).endswith(".")
        else:
            assert job["metadata"]["labels"]["appliance.agent"] == OWN["appliance.agent"]


def test_open_fields_are_open() -> None:
    opened = pod_of(
        securityContext={"runAsUser": 1_000},
        volumes=[{"name": "scratch", "emptyDir": {}}],
        initContainers=[{"name": "a", "image": "etl:3"}],
        containers=[{"name": "run", "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}],
    )
    assert EVERY_FIELD.refusal(config(job_template=opened)) == ""


def test_a_flow_takes_nothing_out_of_the_administrators_template() -> None:
    own = pod_of(
        serviceAccountName="narrow",
        containers=[{"name": "run", "image": "etl:3", "resources": {"limits": {"memory": "1Gi"}}}],
    )
    nothing = {"name": "run", "image": None, "resources": {"limits": {"memory": None}}}
    asked = config(job_template=pod_of(serviceAccountName=None, containers=[nothing]))
    rules = KubernetesRules(image="other:1", template=own)
    assert rules.refusal(asked) == ""
    pod = jobs.job(WORK, asked, rules, OWN, 10)["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "narrow"
    run = container_of(pod)
    assert (run["image"], run["resources"]["limits"]) == ("etl:3", {"memory": "1Gi"})


@pytest.mark.parametrize("field", ["memory_limit", "cpu_limit"])
@pytest.mark.parametrize("amount", ["0", "0m", "0.0", "0Gi"])
def test_nothing_is_no_limit(field: str, amount: str) -> None:
    """The cluster takes 0 for no limit at all."""
    with pytest.raises(ValueError, match=f"{field} '{amount}' is"):
        decode({"type": "kubernetes", field: amount})
    assert config(cpu_request="0", memory_request="0")


def test_a_job_is_made_of_both_templates_and_the_run_config_and_has_no_secret() -> None:
    asked = config(
        image="etl:4",
        memory_limit="1Gi",
        cpu_request="250m",
        job_template=pod_of(
            tolerations=[{"key": "gpu", "operator": "Exists"}], volumes=[{"name": "scratch", "emptyDir": {}}]
        ),
    )
    job = jobs.job(WORK, asked, RULES, OWN, 9.6)
    kubernetes_validate.validate(job, "1.33", strict=True)
    assert "the-token" not in json.dumps(job)
    assert job["metadata"]["name"] == f"appliance-{WORK.flow_run_id}-2" and job["metadata"]["namespace"] == "flows"
    assert job["metadata"]["labels"]["appliance.agent"] == OWN["appliance.agent"] != "edge 1", "no label has a blank"
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (spec["suspend"], spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (True, 0, 60)
    assert [each["key"] for each in pod["tolerations"]] == ["batch", "gpu"]
    assert [each["name"] for each in pod["volumes"]] == ["data", "scratch", "appliance-run", "appliance-assignment"]
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Never", 10)
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    run = container_of(pod)
    assert run["command"][:2] == ["/opt/etl/bin/python", "-P"] and run["image"] == "etl:4"
    assert run["resources"] == {"requests": {"cpu": "250m"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    assert run["securityContext"]["allowPrivilegeEscalation"] is False
    secret = jobs.secret(job | {"metadata": job["metadata"] | {"uid": "u"}}, {"environment.json": b"{}"})
    kubernetes_validate.validate(secret, "1.33", strict=True)
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert "blockOwnerDeletion" not in secret["metadata"]["ownerReferences"][0], "that needs more permissions"
    bare = jobs.job(WORK, KubernetesDocument(), KubernetesRules(image="etl:3"), OWN, 10)
    kubernetes_validate.validate(bare, "1.33", strict=True)
    assert bare["spec"]["ttlSecondsAfterFinished"] == jobs.KEPT_SECONDS


def pod(record: str) -> dict[str, Any]:
    spec = {
        "containers": [
            {"name": "run", "image": "etl:3", "command": ["python3"], "resources": {"limits": {"memory": "96Mi"}}}
        ]
    }
    return {"metadata": {"name": "p"}, "spec": spec, **recorded(record)}


def ended(code: int) -> dict[str, Any]:
    found = pod("oom_killed")
    found["status"]["containerStatuses"][0]["state"]["terminated"] = {"exitCode": code, "reason": "Error"}
    return found


JOB: dict[str, Any] = {"metadata": {"name": "j"}, "spec": {}, "status": {}}
FAILED = {"type": "Failed", "status": "True"}


@pytest.mark.parametrize(
    ("job", "pod", "output", "end"),
    [
        (JOB, ended(0), "", (0, None, "")),
        (None, ended(0), "", (0, None, "")),
        (JOB, ended(3), "", (3, None, "The run's container ended with exit code 3.")),
        (JOB, ended(137), "", (None, "SIGKILL", "The run's container was killed by SIGKILL.")),
        (
            JOB,
            pod("oom_killed"),
            "",
            (None, "SIGKILL", "killed because it used more memory than its limit of 96 MiB (OOM)."),
        ),
        (
            JOB,
            pod("evicted"),
            "",
            (None, "SIGKILL", "The run's pod was evicted (Evicted): The node was low on resource"),
        ),
        (
            JOB,
            pod("drained"),
            "",
            (None, "SIGTERM", "(EvictionByEvictionAPI): it was evicted, as when a node is drained"),
        ),
        (JOB, pod("node_lost"), "", (None, "SIGKILL", "(DeletionByTaintManager): its node was lost")),
        (
            JOB,
            pod("deadline_exceeded"),
            "",
            (None, "SIGTERM", "The run's pod has failed (DeadlineExceeded): Pod was active"),
        ),
        (JOB, pod("start_error"), "", (128, None, "Image etl:3 has no Python that can be started as 'python3'")),
        (
            JOB,
            ended(78),
            "This client is of release 0.2.0, and the server of 0.1.0",
            (78, None, "Image etl:3 has a later release of the appliance's SDK than the server"),
        ),
        (JOB, ended(1), "No module named 'appliance'", (1, None, "Image etl:3 lacks the appliance's SDK")),
        (
            JOB,
            ended(1),
            "exec /usr/bin/python3: exec format error",
            (1, None, "Image etl:3 is for another processor architecture"),
        ),
        (None, None, "", (None, None, "The run's job was deleted by somebody else.")),
        (None, ended(143), "", (None, "SIGTERM", "The run's job was deleted by somebody else.")),
        (
            JOB | {"status": {"conditions": [FAILED]}},
            None,
            "",
            (None, None, "The run's pod was deleted by somebody else."),
        ),
        (JOB | {"spec": {"suspend": True}}, None, "", (None, None, "was suspended by somebody else")),
        (
            JOB | {"status": {"conditions": [FAILED | {"reason": "DeadlineExceeded"}]}},
            None,
            "",
            (None, None, "took longer than the activeDeadlineSeconds"),
        ),
    ],
)
def test_each_end_has_its_sentence(
    job: dict[str, Any] | None, pod: dict[str, Any] | None, output: str, end: tuple[int | None, str | None, str]
) -> None:
    code, name, sentence = jobs.end_of(job, pod, output)
    assert (code, name) == end[:2] and end[2] in sentence
    assert sentence == "" if code == 0 else sentence.endswith(".")


def test_the_peak_of_a_pod_that_was_killed_for_memory_is_its_limit() -> None:
    limited = pod("oom_killed")
    (run,) = limited["spec"]["containers"]
    assert jobs.exceeded_memory(limited) == bytes_in(run["resources"]["limits"]["memory"])
    assert jobs.exceeded_memory(limited | {"spec": {"containers": [{**run, "resources": {}}]}}) is None
    assert jobs.exceeded_memory(ended(137)) is None and jobs.exceeded_memory(None) is None


@pytest.mark.parametrize(
    ("record", "sentence", "is_hopeless"),
    [
        ("err_image_pull", "Image none:1 can't be pulled (ErrImagePull): failed to pull", False),
        ("image_pull_back_off", "Image none:1 can't be pulled (ImagePullBackOff): Back-off", True),
        ("invalid_image_name", "'odd:1' is not the name of an image (InvalidImageName)", True),
        ("create_container_config_error", '(CreateContainerConfigError): secret "warehouse" not found.', True),
        ("unschedulable", "No node takes the run's pod (Unschedulable): 0/3 nodes are available", False),
    ],
)
def test_what_keeps_a_run_from_starting_is_told(record: str, sentence: str, is_hopeless: bool) -> None:
    told, hopeless = jobs.obstacle(pod(record))
    assert sentence in told and told.endswith(".") and hopeless is is_hopeless
    assert not jobs.has_started(pod(record)) and not jobs.has_ended(pod(record))


def test_a_job_without_a_pod_is_explained_by_its_events() -> None:
    quota = 'pods "a" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2'
    policy = 'pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    assert jobs.refusal_of_pod(f"Error creating: {quota}")[0].startswith("A quota of the namespace is used up: ")
    assert jobs.refusal_of_pod(f"Error creating: {quota}")[1] is False
    assert jobs.refusal_of_pod(f"Error creating: {policy}")[1] is True


def test_manifests_of_an_agent_are_valid_and_hold_no_wider_role(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--name",
        "Cluster 1",
        "--namespace",
        "flows",
        "--image",
        "etl:3",
        "--label",
        "$(HOME)",
        "--env",
        "A=b: c",
    ]
    assert invoke(["agent", "install", "kubernetes", *options, "--server-url", "http://appliance.test:4200"]) == 0
    documents = {each["kind"]: each for each in yaml.safe_load_all(capsys.readouterr().out)}
    for document in documents.values():
        kubernetes_validate.validate(document, "1.33", strict=True)
    template = yaml.safe_load(documents["ConfigMap"]["data"]["job.yaml"])
    kubernetes_validate.validate(
        jobs.job(WORK, KubernetesDocument(), KubernetesRules(image="a", template=template), OWN, 10),
        "1.33",
        strict=True,
    )
    container = documents["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"][:5] == ["agent", "start", "kubernetes", "--name", "Cluster 1"]
    assert "$$(HOME)" in container["args"] and "A=b: c" in container["args"]
    assert documents["Role"]["kind"] == "Role" and "*" not in json.dumps(documents["Role"]["rules"])
    assert [rule["verbs"] for rule in documents["Role"]["rules"] if rule["resources"] == ["secrets"]] == [["create"]]
