"""`python -m tests.bench.environments [--runs N]`: how long a run in a cached environment takes to start, next to one in the agent's own Python.

From the moment when an agent has the run to the first request of its process, which a small server of this process takes; without a database, in turn, so that
whatever else this machine does meets both. Each has a warm pool.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from uuid import uuid4

from appliance.agents.environments import EnvironmentRules
from appliance.agents.process import ProcessAgent
from appliance.client.transport import Transport
from appliance.protocol.agents import Enrolled, Work
from tests.bench.door import Door
from tests.bench.measure import machine, percentile
from tests.roots import ANYWHERE
from tests.wheelhouse import serving

TARGET = 1.2
_REQUIREMENT = "tiny==1.0"


def start(agent: ProcessAgent, door: Door, requirements: list[str]) -> float:
    """Milliseconds until the process asks whether it may begin."""
    config = {"type": "process", "requirements": requirements}
    work = Work(flow_run_id=uuid4(), attempt=1, run_token="t", name="r", flow="f", project="p", storage={"type": "local", "path": __file__, "flow": "f", "sha256": "0" * 64}, run_config=config)  # fmt: skip
    return door.start(agent, work)


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
