"""What an agent's administrator permits flows to ask of their containers. Nothing else can be asked for: a run config has no field for it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from appliance.protocol.containers import memory_in
from appliance.protocol.run_config import DockerDocument

LOCAL_ADDRESS = "host"
"""The network of the agent's machine itself, which no pattern opens."""
_BUILT = re.compile(r":[0-9a-f]{12}\Z")
"""The tag of an image that was built from flows."""
_ID = re.compile(r"(sha256:)?[0-9a-f]{1,64}")
"""What an engine may take for the id of any image that it has."""
_ROOT = ("/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var/lib/docker", "/var/run")
_ROOT_IF_WRITTEN = ("/bin", "/lib", "/lib64", "/opt", "/sbin", "/usr", "/var")


@dataclass(frozen=True, kw_only=True)
class ContainerRules:
    """`image` and `network` are for runs that name none; `images`, `volumes` and `networks` are patterns of what flows may name, in which * matches all but
    a slash, and ** everything. `memory` in bytes, `cpus` in cores, and `pids` are what a container gets at most, and by default."""

    image: str
    images: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    network: str = ""
    networks: tuple[str, ...] = ()
    memory: int | None = None
    cpus: float | None = None
    pids: int = 4_096
    gpus: bool = False
    pull: str = "missing"

    def refusal(self, config: DockerDocument) -> str:
        """The first thing that a run config asks for and this agent does not allow, in a sentence; empty if there is none."""
        return next(filter(None, self._refusals(config)), "")

    def _refusals(self, config: DockerDocument) -> Iterator[str]:
        if config.image is not None and not is_open_image(config.image, self.image, self.images):
            yield closed("image", config.image, [self.image, *self.images])
        for volume in config.volumes:
            if not any(_is_open_volume(volume, pattern) for pattern in self.volumes):
                yield closed("volume", volume, self.volumes)
            yield self._link(volume)
        for network in config.networks:
            if network != self.network and not any(_is_open_network(network, pattern) for pattern in self.networks):
                yield closed("network", network, [*([self.network] if self.network else []), *self.networks])
        if config.memory is not None and self.memory is not None and memory_in(config.memory) > self.memory:
            yield excess("memory", config.memory, f"{self.memory // 1024**2}m")
        if config.cpus is not None and self.cpus is not None and config.cpus > self.cpus:
            yield excess("cpus", f"{config.cpus:g}", f"{self.cpus:g}")
        if config.pids is not None and config.pids > self.pids:
            yield excess("pids", str(config.pids), str(self.pids))
        if config.gpus and not self.gpus:
            yield "This agent gives containers no GPUs; to allow them, restart it with --allow-gpus."
        if config.pull in ("missing", "always") and self.pull == "never":
            yield f"This agent pulls no images, so pull={config.pull!r} is not possible; leave pull out, or restart it with --pull missing."

    def _link(self, volume: str) -> str:
        """Why a folder of the machine may be a link that a run has made, in a sentence; empty if none can."""
        source = volume.partition(":")[0]
        if not source.startswith("/"):
            return ""
        writable = [pattern for pattern in self.volumes if not pattern.endswith(":ro")]
        for folder in map(str, PurePosixPath(source).parents):
            if any(_is_open_volume(f"{folder}:/", pattern) for pattern in writable):
                return (
                    f"Runs may write to {folder}, and so could have made {source} a link to any folder of this machine: "
                    f"mount {folder} instead."
                )
        return ""

    def pull_of(self, config: DockerDocument) -> str:
        """When the image is pulled: one of PULLS."""
        return config.pull or self.pull


def is_open_image(image: str, own: str, patterns: Iterable[str]) -> bool:
    """Whether an image is the agent's own, or one that a pattern opens."""
    if image == own or image in (patterns := list(patterns)):
        return True
    names = [image] if _has_tag(image) else [image, f"{image}:latest"]
    return not _ID.fullmatch(image) and any(_matches(pattern, name) for pattern in patterns for name in names)


def _is_open_volume(volume: str, pattern: str) -> bool:
    """Whether a pattern such as /data/**:ro opens a volume such as /data/in:/data:ro. Folders of the machine are opened by patterns of folders only."""
    source, _, rest = volume.partition(":")
    pattern, _, only = pattern.partition(":")
    if only == "ro" and not rest.endswith(":ro"):
        return False
    if source.startswith("/"):
        source = source.rstrip("/") or "/"
        if posixpath.normpath(source) != source or source.startswith("//") or not pattern.startswith("/"):
            return False
    return _matches(pattern, source)


def _is_open_network(network: str, pattern: str) -> bool:
    return network == pattern or (network != LOCAL_ADDRESS and _matches(pattern, network))


def _has_tag(image: str) -> bool:
    return ":" in image.rpartition("/")[2] or "@" in image


def _matches(pattern: str, text: str) -> bool:
    forms = {"**": ".*", "*": "[^/]*"}
    parts = (forms.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*)", pattern))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def closed(what: str, name: str, allowed: Sequence[str]) -> str:
    """Says what is allowed, and which option would allow this."""
    listed, opened = ", ".join(allowed) or "none", _opened(what, name[:200])
    risk = ", which makes runs root on this machine" if what == "volume" and _gives_root(opened) else ""
    return f"This agent does not allow {what} {name[:200]} (allowed: {listed}). To allow it{risk}, restart it with --allow-{what} '{opened}', too."


def _gives_root(source: str) -> bool:
    """Whether who can use this folder or socket of the machine is as good as root on it."""
    path, folders = PurePosixPath(source.removesuffix(":ro")), [PurePosixPath(folder) for folder in _ROOT]
    if not source.endswith(":ro"):
        folders += [PurePosixPath(folder) for folder in _ROOT_IF_WRITTEN]
    return path.is_absolute() and any(path.is_relative_to(each) or each.is_relative_to(path) for each in folders)


def _opened(what: str, name: str) -> str:
    """What opens a name. Of an image built from flows, whose tag changes with their code, that is every tag; of a volume its source, and whether it
    is only read."""
    if what == "image":
        return _BUILT.sub(":*", name)
    if what != "volume":
        return name
    source, _, rest = name.partition(":")
    return f"{source}:ro" if rest.endswith(":ro") else source


def excess(what: str, amount: str, most: str) -> str:
    """Says what there is at most, and which option would allow more."""
    return f"The run asks for {what}={amount}, and a container of this agent gets at most {most}. Ask for less, or restart the agent with --{what} {amount}."
