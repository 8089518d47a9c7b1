"""Schedules in the browser: added with a preview, refused at the field that is wrong, and edited by two people at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import ui_fixtures as ui
from tests.e2e.appliance_process import Appliance
from tests.e2e.browser import PHONE, axe_violations, chromium_running, overflows, sign_in, visitor, why_not

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui"),
    pytest.mark.slow,
]

FLOWS = """
from appliance import Flow, Parameter, task


@task
def report(region: str) -> str:
    return region


with Flow("regional") as regional:
    report(Parameter("region", type=str))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as ready:
        yield ready


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with ui.running_with(FLOWS, tmp_path_factory.mktemp("schedules")) as ready:
        yield ready


@pytest.fixture(scope="module")
def flow(site: Appliance) -> str:
    return str(next(one["id"] for one in site.items("/api/v1/flows") if one["name"] == "regional"))


@pytest.fixture
def page(browser: Browser, site: Appliance, flow: str) -> Iterator[Page]:
    with visitor(browser, site) as (ready, _):
        sign_in(ready, f"/flows/{flow}/schedules")
        yield ready


def create(site: Appliance, flow: str, cron: str) -> dict[str, Any]:
    body = {"document": {"kind": "cron", "cron": cron}, "parameters": {"region": "eu"}}
    answer = site.api("POST", f"/api/v1/flows/{flow}/schedules", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def of(site: Appliance, flow: str) -> list[dict[str, Any]]:
    return [one for one in site.items("/api/v1/schedules") if one["flow_id"] == flow]


def test_a_schedule_is_added_once_its_parameters_and_times_are_right(page: Page, site: Appliance, flow: str) -> None:
    page.get_by_role("button", name="Add schedule…").click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_label("Cron expression").fill("30 2 * 3,10 0")
    dialog.get_by_label("Time zone").fill("Europe/Berlin")
    expect(dialog.get_by_text("Clocks go forward: 02:30 doesn't exist, runs at 03:00.")).to_be_visible()
    expect(dialog.get_by_text("Required parameters without a value: region.")).to_be_visible()
    dialog.get_by_role("button", name="Add schedule").click()
    parameters = dialog.get_by_label("Parameters of its runs")
    expect(parameters).to_be_focused()
    expect(dialog.get_by_text(re.compile("required parameter 'region' has no value"))).to_be_visible()
    assert of(site, flow) == []
    parameters.fill('{"region": "eu"}')
    dialog.get_by_label("Cron expression").fill("61 * * * *")
    expect(dialog.get_by_label("Cron expression")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Cron expression").fill("30 2 * * *")
    assert axe_violations(page) == []
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert not overflows(page)
    dialog.get_by_role("button", name="Add schedule").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("listitem").filter(has_text="Every day at 02:30")).to_contain_text("Europe/Berlin")
    (added,) = of(site, flow)
    assert added["document"]["cron"] == "30 2 * * *"
    assert added["parameters"] == {"region": "eu"}


def test_the_second_of_two_editors_sees_what_the_first_did_and_loses_nothing(
    page: Page, site: Appliance, flow: str
) -> None:
    schedule = create(site, flow, "15 4 * * *")
    page.get_by_role("button", name=re.compile("^Edit Every day at 04:15")).click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_label("Labels, separated by commas").fill("gpu")
    path = f"/api/v1/schedules/{schedule['id']}"
    assert site.api("PATCH", path, {"overlap": "queue"}).status_code == 200
    dialog.get_by_role("button", name="Save").click()
    theirs = dialog.get_by_role("list", name="Changed by somebody else")
    expect(theirs).to_have_text(re.compile("the overlap policy: allow queue"))
    expect(dialog.get_by_label("Labels, separated by commas")).to_have_value("gpu")
    assert axe_violations(page) == []
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    saved = site.api("GET", path).json()
    assert (saved["labels"], saved["overlap"]) == (["gpu"], "queue")


def test_one_due_time_is_skipped_and_restored(page: Page, site: Appliance, flow: str) -> None:
    schedule = create(site, flow, "45 5 * * *")
    page.get_by_role("button", name=re.compile("^Next due times of Every day at 05:45")).click()
    dialog = page.get_by_role("dialog")
    second = dialog.get_by_role("listitem").nth(1)
    second.get_by_role("button", name=re.compile("^Skip ")).click()
    expect(second.locator("del")).to_have_text(re.compile("05:45"))
    expect(second).to_contain_text("No run. Skipped by admin.")
    assert axe_violations(page) == []
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert not overflows(page)
    path = f"/api/v1/schedules/{schedule['id']}"
    assert [one["skipped"] is None for one in site.api("GET", f"{path}/next").json()["times"][:3]] == [
        True,
        False,
        True,
    ]
    second.get_by_role("button", name=re.compile("^Restore ")).click()
    expect(second.locator("del")).to_have_count(0)
    assert site.api("GET", path).json()["version"] == 1


def test_a_flow_is_rolled_back_after_its_differences_were_seen(page: Page, site: Appliance, flow: str) -> None:
    folder = site.data_dir.parent / "later"
    folder.mkdir()
    (folder / "browser_flows.py").write_text(FLOWS.replace('Parameter("region", type=str)', '"eu"'))
    done = site.cli("register", str(folder / "browser_flows.py"), "--project", "demo")
    assert done.returncode == 0, done.stderr
    page.goto(f"/flows/{flow}/versions")
    page.get_by_role("button", name="Roll back to version 1").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_role("region", name="What changes from version 2")).to_contain_text("+ region")
    assert axe_violations(page) == []
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert not overflows(page)
    dialog.get_by_label("Reason (optional)").fill("wrong totals")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", name="Version 3, restores 1")).to_be_visible()
    newest = site.items(f"/api/v1/flows/{flow}/versions")[0]
    assert newest["changes"][0] == "rolled back to version 1: wrong totals" and newest["created_by"] == "admin"
