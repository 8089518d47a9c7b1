"""A server without a database for measuring how long runs take to start."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from appliance.agents.process import ProcessAgent
from appliance.protocol.agents import AgentReported, Work
from appliance.protocol.bundles import BundleContent
from appliance.protocol.run_protocol import Begun


class Door:
    """Takes the requests of agents and runs, and refuses each run as soon as it asks whether it may begin. `bundle`: what it has for their code."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.bundle = BundleContent(sha256="", content=b"")
        self.asked = threading.Semaphore(0)
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                is_begin = self.path.endswith("/begin")
                if is_begin:
                    door.begun = time.perf_counter()
                answer = msgspec.json.encode(door.answer(self.path))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                if is_begin:
                    door.asked.release()

            def log_message(self, *_arguments: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> Begun | BundleContent | AgentReported:
        if path.endswith("/begin"):
            return Begun(verdict="refused")
        return self.bundle if path.endswith("/bundle") else AgentReported()

    def start(self, agent: ProcessAgent, work: Work) -> float:
        """Milliseconds from the moment when the agent has the run until its process asks whether it may begin."""
        began = time.perf_counter()
        agent.start(work)
        assert self.asked.acquire(timeout=60)
        return (self.begun - began) * 1e3
