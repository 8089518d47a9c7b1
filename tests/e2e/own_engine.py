"""A second Docker engine of this machine, which tests may restart, and which has nothing that the first one has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import networks
from tests.conformance.agent_kinds import docker
from tests.e2e.appliance_process import until

BRIDGE = "appliance-test"
"""With none, the engine would remove the bridge of the machine's other engine."""


class OwnEngine:
    """A Docker engine of the test's own."""

    def __init__(self, folder: Path, keeps_containers: bool) -> None:
        self.folder, self.host = folder, f"unix://{folder}/engine.sock"
        names = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
        places = [word for option, name in names.items() for word in (option, str(folder / name))]
        quiet = ["--iptables=false", "--ip-masq=false", "--containerd-namespace", "appliance-test"]
        restore = ["--live-restore"] if keeps_containers else []
        self._command = ["dockerd", "--bridge", BRIDGE, "--host", self.host, *places, *quiet, *restore]

    def start(self) -> None:
        """Raises OSError or CalledProcessError, if this machine permits no second engine."""
        with (self.folder / "engine.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        until("the engine answers", lambda: self._process.poll() is not None or self._answers(), 60)
        docker("info", host=self.host)

    def _answers(self) -> bool:
        return subprocess.run(["docker", "--host", self.host, "info"], capture_output=True, check=False).returncode == 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)


@contextmanager
def started(*, keeps_containers: bool = False, disk: int = 0) -> Iterator[OwnEngine]:
    """An engine, of which nothing is left afterwards. The test is skipped if this machine permits none. `disk`: the megabytes of a file system of its own;
    0: it has that of the machine."""
    folder = Path(tempfile.mkdtemp(prefix="engine-"))  # the path of a socket must be short
    engine = OwnEngine(folder, keeps_containers)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            stack.enter_context(networks.bridge(BRIDGE, "10.78.0.1/24"))
            if disk:
                (folder / "data").mkdir()
                size = f"size={disk}m"
                subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(folder / "data")], check=True)
            engine.start()
        except (OSError, subprocess.SubprocessError, AssertionError):
            pytest.skip("this machine permits no second Docker engine")
        try:
            yield engine
        finally:
            left = docker("ps", "--all", "--quiet", host=engine.host).split()
            if left:
                docker("rm", "--force", *left, host=engine.host)
            engine.stop()
            for mount in Path("/proc/mounts").read_text().splitlines():
                if mount.split()[1].startswith(f"{folder}/"):
                    subprocess.run(["umount", "--lazy", mount.split()[1]], check=False)
