"""A hostile flow in a container: neither the host, the engine, other runs, nor more of the server than its own run is open to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from appliance.client import agents, flow_runs, secrets
from appliance.client.transport import Transport
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.secrets import PutSecret
from tests import docker_images
from tests.conformance.agent_kinds import AgentProcess, Docker, docker
from tests.e2e.hostile_container import PIDS
from tests.integration.live import TOKEN, LiveServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(bool(docker_images.missing()), reason=docker_images.missing()),
]
OPEN = {
    *("/api/v1/info", "/api/v1/openapi.json", "/api/v1/login", "/api/v1/setup"),
    *("/livez", "/healthz", "/readyz", "/metrics"),
}
"""Addresses that need no token."""


class Bridged(Docker):
    """Containers in the engine's own network, where they reach each other, and of this machine only what listens for them."""

    def arguments(self, url: str) -> list[str]:
        return ["docker", "--image", self.image]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """It listens where containers reach it, and nobody else."""
    [network] = json.loads(docker("network", "inspect", "bridge"))
    addresses = network["IPAM"]["Config"][0]
    # an engine that has taken over its bridge from an earlier one doesn't name it
    gateway = addresses.get("Gateway") or str(next(ip_network(addresses["Subnet"]).hosts()))
    live = LiveServer(tmp_path / "data", APPLIANCE_HOST=gateway)
    live.url = live.url.replace("127.0.0.1", gateway)
    live.client = Transport(live.url, TOKEN, tries=100)
    yield live.start()
    live.kill()


def test_a_hostile_flow_reaches_nothing_but_its_own_run(server: LiveServer, tmp_path: Path) -> None:
    kind = Bridged()
    kind.prepare(tmp_path / "image")
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(Path(__file__).with_name("hostile_container.py"), project / "hostile.py")
    (project / "pyproject.toml").write_text("[project]\nname = 'hostile'\n")
    for flow, found in flows_in(project / "hostile.py"):
        register(flow, "p", transport=server.client, storage=SiteStore(server.client, "p", print).default(found))
    secrets.put(server.client, PutSecret(project="p", name="DOOR", secret_value="open sesame"))
    agent = AgentProcess(kind, server, tmp_path / "agent", "dock").start()
    try:
        victim = server.create("victim")
        server.until(victim, lambda _view: bool(list(flow_runs.logs(server.client, victim))))
        report = attack(server, agent, victim, [str(tmp_path), str(project), "/var/run/docker.sock"])
        assert report["reached"] == []
        assert (report["tokens"], report["hosts"]) == ([], False)
        assert report["answered"] == []
        assert PIDS // 2 < report["threads"] < PIDS
        (told,) = json.loads(docker("inspect", kind.running(agent, victim)[0]))
        assert (told["HostConfig"]["CapDrop"], told["HostConfig"]["Privileged"]) == (["NET_RAW"], False)
        assert flow_runs.get(server.client, victim).state == "Running"
        flow_runs.cancel(server.client, victim)
        assert server.ended(victim).state == "Cancelled"
    finally:
        agent.stop()
        kind.remove(kind.left(server, agent.name))


def attack(server: LiveServer, agent: AgentProcess, victim: UUID, files: list[str]) -> dict[str, Any]:
    """What the flow reached."""
    (own,) = [one["id"] for one in agents.listed(server.client)]
    site = {"url": server.url, "files": files, "calls": calls(server, str(victim), own)}
    run = server.create("hostile", site=site)
    ended = server.ended(run)
    lines = [line.message for line in flow_runs.logs(server.client, run)]
    assert ended.state == "Success", (ended.state_message, lines, agent.log.read_text())
    report: dict[str, Any] = next(json.loads(line) for line in lines if line.startswith("{"))
    return report


def calls(server: LiveServer, victim: str, agent: str) -> list[tuple[str, str, str]]:
    """Every operation of the server that needs a token, on the run, the project, and the agent of somebody else, and what is sent there."""
    document = httpx2.get(f"{server.url}/api/v1/openapi.json", trust_env=False).json()
    ids = {"flow_run_id": victim, "agent_id": agent, "project": "p", "name": "DOOR"}
    found = [("POST", "/graphql", json.dumps({"query": "{ flowRuns { items { id name } } }"}))]
    for path, methods in document["paths"].items():
        address = path
        for name in [part[1:-1].split(":")[0] for part in path.split("/") if part.startswith("{")]:
            address = address.replace("{" + name + "}", ids.get(name, victim))
        found += [
            (method.upper(), address, json.dumps({"attempt": 1, "seq": 1})) for method in methods if path not in OPEN
        ]
    assert len(found) > 100
    return found
