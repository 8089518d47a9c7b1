"""Answers /health and /metrics of an agent over HTTP, in threads of its own. Loaded only by agents that are asked to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

import msgspec

from appliance.agents.agent import Agent
from appliance.agents.agent_health import health_of
from appliance.kit.distribution import install, is_installed

SECONDS = 10.0
"""How long a client may take for its request."""
NO_METRICS = f"This agent has no library for metrics; run: {install('metrics')}"


class _Server(ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True

    def __init__(self, agent: Agent, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.agent = agent
        super().__init__((host, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS
    server: _Server
    server_version, sys_version = "appliance", ""

    def do_GET(self) -> None:
        if self.path == "/health":
            health = health_of(self.server.agent)
            self._answer(503 if health.status == "failing" else 200, msgspec.json.encode(health))
        elif self.path != "/metrics":
            self._answer(404, _sentence("An agent answers /health and /metrics alone."))
        elif not is_installed("prometheus_client"):
            self._answer(501, _sentence(NO_METRICS))
        else:
            from appliance.agents import agent_metrics

            self._answer(200, agent_metrics.text(self.server.agent), agent_metrics.CONTENT_TYPE)

    def _answer(self, status: int, content: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a probe comes every few seconds."""


def _sentence(text: str) -> bytes:
    return msgspec.json.encode({"message": text})


@contextmanager
def serving(agent: Agent, host: str, port: int) -> Iterator[int]:
    """Listen within the block, on this port, or on any free one if it is 0. Raises OSError."""
    with _Server(agent, host, port) as server:
        threading.Thread(target=server.serve_forever, name="appliance-health", daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
