"""The scheduler and one node, which starts each pod's container as a process of this machine. An image is a name; what happens with it is in its name."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from appliance.protocol.containers import bytes_in
from tests.kubernetes.recorded import recorded
from tests.kubernetes.store import ApiError, Facts, Store, now

FAULTS = {"none": "image_pull_back_off", "odd": "invalid_image_name", "unset": "create_container_config_error"}
"""Names of images that keep a container from starting, and what is then recorded."""
WIDE = "wide"
"""The name of the image for which no node has room."""


class Node:
    """One thread that looks at pods, and one for each process. `free` opens room for pods that could not be scheduled."""

    def __init__(self, store: Store, folder: Path, environ: dict[str, str]) -> None:
        self._store, self._folder, self._environ = store, folder, environ
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._seen: dict[str, str] = {}
        self._fates: dict[str, str] = {}
        self._closing = False
        self._has_room = False
        threading.Thread(target=self._work, daemon=True).start()

    def free(self) -> None:
        with self._store.changed:
            self._has_room = True
            self._store.changed.notify_all()

    def kill(self, run: Any, fate: str = "killed") -> None:
        """End the process of a run as the kernel or the node does it: oom_killed, evicted, or killed by somebody."""
        (pod,) = [each for each in self._store.all("pods") if each["metadata"]["labels"]["appliance.run"] == str(run)]
        self._fates[pod["metadata"]["uid"]] = fate
        self._processes[pod["metadata"]["uid"]].kill()

    def metrics(self, namespace: str) -> list[Facts]:
        """What the processes of pods use, as a metrics server says it, which has seen each for 15 seconds."""
        found = []
        for pod in self._store.all("pods"):
            process = self._processes.get(pod["metadata"]["uid"])
            if pod["metadata"]["namespace"] == namespace and process is not None and process.poll() is None:
                kept = {name: pod["metadata"][name] for name in ("name", "namespace", "labels")}
                usage = {"cpu": "100000000n", "memory": f"{_resident(process.pid) // 1024}Ki"}
                found.append(
                    recorded("pod_metrics")
                    | {"metadata": kept, "timestamp": now(), "containers": [{"name": "run", "usage": usage}]}
                )
        return found

    def output(self, pod: str, lines: int) -> bytes:
        """The last lines of a pod."""
        path = self._folder / f"{pod}.log"
        return b"\n".join(path.read_bytes().splitlines()[-lines:]) if path.exists() else b""

    def folder_of(self, run: Any) -> Path:
        """The run's directory, which is in the pod."""
        (pod,) = [each for each in self._store.all("pods") if each["metadata"]["labels"]["appliance.run"] == str(run)]
        return self._folder / pod["metadata"]["uid"] / "appliance-run"

    def close(self) -> None:
        with self._store.changed:
            self._closing = True
            self._store.changed.notify_all()
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _work(self) -> None:
        store = self._store
        with store.changed:
            while not self._closing:
                seen = store.version
                for pod in store.all("pods"):
                    with suppress(ApiError):  # it was changed in the meantime
                        self._look_after(pod)
                if store.version == seen:
                    store.changed.wait(5)

    def _look_after(self, pod: Facts) -> None:
        metadata = pod["metadata"]
        uid, step = metadata["uid"], self._seen.get(metadata["uid"], "")
        if "deletionTimestamp" in metadata:
            process = self._processes.get(uid)
            if process is None or step == "ended":
                self._store.remove("pods", metadata["namespace"], metadata["name"])
            elif step == "started":
                self._seen[uid] = "terminating"
                process.send_signal(signal.SIGTERM)
                grace = pod["spec"]["terminationGracePeriodSeconds"]
                threading.Timer(grace, process.kill).start()
            return
        image = pod["spec"]["containers"][0]["image"].partition(":")[0]
        if image == WIDE and not self._has_room:
            self._tell(pod, "unschedulable", "waits")
        elif image in FAULTS:
            self._tell(pod, FAULTS[image], "fails")
        elif step in ("", "waits"):
            self._start(pod)

    def _tell(self, pod: Facts, record: str, step: str) -> None:
        if self._seen.get(pod["metadata"]["uid"]) == step:
            return
        self._seen[pod["metadata"]["uid"]] = step
        self._set(pod, recorded(record)["status"])

    def _set(self, pod: Facts, status: Facts) -> None:
        for each in status.get("containerStatuses", []):
            each |= {"name": pod["spec"]["containers"][0]["name"], "image": pod["spec"]["containers"][0]["image"]}
        metadata = pod["metadata"]
        with suppress(ApiError):
            self._store.change(
                "pods", metadata["namespace"], metadata["name"], lambda facts: facts.update(status=status)
            )

    def _start(self, pod: Facts) -> None:
        metadata, container = pod["metadata"], pod["spec"]["containers"][0]
        paths = self._volumes(pod)
        if paths is None:
            return  # a secret is missing: it is tried again
        self._seen[metadata["uid"]] = "started"
        command = [_moved(word, paths) for word in container["command"]]
        environ = self._environ | {each["name"]: each["value"] for each in container.get("env", [])}
        with (self._folder / f"{metadata['name']}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable if command[0] == "python3" else command[0], *command[1:]],
                cwd=_moved(container["workingDir"], paths),
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._processes[metadata["uid"]] = process
        started = {
            "phase": "Running",
            "conditions": [],
            "containerStatuses": [{"ready": True, "state": {"running": {"startedAt": now()}}}],
        }
        self._set(pod, started)
        threading.Thread(target=self._wait, args=(pod, process, paths), daemon=True).start()

    def _volumes(self, pod: Facts) -> dict[str, Path] | None:
        """Where each folder of the container is here."""
        paths = {}
        own = self._folder / pod["metadata"]["uid"]
        for mount in pod["spec"]["containers"][0]["volumeMounts"]:
            (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == mount["name"]]
            paths[mount["mountPath"]] = own / volume["name"]
            paths[mount["mountPath"]].mkdir(parents=True, exist_ok=True)
            if "secret" in volume:
                try:
                    secret = self._store.get("secrets", pod["metadata"]["namespace"], volume["secret"]["secretName"])
                except ApiError:
                    return None
                for name, content in secret["data"].items():
                    (paths[mount["mountPath"]] / name).write_bytes(base64.b64decode(content))
        for path in own.glob("*/*.json"):
            path.write_text(_moved(path.read_text(), paths))
        return paths

    def _wait(self, pod: Facts, process: subprocess.Popen[bytes], paths: dict[str, Path]) -> None:
        code = self._watched(pod, process)
        if self._closing:
            return
        fate = self._fates.get(pod["metadata"]["uid"], "killed")
        if fate == "killed":
            message = Path(_moved(pod["spec"]["containers"][0]["terminationMessagePath"], paths))
            ended = {
                "exitCode": 128 - code if code < 0 else code,
                "reason": "Completed" if code == 0 else "Error",
                "startedAt": now(),
                "finishedAt": now(),
                **({"message": message.read_text()[:4096]} if message.exists() else {}),
            }
            phase = "Succeeded" if code == 0 else "Failed"
            status = {
                "phase": phase,
                "conditions": [],
                "containerStatuses": [{"ready": False, "state": {"terminated": ended}}],
            }
        else:
            status = recorded(fate)["status"]
        self._set(pod, status)
        with self._store.changed:
            self._seen[pod["metadata"]["uid"]] = "ended"
            self._store.changed.notify_all()

    def _watched(self, pod: Facts, process: subprocess.Popen[bytes]) -> int:
        """The exit code of a process, which is killed if it uses more memory than its limit."""
        limit = bytes_in(pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("memory", ""))
        while limit is not None:
            try:
                return process.wait(0.1)
            except subprocess.TimeoutExpired:
                if _resident(process.pid) > limit:
                    self._fates[pod["metadata"]["uid"]] = "oom_killed"
                    process.kill()
        return process.wait()


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _moved(text: str, paths: dict[str, Path]) -> str:
    for inner, outer in paths.items():
        text = text.replace(inner, str(outer))
    return text


def ordinary() -> dict[str, str]:
    """The environment of every container."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("APPLIANCE_", "KUBE"))}
