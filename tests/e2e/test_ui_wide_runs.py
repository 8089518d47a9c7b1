"""A run with thousands of mapped tasks in a browser: what its page requests, and how people get to its children."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.e2e.appliance_process import Appliance
from tests.e2e.browser import axe_violations, chromium_running, sign_in, visitor
from tests.e2e.test_ui import BUILT, CHROMIUM
from tests.e2e.ui_fixtures import running_with

pytestmark = [
    pytest.mark.xdist_group("ui-wide"),
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not BUILT.exists(), reason="the UI is not built; run make ui"),
]
CHILDREN = 5_000
FLOWS = '''
"""A flow whose mapped task has children that fail."""
import time
from pathlib import Path

from appliance import Flow, Parameter, task, unmapped


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def fragile(number: int) -> int:
    if number % 2_000 == 1_234:
        raise ValueError(f"no customer {number}")
    return number


@task
def save(rows: list[int]) -> int:
    return len(rows)


with Flow("wide") as wide:
    save(fragile.map(numbers(Parameter("count", default=10, type=int))))


@task
def wait_for(path: str) -> str:
    while not Path(path).exists():
        time.sleep(0.05)
    return path


@task
def last(number: int, path: str) -> int:
    return number


with Flow("halfway") as halfway:
    done = fragile.map(numbers(1_000))
    waited = wait_for(Parameter("path", type=str), upstream_tasks=[done])
    last.map(numbers(200), path=unmapped(waited))
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with running_with(FLOWS, tmp_path_factory.mktemp("wide")) as ready:
        yield ready


@pytest.fixture(scope="module")
def run(site: Appliance) -> str:
    """A run in which children 1234 and 3234 have failed."""
    failed = site.create_run("wide", project="demo", count=CHILDREN)
    site.wait_for(failed, "FAILED", seconds=180)
    return str(failed)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser, site: Appliance) -> Iterator[Page]:
    with visitor(browser, site) as (opened, _watch):
        sign_in(opened)
        yield opened


@pytest.fixture
def still_page(page: Page) -> Page:
    """A page without news: where the stream opens after the page has its data, the page asks again for what may have changed in between."""
    page.route("**/api/v1/events*", lambda _route: None)
    return page


@contextmanager
def operations(page: Page) -> Iterator[Counter[str]]:
    """How many different requests of each operation are sent meanwhile."""
    requests: Counter[str] = Counter()
    sent: set[str] = set()

    def note(request: Request) -> None:
        if request.url.endswith("/graphql") and request.post_data not in sent:
            sent.add(request.post_data or "")
            operation = re.match(r"\s*\w+ (\w+)", str((request.post_data_json or {}).get("query", "")))
            requests[operation[1] if operation else "?"] += 1

    page.on("request", note)
    yield requests
    page.remove_listener("request", note)


def timeline_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Timeline of tasks")


def bottom(box: Locator) -> None:
    box.evaluate("box => { box.scrollTop = box.scrollHeight; }")


def test_opening_it_asks_for_the_tasks_once_and_for_the_children_in_sight(still_page: Page, run: str) -> None:
    page = still_page
    page.goto("/runs?q=flow:wide")
    with operations(page) as requests:
        page.locator("a.row-link").first.click()
        expect(
            timeline_of(page).get_by_role("button", name=re.compile("^fragile-1 · 4,998 ok · 2 failed"))
        ).to_be_visible()
        expect(timeline_of(page).get_by_role("button", name=re.compile(r"^fragile-1\[3234\] · Failed"))).to_be_visible()
    assert (requests["RunPage"], requests["TaskRuns"], requests["Run"], requests["TaskGroups"]) == (1, 1, 0, 0)
    names = timeline_of(page).locator(".depth-1 .track-select").all_inner_texts()
    assert names[:3] == ["fragile-1[1234]", "fragile-1[3234]", "fragile-1[0]"]
    assert page.locator("*").count() < 1_500
    assert axe_violations(page) == []


def test_the_timeline_jumps_to_its_last_child(still_page: Page, run: str) -> None:
    page = still_page
    page.goto(f"/runs/{run}")
    expect(timeline_of(page).get_by_role("button", name=re.compile(r"^fragile-1\[0\]"))).to_be_visible()
    with operations(page) as requests:
        bottom(timeline_of(page))
        child = timeline_of(page).get_by_role("button", name=re.compile(r"^fragile-1\[4999\] · Success"))
        child.click()
        expect(page.locator(".selected-task")).to_contain_text("fragile-1[4999]")
        expect(page.locator(".selected-task .pill")).to_have_text("Success")
    assert requests["TaskRuns"] <= 3  # a page or two of children, and the one that was chosen


def test_the_table_finds_failed_children_and_any_other(still_page: Page, run: str) -> None:
    page = still_page
    page.goto(f"/runs/{run}?view=table")
    table = page.get_by_role("region", name="Task runs")
    expect(table.get_by_role("row").filter(has_text="fragile-1[0]")).to_be_visible()
    with operations(page) as requests:
        table.evaluate("box => { box.scrollTop = 32 * 2_500; }")
        expect(table.get_by_text("fragile-1[2500]", exact=True)).to_be_visible()
        page.get_by_role("button", name="2 Failed", exact=True).click()
        expect(table.get_by_text("ValueError: no customer 3234")).to_be_visible()
        expect(table.get_by_role("row")).to_have_count(4)  # with the head and the mapped task itself
    assert requests["TaskRuns"] <= 3
    table.get_by_role("button", name="fragile-1[1234]").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"task=fragile-1%5B1234%5D"))
    expect(page.get_by_role("log")).to_contain_text("no customer 1234")


def test_a_link_to_a_child_survives_a_cold_load_and_leads_to_a_restart(page: Page, run: str) -> None:
    page.goto(f"/runs/{run}?task=fragile-1%5B3234%5D")
    chosen = page.locator(".selected-task")
    expect(chosen.locator(".pill")).to_have_text("Failed")
    expect(chosen).to_contain_text("no customer 3234")
    expect(page.get_by_role("log")).to_contain_text("no customer 3234")
    expect(page.get_by_role("log")).not_to_contain_text("no customer 1234")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Restart from a task…").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("also from fragile-1")
    page.keyboard.press("Escape")


@pytest.mark.parametrize("view", ["", "&view=table"])
def test_a_link_to_any_child_scrolls_to_its_row(page: Page, run: str, view: str) -> None:
    page.goto(f"/runs/{run}?task=fragile-1%5B4321%5D{view}")
    tasks = page.get_by_role("region", name="Tasks", exact=True)
    child = tasks.get_by_role("button", name=re.compile(r"^fragile-1\[4321\]"))
    expect(child).to_be_in_viewport()
    expect(child).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Timeline" if view else "Table", exact=True).click()
    expect(child).to_be_in_viewport()


def test_a_live_one_counts_on_without_asking_for_children(page: Page, site: Appliance, tmp_path: Path) -> None:
    signal = tmp_path / "go"
    live = site.create_run("halfway", project="demo", path=str(signal))
    page.goto(f"/runs/{live}")
    with operations(page) as requests:
        expect(timeline_of(page).get_by_role("button", name=re.compile("^fragile-1 · 1,000 ok"))).to_be_visible()
        expect(timeline_of(page).get_by_role("button", name=re.compile("^wait_for-1 · Running"))).to_be_visible()
        signal.touch()
        expect(timeline_of(page).get_by_role("button", name=re.compile("^last-1 · 200 ok"))).to_be_visible()
        expect(page.locator(".run-head .pill")).to_have_text("Success")
    assert requests["TaskRuns"] == 0
