"""`python -m tests.bench.live_ui [--idle 60]`: what the pages of the UI ask for while they show what changes, in a headless Chromium.

Counts requests and bytes, as they are sent, of a list that is open while short runs pass, of opening a wide run, of watching one, and of a
minute in which nothing happens. The goals are those of the design.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.bench.measure import machine
from tests.e2e.appliance_process import Appliance, running
from tests.e2e.browser import DESK, chromium_running, sign_in

PROJECT = "live"
FLOWS = '''
"""Flows for what the UI shows live."""
import time

from appliance import Flow, Parameter, task


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def one(number: int) -> int:
    time.sleep(0.0015)
    return number


with Flow("short") as short:
    numbers(3)

with Flow("wide") as wide:
    one.map(numbers(Parameter("count", default=10, type=int)))
'''
RUNS, EVERY = 15, 2.0
LISTED = 150
"""Runs that are there before, so that the first page of the list is full."""
OPENED, WATCHED = 5_000, 4_000


@dataclass
class Traffic:
    """What a page has asked for and received since it was last reset; messages of its stream count as bytes only."""

    requests: int = 0
    size: int = 0

    def follow(self, page: Page) -> None:
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.requestWillBeSent", self._asked)
        wire.on("Network.loadingFinished", lambda end: self._received(end["encodedDataLength"]))
        wire.on("Network.eventSourceMessageReceived", self._told)

    def _asked(self, event: dict[str, Any]) -> None:
        self.requests += event["request"]["url"].startswith("http")

    def _received(self, size: float) -> None:
        self.size += int(size)

    def _told(self, event: dict[str, Any]) -> None:
        lines = f"id: {event['eventId']}\r\nevent: {event['eventName']}\r\ndata: {event['data']}\r\n\r\n"
        self._received(len(lines.encode()))

    def reset(self) -> None:
        self.requests = self.size = 0

    def line(self, what: str, goal: str) -> str:
        return f"| {what} | {self.requests} requests, {self.size / 1000:,.1f} kB | {goal} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live_ui", description=__doc__)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of the idle minute (default 60)")
    idle = parser.parse_args().idle
    with tempfile.TemporaryDirectory(prefix="appliance-live-") as name, running(Path(name) / "data") as appliance:
        flows = Path(name) / "live_flows.py"
        flows.write_text(FLOWS)
        done = appliance.cli("register", str(flows), "--project", PROJECT)
        assert done.returncode == 0, done.stderr
        print(json.dumps(machine()))
        print("| what | now | goal |\n|---|---|---|")
        with chromium_running() as browser:
            page = browser.new_context(base_url=appliance.url, viewport=DESK).new_page()
            sign_in(page)
            measure(page, appliance, idle)
    return 0


def measure(page: Page, appliance: Appliance, idle: float) -> None:
    """Print one line for each page and what happens on it."""
    traffic = Traffic()
    traffic.follow(page)
    for _ in range(LISTED):
        answer = appliance.api("POST", "/api/v1/flow-runs", {"project": PROJECT, "flow": "short", "labels": ["none"]})
        appliance.api("POST", f"/api/v1/flow-runs/{answer.json()['id']}/cancel", {})
    first = appliance.create_run("short", project=PROJECT)
    wide = appliance.create_run("wide", project=PROJECT, count=OPENED)
    for run in (first, wide):
        appliance.wait_for(run, "SUCCESS", seconds=120)
    for path in ("/", "/runs"):
        page.goto(path)
        settle(page)
        traffic.reset()
        page.wait_for_timeout(idle * 1000)
        print(traffic.line(f"idle {idle:.0f} s on {path}", "2 requests, 4 kB"), flush=True)
    for path in ("/runs", "/"):
        page.goto(path)
        settle(page)
        traffic.reset()
        pass_by(page, appliance)
        print(traffic.line(f"{path} open, {RUNS} short runs in {RUNS * EVERY:.0f} s", "< 60 kB"), flush=True)
    page.goto("/runs?q=flow:wide")
    settle(page)
    traffic.reset()
    page.locator("a.row-link").first.click()
    expect(page.get_by_label("Timeline of tasks")).to_contain_text(f"({OPENED:,})")
    settle(page)
    print(traffic.line(f"opening a run of {OPENED:,} tasks", "8 requests, 250 kB"), flush=True)
    traffic.reset()
    live = appliance.create_run("wide", project=PROJECT, count=WATCHED)
    page.goto(f"/runs/{live}")
    began = time.monotonic()
    traffic.reset()
    expect(page.locator(".run-head .pill")).to_have_text("Success")
    took = time.monotonic() - began
    settle(page)
    print(traffic.line(f"watching a run of {WATCHED:,} tasks ({took:.0f} s)", "< 600 kB"), flush=True)


def settle(page: Page) -> None:
    """Whatever follows the last answer has been asked for. Rows under the pointer would load the pages that they lead to."""
    page.mouse.move(1, 1)
    page.wait_for_timeout(3_000)


def pass_by(page: Page, appliance: Appliance) -> None:
    """Short runs, one after another."""
    for _ in range(RUNS):
        began = time.monotonic()
        appliance.create_run("short", project=PROJECT)
        page.wait_for_timeout(max(0.0, EVERY - (time.monotonic() - began)) * 1000)
    settle(page)


if __name__ == "__main__":
    raise SystemExit(main())
