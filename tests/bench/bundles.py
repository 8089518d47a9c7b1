"""`python -m tests.bench.bundles [--runs N]`: what bundles cost: registering a project of 200 files, and starting a run from one.

The registration goes to a whole appliance. A run is started as in `tests.bench.environments`, in turn: from the flow's file, from a plain bundle, and
from a sealed one, which the agent has fetched before; then from bundles that it has to fetch first.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from appliance.agents.process import ProcessAgent
from appliance.client.transport import Transport
from appliance.packaging import sealing
from appliance.packaging.bundle import BundleStorage
from appliance.packaging.local import LocalStorage
from appliance.packaging.sealing import BundleKey
from appliance.protocol.agents import Enrolled, Work
from appliance.protocol.bundles import BundleContent
from tests.bench.door import Door
from tests.bench.measure import machine, percentile
from tests.e2e.appliance_process import Appliance
from tests.roots import ANYWHERE

FILES = 200
TARGETS = {"registering": 1.0, "sealed": 10.0}
_FLOW = "from appliance import Flow, task\nfrom shop import helper_1\n@task\ndef say():\n    return helper_1.NUMBER\nwith Flow('totals') as flow:\n    say()\n"


def project(folder: Path) -> Path:
    """A package with a flow, its marker file, and helpers of 2 KB each."""
    package = folder / "src" / "shop"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (package / "__init__.py").write_text("")
    for number in range(FILES - 2):
        lines = [f"TEXT_{line} = '{sha256(f'{number} {line}'.encode()).hexdigest()}'" for line in range(25)]
        (package / f"helper_{number}.py").write_text(f"NUMBER = {number}\n" + "\n".join(lines) + "\n")
    (package / "totals.py").write_text(_FLOW)
    return package / "totals.py"


def registering(folder: Path, file: Path, repeats: int) -> tuple[list[float], list[float], int]:
    """Seconds of the command that registers the project after a change of a helper, and unchanged; and the bytes of its bundle."""
    appliance = Appliance(folder / "data").start()
    changed, unchanged = [], []
    try:
        for number in range(repeats):
            (file.parent / "helper_1.py").write_text(f"NUMBER = {number}\n")
            for times in (changed, unchanged):
                began = time.perf_counter()
                done = appliance.cli("register", str(file), "--project", "shop")
                times.append(time.perf_counter() - began)
                assert done.returncode == 0, done.stderr
    finally:
        appliance.end()
    return changed, unchanged, len(BundleStorage.of(LocalStorage.of(file, "totals")).packed())


def work_of(storage: Mapping[str, Any]) -> Work:
    return Work(
        flow_run_id=uuid4(),
        attempt=1,
        run_token="t",
        name="r",
        flow="totals",
        project="shop",
        storage=dict(storage),
        run_config={"type": "universal"},
    )


def starting(folder: Path, file: Path, runs: int) -> dict[str, list[float]]:
    """Milliseconds by where the code is."""
    sealing.new_key(folder / "key")
    os.environ[sealing.SETTING] = str(folder / "key")
    door = Door()
    local = LocalStorage.of(file, "totals")
    agent = ProcessAgent(Transport(door.url, "t"), name="bench", state_dir=folder / "state", roots=ANYWHERE)
    agent.open()
    agent.on_enrol(Enrolled(agent_id=uuid4(), heartbeat_interval=10, cancel_grace=10))

    def bundle(key: BundleKey | None, content: bytes) -> BundleStorage:
        (file.parent / "helper_2.py").write_bytes(content)
        return BundleStorage.of(LocalStorage.of(file, "totals"), key)

    def run(storage: LocalStorage | BundleStorage) -> float:
        if isinstance(storage, BundleStorage):
            data = storage.packed()
            door.bundle = BundleContent(sha256=sha256(data).hexdigest(), content=data)
        return door.start(agent, work_of(storage.describe()))

    key = sealing.required_key()
    plain, sealed = bundle(None, b""), bundle(key, b"")
    local = LocalStorage.of(file, "totals")
    kinds = {"the flow's file": local, "a plain bundle": plain, "a sealed bundle": sealed}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for storage in kinds.values():
        run(storage)
    for number in range(runs):
        for name, storage in kinds.items():
            times[name].append(run(storage))
        if number % 5 == 0:
            for name, own in (("a plain bundle, fetched", None), ("a sealed bundle, fetched", key)):
                times.setdefault(name, []).append(run(bundle(own, f"N = {number}".encode())))
            bundle(None, b"")
    agent.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file = project(folder / "project")
        changed, unchanged, size = registering(folder, file, options.repeats)
        times = starting(folder, file, options.runs)
    print(machine())
    print(f"a project of {FILES} files, a bundle of {size:,} bytes")
    print(f"registered after a change: {statistics.median(changed):.2f} s (target {TARGETS['registering']:g} s)")
    print(f"registered unchanged: {statistics.median(unchanged):.2f} s")
    for name, values in times.items():
        print(f"start from {name}: {statistics.median(values):.1f} ms median, {percentile(values, 0.95):.1f} ms p95")
    for kind in ("", ", fetched"):
        added = statistics.median(times[f"a sealed bundle{kind}"]) - statistics.median(times[f"a plain bundle{kind}"])
        print(f"sealing adds{kind}: {added:.1f} ms (target {TARGETS['sealed']:g} ms)")


if __name__ == "__main__":
    main()
