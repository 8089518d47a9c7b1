"""The containers of runs: their names and labels, what is put into them, and what their ends mean."""

from __future__ import annotations

import io
import json
import re
import signal
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from appliance.agents.container_rules import LOCAL_ADDRESS, ContainerRules
from appliance.agents.run_files import CODE_FILE, NEWER
from appliance.kit.distribution import DISTRIBUTION
from appliance.kit.version import VERSION
from appliance.protocol.agents import Work
from appliance.protocol.containers import memory_in
from appliance.protocol.run_config import DockerDocument

RUN_DIR = PurePosixPath("/var/lib/appliance-run")
"""The folder of an attempt in its container."""
CODE_DIR = RUN_DIR / "code"
HOST_NAME = "host.docker.internal"
"""The machine of the engine, as its containers call it."""
_ENVIRONMENT = "environment.json"
_SITE, _AGENT, _RUN, _ATTEMPT = (f"appliance.{name}" for name in ("site", "agent", "run", "attempt"))
_FOREIGN = re.compile(r"exec \S+: exec format error|\[FATAL tini \(\d+\)\] exec \S+ failed: Exec format error")
"""All that a container prints whose program the kernel can't run: without an init process, and with Docker's."""
_OUTPUT_LIMITS = {"max-size": "5m", "max-file": "1"}
_NEVER_STARTED = "0001-01-01T00:00:00Z"


def name_of(work: Work) -> str:
    """The name of an attempt's container: the engine refuses a second one."""
    return f"appliance-{work.flow_run_id}-{work.attempt}"


def labels_of_agent(url: str, name: str) -> dict[str, str]:
    """By which an agent finds its containers again."""
    return {_SITE: url, _AGENT: name}


def labels_of(work: Work, own: Mapping[str, str]) -> dict[str, str]:
    """The labels of an attempt's container."""
    flow = {"appliance.flow": f"{work.project}/{work.flow}"}
    return {**own, **flow, _RUN: str(work.flow_run_id), _ATTEMPT: str(work.attempt)}


def attempt_in(labels: Mapping[str, str]) -> tuple[str, int]:
    """The run and the attempt of a container. Raises ValueError."""
    try:
        return labels[_RUN], int(labels[_ATTEMPT])
    except KeyError as error:
        raise ValueError("The container has no labels of an attempt.") from error


def configuration(
    work: Work, config: DockerDocument, rules: ContainerRules, own: Mapping[str, str], place: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the engine runs. Nothing in it is secret: anyone who may ask the engine sees it."""
    folder = str(PurePosixPath(str(place["path"])).parent) if place is not None else None
    return {
        "image": config.image or rules.image,
        # -P: files next to the flow must not shadow our imports
        "entrypoint": [
            *(config.command or ["python3"]),
            "-P",
            "-m",
            "appliance.agents.execute",
            str(RUN_DIR / _ENVIRONMENT),
        ],
        "environment": {"PYTHONUNBUFFERED": "1"},
        "labels": labels_of(work, own),
        "working_dir": config.working_dir or folder,
        "stop_signal": "SIGTERM",
    }


def limits(config: DockerDocument, rules: ContainerRules) -> dict[str, Any]:
    """What the container may use."""
    memory = memory_in(config.memory) if config.memory is not None else rules.memory
    cpus = config.cpus or rules.cpus
    networks = networks_of(config, rules)
    return {
        "init": True,  # signals and orphaned processes are treated as usual
        "binds": list(config.volumes),
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": None if cpus is None else round(cpus * 1e9),
        "pids_limit": config.pids or rules.pids,
        "gpus": config.gpus,
        "security_opt": ["no-new-privileges"],
        "cap_drop": [
            "NET_RAW"
        ],  # with it, root in a container could read what others of its network send, such as their tokens
        "extra_hosts": None if LOCAL_ADDRESS in networks else {HOST_NAME: "host-gateway"},
        "log_config": {"Type": "json-file", "Config": _OUTPUT_LIMITS},
    }


def networks_of(config: DockerDocument, rules: ContainerRules) -> list[str]:
    """The networks that a container joins; none: the engine's default."""
    return list(dict.fromkeys(config.networks)) or ([rules.network] if rules.network else [])


def inside(place: Mapping[str, Any], code: Path) -> dict[str, Any]:
    """The description of code in a folder, as code that is in the container."""
    moved = {name: str(CODE_DIR / Path(place[name]).relative_to(code)) for name in ("path", "root") if name in place}
    return {**place, **moved}


def files(variables: Mapping[str, str], code: Path | None, place: Mapping[str, Any] | None) -> bytes:
    """A tar archive for the container's root: the attempt's folder, open to any user of the image, with its variables and its code."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        _add_folder(archive, RUN_DIR, 0o777)
        _add(archive, RUN_DIR / _ENVIRONMENT, json.dumps(dict(variables)).encode())
        if code is not None and place is not None:
            _add(archive, RUN_DIR / CODE_FILE, msgspec.json.encode(place))
            _add_folder(archive, CODE_DIR, 0o755)
            for path in sorted(code.rglob("*")):
                inner = CODE_DIR / path.relative_to(code)
                if path.is_dir():
                    _add_folder(archive, inner, 0o755)
                else:
                    _add(archive, inner, path.read_bytes())
    return target.getvalue()


def single_file(name: str, content: bytes) -> bytes:
    """A tar archive of one file."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        _add(archive, PurePosixPath(name), content)
    return target.getvalue()


def never_started(facts: Mapping[str, Any]) -> bool:
    """Whether a container was created only."""
    return bool(facts["State"]["Status"] == "created" and facts["State"]["StartedAt"] == _NEVER_STARTED)


def end_of(facts: Mapping[str, Any] | None, output: str) -> tuple[int | None, str | None, str]:
    """The exit code of a container that has ended, or else the name of the signal that ended it, and a sentence. `output`: its last lines."""
    if facts is None:
        return None, None, "The run's container was removed by somebody else."
    state, image = facts["State"], facts["Config"]["Image"]
    code = int(state["ExitCode"])
    if state["Status"] == "created":
        return None, None, "The Docker engine did not start the run's container."
    if code == 0:
        return 0, None, ""
    if state.get("OOMKilled"):
        memory = facts["HostConfig"].get("Memory")
        limit = f"its limit of {memory / 1024**2:,.0f} MiB" if memory else "there is"
        return None, "SIGKILL", f"The run's container was killed because it used more memory than {limit} (OOM)."
    if "No module named 'appliance'" in output:
        return (
            code,
            None,
            f"Image {image} lacks the appliance's SDK; install {DISTRIBUTION} {VERSION} in it, for the Python that starts first.",
        )
    if is_newer(code, output):
        return code, None, newer(image)
    if code in (126, 127):
        return (
            code,
            None,
            f"Image {image} has no Python that can be started as {facts['Path']!r}; install one, or name it with command.",
        )
    if is_foreign(output):
        return code, None, foreign(image)
    name = signal_of(code)
    if name is not None:
        return None, name, f"The run's container was killed by {name}."
    return code, None, f"The run's container ended with exit code {code}."


def is_foreign(output: str) -> bool:
    """Whether the image is for another processor. A flow whose own program is may print more than this line."""
    return _FOREIGN.fullmatch(output.strip()) is not None


def foreign(image: str) -> str:
    return f"Image {image} is for another processor architecture than its host's; build it for this one."


def is_newer(code: int, output: str) -> bool:
    """Whether the server took nothing from the SDK in an image, which is of a later release. A flow may end with any code."""
    return code == NEWER and "This client is of release" in output


def newer(image: str) -> str:
    return f"Image {image} has a later release of the appliance's SDK than the server; install {DISTRIBUTION} {VERSION} in it, or upgrade the server first."


def signal_of(code: int) -> str | None:
    """The name of the signal that has ended a container, by its exit code."""
    try:
        return signal.Signals(code - 128).name if code > 128 else None
    except ValueError:
        return None


def _add_folder(archive: tarfile.TarFile, path: PurePosixPath, mode: int) -> None:
    member = tarfile.TarInfo(str(path).lstrip("/"))
    member.type, member.mode = tarfile.DIRTYPE, mode
    archive.addfile(member)


def _add(archive: tarfile.TarFile, path: PurePosixPath, content: bytes) -> None:
    member = tarfile.TarInfo(str(path).lstrip("/"))
    member.mode, member.size = 0o644, len(content)
    archive.addfile(member, io.BytesIO(content))
