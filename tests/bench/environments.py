"""`python -m tests.bench.environments [--runs N]`: how long a run in a cached environment takes to start, next to one in the agent's own Python.

From the moment when an agent has the run to the first request of its process, which a small server of this process takes; without a database, in turn, so that
whatever else this machine does meets both. Each has a warm pool.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import msgspec

from appliance.agents.environments import EnvironmentRules
from appliance.agents.process import ProcessAgent
from appliance.client.transport import Transport
from appliance.protocol.agents import AgentReported, Enrolled, Work
from appliance.protocol.run_protocol import Begun
from tests.bench.measure import machine, percentile
from tests.roots import ANYWHERE
from tests.wheelhouse import serving

TARGET = 1.2
_REQUIREMENT = "tiny==1.0"


class Door:
    """Takes the requests of agents and runs, and refuses each run as soon as it asks whether it may begin."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.asked = threading.Semaphore(0)
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                is_begin = self.path.endswith("/begin")
                if is_begin:
                    door.begun = time.perf_counter()
                answer = msgspec.json.encode(Begun(verdict="refused") if is_begin else AgentReported())
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


def start(agent: ProcessAgent, door: Door, requirements: list[str]) -> float:
    """Milliseconds until the process asks whether it may begin."""
    config = {"type": "process", "requirements": requirements}
    work = Work(flow_run_id=uuid4(), attempt=1, run_token="t", name="r", flow="f", project="p", storage={"type": "local", "path": __file__, "flow": "f", "sha256": "0" * 64}, run_config=config)  # fmt: skip
    began = time.perf_counter()
    agent.start(work)
    assert door.asked.acquire(timeout=60)
    return (door.begun - began) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place, serving(Path(place) / "index") as index:
        index.add("tiny", "1.0")
        door = Door()
        agent = ProcessAgent(
            Transport(door.url, "t"),
            name="bench",
            state_dir=Path(place) / "state",
            roots=ANYWHERE,
            environments=EnvironmentRules(allowed=True, index_url=index.url),
        )
        agent.open()
        agent.on_enrol(Enrolled(agent_id=uuid4(), heartbeat_interval=10, cancel_grace=10))
        built = start(agent, door, [_REQUIREMENT])
        start(agent, door, [])
        plain, cached = [], []
        for _ in range(runs):
            plain.append(start(agent, door, []))
            cached.append(start(agent, door, [_REQUIREMENT]))
        agent.close()
    print(machine())
    for name, times in (("the agent's own Python", plain), ("a cached environment", cached)):
        print(f"{name}: {statistics.median(times):.1f} ms median, {percentile(times, 0.95):.1f} ms p95")
    ratio = statistics.median(cached) / statistics.median(plain)
    print(f"the first run, which builds it: {built:.0f} ms")
    print(f"cached environment / own Python: {ratio:.2f} (target {TARGET})")


if __name__ == "__main__":
    main()
