"""What pods have used, by the metrics of their cluster."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.agents.attempts import AttemptRecord
from appliance.agents.kubernetes_watch import LiveJob
from appliance.agents.pod_metrics import cores_in, note
from tests.kubernetes.recorded import recorded


@pytest.fixture
def live(tmp_path: Path) -> LiveJob:
    return LiveJob(
        record=AttemptRecord(flow_run_id=UUID(int=1), attempt=1, pid=0, identity="flows/a"), directory=tmp_path
    )


def measured(at: str, cpu: str, memory: str) -> dict[str, Any]:
    beside = {"name": "proxy", "usage": {"cpu": "4", "memory": "8Gi"}}
    run = {"name": "run", "usage": {"cpu": cpu, "memory": memory}}
    return recorded("pod_metrics") | {"timestamp": f"2026-01-01T00:{at}Z", "containers": [beside, run]}


def test_cpu_time_is_added_up_and_the_highest_memory_stays(live: LiveJob) -> None:
    for at, cpu, memory in (("00:45", "125364212n", "98304Ki"), ("01:00", "2", "512Mi"), ("01:30", "500m", "1Mi")):
        note(live, measured(at, cpu, memory))
        note(live, measured(at, cpu, memory))  # it was not measured again in the meantime
    assert live.sampled.cpu_seconds == pytest.approx(0.125364212 * 15.032 + 2 * 15 + 0.5 * 30)
    assert live.sampled.peak_memory == 512 * 1024**2
    assert live.measured_at == datetime.fromisoformat("2026-01-01T00:01:30Z")
    assert live.used == live.sampled


@pytest.mark.parametrize(("amount", "cores"), [("0", 0), ("3", 3), ("0.25", 0.25), ("250m", 0.25), ("7u", 7e-6)])
def test_amounts_of_cores(amount: str, cores: float) -> None:
    assert cores_in(amount) == cores


@pytest.mark.parametrize("odd", [{}, {"timestamp": "soon"}, {"window": "a while"}, {"containers": []}])
def test_what_cannot_be_understood_changes_nothing(live: LiveJob, odd: dict[str, Any]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        note(live, {} if not odd else measured("00:45", "1", "1Mi") | odd)
    assert live.used == (None, None)
