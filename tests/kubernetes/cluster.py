"""The whole of it, as one thing that a test starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.kubernetes.api import Api
from tests.kubernetes.controllers import Controllers
from tests.kubernetes.node import Node, ordinary
from tests.kubernetes.store import Facts, Store


class FakeCluster:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store()
        self.node = Node(self.store, folder, ordinary())
        self.controllers = Controllers(self.store)
        self.api = Api(self.store, self.node.output)
        self.api.metrics = self.node.metrics
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(self.api.kubeconfig()))

    def until(self, condition: Any, seconds: float = 20) -> None:
        """Wait for a change after which it holds."""
        with self.store.changed:
            assert self.store.changed.wait_for(condition, seconds), self.names()

    def of(self, run: Any, kind: str = "jobs") -> list[Facts]:
        found = self.store.all(kind)
        return [each for each in found if (each["metadata"].get("labels") or {}).get("appliance.run") == str(run)]

    def gone(self, run: Any) -> None:
        """Wait until nothing is left of a run."""
        self.until(lambda: not any(self.of(run, kind) for kind in ("jobs", "pods", "secrets")))

    def names(self) -> list[str]:
        return [
            f"{kind} {each['metadata']['name']} {each['status']}"
            for kind in ("jobs", "pods", "secrets")
            for each in self.store.all(kind)
        ]

    def close(self) -> None:
        self.api.close()
        self.controllers.close()
        self.node.close()
