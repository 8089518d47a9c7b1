"""Runs that start runs in a browser: how people get from one to the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.appliance_process import Appliance
from tests.e2e.browser import axe_violations, chromium_running, sign_in, visitor
from tests.e2e.test_ui import BUILT, CHROMIUM
from tests.e2e.ui_fixtures import running_with

pytestmark = [
    pytest.mark.xdist_group("ui-children"),
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not BUILT.exists(), reason="the UI is not built; run make ui"),
]
FLOWS = '''
"""A flow that starts runs of another, of which one fails."""
from appliance import Flow, Parameter, RunFlow, task


@task
def load(n: int) -> int:
    if n == 1:
        raise ValueError("out of paper")
    return n


with Flow("child") as child:
    load(Parameter("n", type=int))

with Flow("parent") as parent:
    RunFlow("child").map(parameters=[{"n": 0}, {"n": 1}, {"n": 2}])
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with running_with(FLOWS, tmp_path_factory.mktemp("children")) as ready:
        yield ready


@pytest.fixture(scope="module")
def run(site: Appliance) -> str:
    """A run whose second child has failed."""
    parent = site.create_run("parent", project="demo")
    site.wait_for(parent, "FAILED", seconds=60)
    return str(parent)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as launched:
        yield launched


def test_people_get_from_a_failed_run_to_its_child_and_back(browser: Browser, site: Appliance, run: str) -> None:
    with visitor(browser, site) as (page, _watch):
        sign_in(page, f"/runs/{run}")
        cause = page.get_by_role("region", name="Why it failed")
        expect(cause).to_contain_text("failed: Task load-1 failed: ValueError: out of paper")
        cause.get_by_role("link", name="/runs/").click()
        expect(cause).to_contain_text("load-1 failed")
        page.locator(".facts").get_by_role("link").nth(1).click()
        expect(page).to_have_url(f"{site.url}/runs/{run}")
        page.get_by_role("button", name="Sub-runs (3)").click()
        children = page.get_by_role("region", name="Sub-runs").get_by_role("row")
        expect(children).to_have_count(4)
        children.filter(has_text="child-1[1]").get_by_role("link").click()
        expect(cause).to_contain_text("ValueError: out of paper")
        page.goto(f"/runs/{run}?task=child-1[2]")
        page.get_by_role("link", name="Sub-run").click()
        expect(page).not_to_have_url(re.compile(run))


def test_the_list_of_runs_leaves_sub_runs_out(browser: Browser, site: Appliance, run: str) -> None:
    with visitor(browser, site) as (page, _watch):
        sign_in(page)
        rows = page.get_by_role("grid").or_(page.get_by_role("table")).get_by_role("row")
        expect(rows).to_have_count(5)
        page.get_by_role("button", name="Sub-runs", pressed=True).click()
        expect(rows).to_have_count(2)
        page.get_by_role("button", name="Sub-runs", pressed=False).click()
        expect(rows).to_have_count(5)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_their_pages_are_accessible(browser: Browser, site: Appliance, run: str, theme: str, width: int) -> None:
    options = {"color_scheme": theme, "viewport": {"width": width, "height": 850}}
    with visitor(browser, site, **options) as (page, _watch):
        sign_in(page)
        for path in (f"/runs/{run}?pane=children", f"/runs/{run}?task=child-1[1]", "/runs?q=parent:none"):
            page.goto(path)
            expect(page.get_by_text("out of paper").first).to_be_attached()
            assert axe_violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
