"""What an agent says of itself when it enrols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from appliance import config
from appliance.agents.roots import Roots
from appliance.config import Settings
from appliance.kit.version import VERSION
from appliance.packaging.loading import usable
from appliance.protocol.agents import Enrol, Provided


def introduction(
    kind: Literal["process", "docker", "kubernetes"],
    name: str,
    labels: Sequence[str],
    capacity: int,
    roots: Roots | None,
    env_names: Sequence[str] | None,
    projects: Sequence[str] = (),
    problems: Sequence[str] = (),
    results: tuple[str, str] | None = None,
    results_key_id: str = "",
    storages: Sequence[str] | None = None,
    provided: Provided | None = None,
) -> Enrol:
    """What an agent on this machine says of itself when it enrols. `results`: the address of the place where its runs store results by default, and
    the identity of that folder, if it is one; None: it doesn't say. `results_key_id`: which key seals those
    that the server keeps. `storages`: from which it takes code; None: from all for which this machine has what they need. `provided`: what
    it can give runs that ask for it."""
    return Enrol(
        name=name,
        type=kind,
        labels=sorted(set(labels)),
        projects=sorted(set(projects)),
        capacity=capacity,
        version=VERSION,
        host=config.host_name(),
        roots=None if roots is None else list(roots.open),
        closed=[] if roots is None else list(roots.closed),
        env_names=None if env_names is None else list(env_names),
        storages=usable() if storages is None else list(storages),
        problems=list(problems),
        results_url=None if results is None else results[0],
        results_id="" if results is None else results[1],
        results_key_id=results_key_id,
        provided=provided,
    )


def embedded(settings: Settings, home: str | None) -> Enrol:
    """What the agent of `appliance start` will say of itself. `home` is that of its user, None: the one of this process."""
    return introduction(
        "process",
        settings.agent_name,
        names_in(settings.agent_labels),
        settings.agent_capacity,
        Roots.of(settings, home=home),
        settings.open_env_names,
        names_in(settings.agent_projects),
    )


def names_in(text: str) -> list[str]:
    """The names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
