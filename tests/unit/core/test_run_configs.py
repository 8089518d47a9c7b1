"""Run configs in code and on the wire: the same rules on both sides, one sentence for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from appliance import DockerRun, KubernetesRun, LocalRun, ProcessRun, UniversalRun
from appliance.protocol import run_config
from appliance.protocol.run_config import DockerDocument, KubernetesDocument, ProcessDocument, decode


def test_a_local_run_is_registered_as_it_always_was() -> None:
    assert LocalRun({"A": "1"}, ["big"], "/srv").to_document() == {
        "type": "local",
        "env": {"A": "1"},
        "labels": ["big"],
        "working_dir": "/srv",
    }
    assert isinstance(LocalRun(), ProcessRun)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (UniversalRun(), run_config.RunConfigDocument),
        (ProcessRun(working_dir="/srv"), ProcessDocument),
        (LocalRun(), ProcessDocument),
        (ProcessRun(limits={"memory": "1.5Gi", "open_files": 64}), ProcessDocument),
        (DockerRun("registry:5000/etl:1@sha256:00", ["a"], gpus=1, cpus=2, memory="2g"), DockerDocument),
        (KubernetesRun(job_template={"kind": "Job"}, cpu_limit="1.5", memory_limit="1Gi"), KubernetesDocument),
    ],
)
def test_what_code_says_can_be_read_on_the_wire(config: UniversalRun, kind: type) -> None:
    assert isinstance(decode(config.to_document()), kind)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DockerRun("--privileged"), "image '--privileged' is not the name of an image"),
        (lambda: DockerRun(volumes=["/data"]), "volume '/data' is not valid"),
        (lambda: DockerRun(volumes=["/a/../etc:/etc"]), "volume '/a/../etc:/etc' is not valid"),
        (lambda: DockerRun(networks=["-x"]), "network '-x' is not valid"),
        (lambda: DockerRun(memory="lots"), "memory 'lots' is not valid"),
        (lambda: DockerRun(cpus=0), "cpus 0.* is not valid"),
        (lambda: DockerRun(gpus=-1), "gpus -1 is not valid"),
        (lambda: DockerRun(pull="sometimes"), "pull 'sometimes' is not valid; use one of missing, always, never"),
        (lambda: DockerRun(command=["x"] * 51), "command has too many or too long items"),
        (lambda: DockerRun(env={"PATH": "/"}), "env can't set PATH"),
        (lambda: DockerRun(working_dir="a\0"), "working_dir contains a NUL character"),
        (lambda: ProcessRun(limits={"ram": "2Gi"}), "limits can't have 'ram'; the limits are memory, cpu_seconds"),
        (
            lambda: ProcessRun(limits={"memory": "512m"}),
            "The limit memory can't be '512m'; write bytes, as in \"512Mi\"",
        ),
        (lambda: ProcessRun(limits={"memory": "64Mi"}), "The limit memory can't be 64Mi; a run needs 256Mi or more"),
        (lambda: ProcessRun(limits={"cpu_seconds": 0}), "The limit cpu_seconds can't be 0; a run needs 1 or more"),
        (
            lambda: ProcessRun(limits={"open_files": "many"}),
            "The limit open_files can't be 'many'; write a whole number",
        ),
        (lambda: ProcessRun(limits={"processes": True}), "The limit processes can't be 'True'"),
        (lambda: ProcessRun(limits={"file_size": 2**63}), "The limit file_size can't be 9223372036854775808"),
        (lambda: ProcessRun(user="0"), "user can't be '0'; write the name of an account"),
        (lambda: ProcessRun(user="a b"), "user can't be 'a b'"),
        (lambda: KubernetesRun(namespace="No_Such"), "namespace 'No_Such' is not valid"),
        (lambda: KubernetesRun(cpu_request="half"), "cpu_request 'half' is not valid"),
        (lambda: KubernetesRun(memory_limit="2 GB"), "memory_limit '2 GB' is not valid"),
        (lambda: KubernetesRun(service_account_name="a b"), "service_account_name 'a b' is not valid"),
        (lambda: KubernetesRun(image_pull_policy="never"), "image_pull_policy 'never' is not valid"),
        (lambda: KubernetesRun(job_template={"kind": "Pod"}), "job_template is not a job"),
        (lambda: KubernetesRun(job_template={"kind": "Job", "x": "y" * 70_000}), "job_template is too long"),
    ],
)
def test_what_can_not_be_meant_is_refused_in_code(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    "document",
    [
        {"type": "docker", "privileged": True},
        {"type": "docker", "host_config": {}},
        {"type": "process", "image": "x"},
        {"type": "vertex"},
        {"type": "docker", "gpus": "some"},
        {"type": "docker", "limits": {"memory": "2Gi"}},
        {"type": "process", "limits": {"cpu_seconds": 1.5}},
    ],
)
def test_unknown_fields_and_kinds_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The run config is not valid"):
        decode(document)


OF_THE_ENGINE = (
    "binds cap_add cgroup_parent cgroupns_mode device_cgroup_rules device_requests devices dns entrypoint extra_hosts group_add host_config hostname "
    "ipc_mode isolation links log_config lxc_conf mounts network_mode oom_kill_disable pid_mode privileged restart_policy runtime security_opt shm_size "
    "storage_opt sysctls tmpfs ulimits user userns_mode uts_mode volume_driver volumes_from"
).split()
"""Options of containers that no run config has."""
OF_PODS = "containers hostNetwork initContainers job_template_patch pod_spec_patch podSpecPatch securityContext volumes".split()


@pytest.mark.parametrize("field", [*OF_THE_ENGINE, *OF_PODS])
def test_no_run_config_has_a_field_for_more_than_is_described(field: str) -> None:
    for kind in ("universal", "process", "docker", "kubernetes"):
        if (field, kind) not in {("user", "process"), ("volumes", "docker")}:
            with pytest.raises(ValueError, match=f"it has no field '{field}'"):
                decode({"type": kind, field: None})


@pytest.mark.parametrize(
    "image",
    [
        "etl",
        "etl:3",
        "Host.example/etl",
        "localhost:5000/a/b_c:1",
        "[::1]:5000/etl",
        f"a/b@sha256:{'0' * 64}",
        f"sha256:{'0' * 64}",
    ],
)
def test_images_have_the_names_that_engines_know(image: str) -> None:
    assert DockerRun(image).image == image


@pytest.mark.parametrize(
    "asked",
    [
        *(
            {"image": name}
            for name in (
                "-v",
                "--privileged",
                "a b",
                "",
                "a\nb",
                "a;b",
                "a$(b)",
                "/etc",
                "http://a/b",
                "a//b",
                "a/../b",
                "a@b",
                "A/b:C:d",
                "Etl",
                "é",
                "a" * 501,
            )
        ),
        *({"networks": [name]} for name in ("container:web", "ns:/proc/1/ns/net", "", "a b", "-x", "../x")),
        {"volumes": ["/data:/data:rshared"]},
        {"volumes": ["/data:/data:ro,rslave"]},
        {"volumes": ["/data:/data:z"]},
        {"volumes": ["/data:/data:"]},
        {"volumes": ["/data"]},
        {"volumes": ["./data:/data"]},
        {"volumes": ["~/data:/data"]},
        {"volumes": ["../data:/data"]},
        {"volumes": ["/data/../etc:/etc"]},
        {"volumes": ["/data:/a/../../etc"]},
        {"volumes": ["/data:data"]},
        {"volumes": ["npipe://x:/x"]},
        {"volumes": ["/data\0:/data"]},
        {"volumes": [["/data", "/data"]]},
        {"volumes": {"/data": {"bind": "/data", "mode": "rw"}}},
        {"command": "python3"},
        {"command": ["python3\0"]},
        {"gpus": "all,capabilities=utility"},
        {"gpus": True},
        {"memory": "-1"},
        {"memory": "1e9"},
        {"cpus": float("nan")},
        {"cpus": float("inf")},
        {"pids": -1},
    ],
    ids=lambda asked: ascii(asked)[:60],
)
def test_odd_values_are_refused_before_an_agent_sees_them(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not valid|not the name|too long"):
        decode({"type": "docker", **asked})


def test_limits_are_shown_as_they_were_written_and_have_amounts() -> None:
    config = ProcessRun(limits={"open_files": 100, "memory": "1.5Gi", "file_size": "2G"})
    document = config.to_document()
    assert list(document["limits"].items()) == [("file_size", "2G"), ("memory", "1.5Gi"), ("open_files", 100)]
    assert run_config.limits_of(decode(document)) == {
        "file_size": 2 * 10**9,
        "memory": 3 * 2**29,
        "open_files": 100,
    }
    assert run_config.limits_of(decode(UniversalRun().to_document())) == {}
    assert "limits" not in ProcessRun(limits={}).to_document()
