"""What a flow may ask of its container, what is put into it, and how its end is told."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.agents import containers
from appliance.agents.container_rules import ContainerRules
from appliance.protocol.agents import Work
from appliance.protocol.containers import memory_in
from appliance.protocol.run_config import DockerDocument, decode

RULES = ContainerRules(
    image="etl:3",
    images=("etl:*", "registry.example/etl/*", "mirror.example/**"),
    volumes=("/data/**:ro", "/scratch", "cache-*"),
    network="inner",
    networks=("flows-*", "**"),
    memory=2 * 1024**3,
    cpus=2.0,
    pids=512,
)
REFUSED = "ERROR appliance: This client is of release 0.2.0, and the server of 0.1.0, which is earlier; upgrade the server first"
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


def refusal(rules: ContainerRules = RULES, **asked: Any) -> str:
    config = decode({"type": "docker", **asked})
    assert isinstance(config, DockerDocument)
    return rules.refusal(config)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"image": "etl:3"},
        {"image": "etl"},
        {"image": "etl:4@sha256:00"},
        {"image": "registry.example/etl/daily:1"},
        {"image": "mirror.example/a/b/c"},
        {"volumes": ["/data/in:/data:ro", "/scratch/:/scratch", "cache-1:/cache"]},
        {"networks": ["inner", "flows-1"]},
        {"memory": "2g", "cpus": 2, "pids": 512, "gpus": 0},
        {"pull": "always"},
    ],
)
def test_what_is_allowed(asked: dict[str, Any]) -> None:
    assert refusal(**asked) == ""


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"image": "other:1"}, "does not allow image other:1 (allowed: etl:3, etl:*, registry.example/etl/*, "),
        ({"image": "etl:5000/evil:1"}, "does not allow image etl:5000/evil:1"),  # a registry on the host etl
        ({"image": "registry.example/etl/a/b"}, "does not allow image"),
        ({"image": "registry.example.evil/etl/a"}, "does not allow image"),
        ({"volumes": ["/data/in:/data"]}, "restart it with --allow-volume '/data/in', too"),
        ({"volumes": ["/data/in:/data:rw"]}, "does not allow volume"),
        ({"volumes": ["/data/./in:/data:ro"]}, "does not allow volume"),
        ({"volumes": ["//data/in:/data:ro"]}, "does not allow volume"),
        ({"volumes": ["/scratch/more:/scratch"]}, "does not allow volume"),
        (
            {"volumes": ["/:/host:ro"]},
            "To allow it, which makes runs root on this machine, restart it with --allow-volume '/:ro', too",
        ),
        (
            {"volumes": ["/run/docker.sock:/run/docker.sock"]},
            "which makes runs root on this machine, restart it with --allow-volume '/run/docker.sock', too",
        ),
        ({"volumes": ["/etc/ssh:/keys"]}, "which makes runs root on this machine, restart it with"),
        ({"volumes": ["/usr/bin:/bin"]}, "which makes runs root on this machine, restart it with"),
        ({"volumes": ["/var/run:/s:ro"]}, "which makes runs root on this machine, restart it with"),
        (
            {"volumes": ["/usr/share/zoneinfo:/z:ro"]},
            "To allow it, restart it with --allow-volume '/usr/share/zoneinfo:ro'",
        ),
        ({"image": "finance:288a7af6c81d"}, "restart it with --allow-image 'finance:*', too"),
        ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}, "does not allow volume"),
        ({"volumes": ["other:/cache"]}, "does not allow volume other:/cache"),
        ({"networks": ["host"]}, "does not allow network host (allowed: inner, flows-*, **)"),
        ({"memory": "2049m"}, "asks for memory=2049m, and a container of this agent gets at most 2048m"),
        ({"cpus": 2.5}, "gets at most 2. Ask for less, or restart the agent with --cpus 2.5"),
        ({"pids": 513}, "gets at most 512"),
        ({"gpus": "all"}, "--allow-gpus"),
    ],
)
def test_what_is_refused_with_the_option_that_allows_it(asked: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(**asked)


@pytest.mark.parametrize(
    ("patterns", "source", "writable"),
    [
        (("/scratch/**",), "/scratch/team", ""),
        (("/scratch/**",), "/scratch/team/out", "/scratch/team"),
        (("/scratch/**",), "/scratch/team/a/b", "/scratch/team/a"),
        (("/scratch/**",), "/scratch/team/out:ro", "/scratch/team"),
        (("/scratch", "/scratch/**:ro"), "/scratch/out:ro", "/scratch"),
        (("/scratch", "/scratch/*"), "/scratch/out", "/scratch"),
        (("/scratch/*",), "/scratch/team", ""),
        (("/", "/data/**:ro"), "/data/in:ro", "/"),
        (("/data/**:ro",), "/data/in/a/b:ro", ""),
        (("**",), "/scratch/team", None),
    ],
)
def test_no_link_that_a_run_could_have_made_is_followed(
    patterns: tuple[str, ...], source: str, writable: str | None
) -> None:
    """A run that may write to a folder can put a link there to any other; the engine follows it as root."""
    path, _, only = source.partition(":")
    said = refusal(ContainerRules(image="etl:3", volumes=patterns), volumes=[f"{path}:/there{only and ':ro'}"])
    if writable:
        assert f"Runs may write to {writable}, and so could have made {path} a link to any folder" in said
        assert f"mount {writable} " in said
    else:
        assert bool(said) == (writable is None)


@pytest.mark.parametrize("image", ["f09c58b27409", "cafe", f"sha256:{'0' * 64}", "0" * 64])
def test_no_pattern_opens_an_image_by_its_id(image: str) -> None:
    assert "does not allow image" in refusal(ContainerRules(image="etl:3", images=("*", "**")), image=image)
    assert refusal(ContainerRules(image="etl:3", images=(image,)), image=image) == ""
    assert refusal(ContainerRules(image=image), image=image) == ""


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"memory": "0"}, "memory '0' is not valid"),
        ({"memory": "0g"}, "memory '0g' is not valid"),
        ({"memory": "0.4b"}, "memory '0.4b' is not valid"),
        ({"memory": "5m"}, "memory '5m' is not valid; a container needs 6m or more"),
        ({"cpus": 1e-10}, "cpus 1e-10 is not valid"),
        ({"cpus": 0.009}, "cpus 0.009 is not valid; use a number of cores, 0.01 or more"),
        ({"pids": 0}, "pids 0 is not valid"),
    ],
)
def test_nothing_is_no_limit(asked: dict[str, Any], sentence: str) -> None:
    """The engine takes 0 for no limit at all."""
    with pytest.raises(ValueError, match=sentence):
        decode({"type": "docker", **asked})


def test_an_agent_allows_nothing_unless_it_is_told_to() -> None:
    rules = ContainerRules(image="etl:3", volumes=("**",), pull="never")
    assert refusal(rules, volumes=["/etc:/etc:ro"]), "a pattern of volumes opens no folders"
    assert not refusal(rules, volumes=["cache:/cache"])
    assert "pulls no images" in refusal(rules, pull="always")
    assert not refusal(rules, pull="never")
    assert not refusal(ContainerRules(image="a", networks=("host",)), networks=["host"])


def test_limits_are_those_of_the_run_or_else_of_the_agent() -> None:
    asked, silent = DockerDocument(memory="512m", cpus=0.5, pids=9, networks=["flows-1"]), DockerDocument()
    chosen, default = containers.limits(asked, RULES), containers.limits(silent, RULES)
    assert (chosen["mem_limit"], chosen["memswap_limit"]) == (512 * 1024**2, 512 * 1024**2)
    assert (chosen["nano_cpus"], chosen["pids_limit"]) == (500_000_000, 9)
    assert (default["mem_limit"], default["nano_cpus"], default["pids_limit"]) == (2 * 1024**3, 2_000_000_000, 512)
    assert containers.networks_of(asked, RULES) == ["flows-1"]
    assert containers.networks_of(silent, RULES) == ["inner"]
    assert (default["security_opt"], default["cap_drop"]) == (["no-new-privileges"], ["NET_RAW"])
    assert not {"privileged", "cap_add", "devices", "pid_mode"} & set(default)
    assert [memory_in(amount) for amount in ("10", "10b", "1.5k", "2G")] == [10, 10, 1536, 2 * 1024**3]


def test_code_is_packed_with_its_place_in_the_container_and_the_token_is_in_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/totals.py").write_text("x = 1")
    found = {"type": "local", "path": str(tmp_path / "shop/totals.py"), "root": str(tmp_path), "flow": "totals"}
    place = containers.inside(found, tmp_path)
    assert place["path"] == "/var/lib/appliance-run/code/shop/totals.py"
    assert place["root"] == "/var/lib/appliance-run/code"
    with tarfile.open(fileobj=io.BytesIO(containers.files({"TOKEN": "the-token"}, tmp_path, place))) as archive:
        names = {member.name: member for member in archive.getmembers()}
        told = archive.extractfile("var/lib/appliance-run/environment.json")
        assert told is not None and json.load(told) == {"TOKEN": "the-token"}
    assert names["var/lib/appliance-run"].mode == 0o777, "the image may name any user"
    assert names["var/lib/appliance-run/code/shop/totals.py"].mode == 0o644
    own = containers.labels_of_agent("http://appliance.test", "edge")
    options = containers.configuration(WORK, DockerDocument(), RULES, own, place)
    assert "the-token" not in json.dumps(options)
    assert options["working_dir"] == "/var/lib/appliance-run/code/shop"
    assert options["entrypoint"][:4] == ["python3", "-P", "-m", "appliance.agents.execute"]
    assert containers.attempt_in(options["labels"]) == (str(WORK.flow_run_id), 2)
    assert containers.name_of(WORK) == f"appliance-{WORK.flow_run_id}-2"


def facts(code: int, status: str = "exited", oom: bool = False, memory: int = 0) -> dict[str, Any]:
    state = {"ExitCode": code, "Status": status, "OOMKilled": oom, "StartedAt": "0001-01-01T00:00:00Z"}
    return {"State": state, "Config": {"Image": "etl:3"}, "HostConfig": {"Memory": memory}, "Path": "python3"}


@pytest.mark.parametrize(
    ("found", "output", "end"),
    [
        (facts(0), "", (0, None, "")),
        (facts(0, oom=True), "", (0, None, "")),  # of a child that it has survived
        (facts(3), "", (3, None, "The run's container ended with exit code 3.")),
        (facts(143), "", (None, "SIGTERM", "The run's container was killed by SIGTERM.")),
        (facts(250), "", (250, None, "The run's container ended with exit code 250.")),
        (
            facts(137, oom=True, memory=96 * 1024**2),
            "",
            (
                None,
                "SIGKILL",
                "The run's container was killed because it used more memory than its limit of 96 MiB (OOM).",
            ),
        ),
        (None, "", (None, None, "The run's container was removed by somebody else.")),
        (facts(0, "created"), "", (None, None, "The Docker engine did not start the run's container.")),
    ],
)
def test_each_end_has_its_sentence(
    found: dict[str, Any] | None, output: str, end: tuple[int | None, str | None, str]
) -> None:
    assert containers.end_of(found, output) == end


def test_an_image_that_can_not_start_a_run_is_named() -> None:
    lacking = "python3: Error while finding module specification (ModuleNotFoundError: No module named 'appliance')"
    assert "Image etl:3 lacks the appliance's SDK; install appliance-flows" in containers.end_of(facts(1), lacking)[2]
    assert "Image etl:3 has no Python that can be started as 'python3'" in containers.end_of(facts(127), "")[2]
    assert (
        "Image etl:3 has a later release of the appliance's SDK than the server"
        in containers.end_of(facts(78), REFUSED)[2]
    )
    assert "ended with exit code 78" in containers.end_of(facts(78), "")[2]
    foreign = "exec /usr/bin/python3: exec format error\n"
    assert "Image etl:3 is for another processor architecture" in containers.end_of(facts(1), foreign)[2]
    by_init = "[FATAL tini (7)] exec python3 failed: Exec format error\n"
    assert "Image etl:3 is for another processor architecture" in containers.end_of(facts(1), by_init)[2]
    assert "ended with exit code 1" in containers.end_of(facts(1), f"the flow printed a line\n{foreign}")[2]
    assert containers.never_started(facts(0, "created"))
    assert not containers.never_started(facts(0, "running"))
