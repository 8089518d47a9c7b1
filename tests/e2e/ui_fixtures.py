"""What the browser tests look at: a real appliance with flows of every kind of parameter and runs in every kind of end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.e2e.appliance_process import PASSWORD, Appliance, running

FLOWS = '''
"""Flows for the browser tests."""
import os
import signal
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from appliance import Flow, IntervalSchedule, Parameter, get_logger, task


@task
def pages(count: int) -> list[int]:
    get_logger().info("loading %d pages", count)
    return list(range(count))


@task(max_retries=2, retry_delay=timedelta(milliseconds=50))
def fetch(page: int) -> int:
    get_logger().info("page %d", page)
    if page == 3:
        get_logger().warning("page %d is slow", page)
        raise ConnectionError("upstream source returned HTTP 503 for /orders?page=3")
    return page


@task
def load(rows: list[int]) -> int:
    return len(rows)


with Flow("orders") as orders:
    load(fetch.map(pages(Parameter("count", default=6, type=int))))


@task
def report(region: str, limit: int, mode: str, day: date, columns: list[str], dry: bool) -> str:
    get_logger().info("report for %s", region)
    return region


with Flow("report") as report_flow:
    report(
        Parameter("region", type=str),
        Parameter("limit", default=20, type=int),
        Parameter("mode", default="full", type=Literal["full", "delta"]),
        Parameter("day", default=date(2026, 11, 21), type=date),
        Parameter("columns", default=["id", "total"], type=list[str]),
        Parameter("dry", default=False, type=bool),
    )


@task
def speak(path: str) -> None:
    number = 0
    while not Path(path).exists():
        get_logger().info("line %d", number)
        number += 1
        time.sleep(0.05)


with Flow("talks") as talks:
    speak(Parameter("path", type=str))


@task
def die() -> None:
    print("the last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


with Flow("dies") as dies:
    die()


@task
def one(x: int) -> int:
    return x


@task
def say_much(lines: int) -> None:
    logger = get_logger()
    for number in range(lines):
        logger.info("line %d of much", number)
    raise ValueError("the needle is here")


with Flow("wide") as wide:
    one.map(list(range(1000)))
    say_much(Parameter("lines", default=1500, type=int))


@task
def quick() -> None:
    pass


with Flow("hourly", schedule=IntervalSchedule(timedelta(hours=1))) as hourly:
    quick()
'''


def register_flows(appliance: Appliance, folder: Path) -> None:
    path = folder / "browser_flows.py"
    path.write_text(FLOWS)
    done = appliance.cli("register", str(path), "--project", "browser")
    assert done.returncode == 0, done.stderr


@contextmanager
def running_with(flows: str, folder: Path) -> Iterator[Appliance]:
    """An appliance with these flows in the project demo."""
    with running(folder / "data") as ready:
        path = folder / "browser_flows.py"
        path.write_text(flows)
        done = ready.cli("register", str(path), "--project", "demo")
        assert done.returncode == 0, done.stderr
        yield ready


def start(appliance: Appliance, flow: str, **parameters: Any) -> str:
    return appliance.create_run(flow, project="browser", **parameters)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


def sign_in(page: Page, appliance: Appliance, path: str = "/runs") -> None:
    page.goto(appliance.url + path)
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Main").wait_for()


def fail_graphql(page: Page, operation: str, status: int = 500) -> None:
    """Let one operation fail; everything else goes through."""

    def answer(route: Route) -> None:
        if f" {operation}" in str((route.request.post_data_json or {}).get("query", "")):
            body = {"code": "internal", "message": "The server could not answer.", "request_id": "r-1"}
            route.fulfill(status=status, content_type="application/json", body=json.dumps(body))
        else:
            route.fallback()

    page.route("**/graphql", answer)
