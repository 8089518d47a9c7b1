"""A real appliance on a small disk that somebody fills to the last byte: it refuses in time, reads on, and is well again by itself."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.e2e.appliance_process import PASSWORD, Appliance, until

pytestmark = pytest.mark.slow
MB = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """80 MB in memory. Only root may mount."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "none", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small disk can't be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def on_small_disk(small_disk: Path) -> Iterator[Appliance]:
    own = Appliance(small_disk / "data")
    own.environment |= {
        "APPLIANCE_DISK_RESERVE_BYTES": str(16 * MB),
        "APPLIANCE_DISK_LEAST_FREE_BYTES": str(4 * MB),
        "APPLIANCE_RESULTS_URL": (small_disk.parent / "results").as_uri(),
    }
    own.log_path = small_disk.parent / "appliance.log"
    try:
        own.start()
        own.register("flows.py")
        reserve = small_disk / "data" / "reserve.bin"
        until("the reserve is made", reserve.exists)
        yield own
    finally:
        own.end()


def fill(place: Path, keep: int = 0) -> Path:
    """Take every byte of the disk but `keep`, as a foreign program would."""
    file = place / "foreign.bin"
    with file.open("ab") as out:
        try:
            while os.statvfs(place).f_bavail * os.statvfs(place).f_frsize > keep:
                out.write(b"x" * min(65_536, max(4096, os.statvfs(place).f_bavail * 4096 - keep)))
                out.flush()
        except OSError:
            pass
    return file


def create(appliance: Appliance, flow: str) -> httpx.Response:
    return appliance.api("POST", "/api/v1/flow-runs", {"project": "tests", "flow": flow, "parameters": {}})


@pytest.mark.timeout(180)
def test_it_refuses_reads_on_and_recovers_without_a_restart(on_small_disk: Appliance, small_disk: Path) -> None:
    flow = on_small_disk.get("/api/v1/flows")["items"][0]["name"]
    assert create(on_small_disk, flow).status_code == 201
    foreign = fill(small_disk)
    began = time.monotonic()
    refused = create(on_small_disk, flow)
    assert refused.status_code == 503 and refused.json()["code"] == "disk_full", refused.text
    assert time.monotonic() - began < 2
    assert on_small_disk.api("GET", "/api/v1/flow-runs").status_code == 200
    signed = httpx.post(f"{on_small_disk.url}/api/v1/login", json={"username": "admin", "password": PASSWORD})
    assert signed.status_code == 200, signed.text
    ready = httpx.get(f"{on_small_disk.url}/readyz")
    assert ready.status_code == 503 and "full" in ready.json()["reasons"][0]
    for _ in range(20):
        assert create(on_small_disk, flow).status_code == 503
    foreign.unlink()
    began = time.monotonic()
    until("changes are taken again", lambda: create(on_small_disk, flow).status_code == 201)
    until("it is ready", on_small_disk.is_ready)
    run = create(on_small_disk, flow).json()["id"]
    on_small_disk.wait_for(run, "SUCCESS", "RUNNING", "FAILED", seconds=30)
    assert time.monotonic() - began < 30
    until("the reserve is there again", (small_disk / "data" / "reserve.bin").exists, 60)
    database = sqlite3.connect(f"file:{on_small_disk.data_dir / 'appliance.db'}?mode=ro", uri=True)
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.timeout(180)
def test_an_administrator_frees_space_while_the_disk_stays_full(on_small_disk: Appliance, small_disk: Path) -> None:
    flow = on_small_disk.get("/api/v1/flows")["items"][0]["name"]
    assert create(on_small_disk, flow).status_code == 201
    fill(small_disk)
    assert create(on_small_disk, flow).status_code == 503
    assert "Changes are rejected" in on_small_disk.cli("disk", "show").stdout
    done = on_small_disk.cli("disk", "free", "--keep-days", "0", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["disk"]["free_bytes"] >= 15 * MB, "the reserve was given up"
    assert on_small_disk.api("GET", "/api/v1/system/disk").json()["warnings"]
