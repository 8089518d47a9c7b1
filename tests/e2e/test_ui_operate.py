"""Operating the appliance from the browser: why runs wait, limits, many runs at once, jobs, what can be done to one run, schedules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from appliance.kit import clock
from tests.e2e.appliance_process import PASSWORD, Appliance
from tests.e2e.browser import Watch, axe_violations, chromium_running, sign_in, visitor, why_not

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui"),
    pytest.mark.slow,
]

WAITS_FOR = "Why it waits"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as ready:
        yield ready


@pytest.fixture(scope="module")
def session(browser: Browser, appliance: Appliance) -> Any:
    """What the browser keeps of somebody who has signed in."""
    with visitor(browser, appliance) as (page, _):
        sign_in(page)
        return page.context.storage_state()


@pytest.fixture
def watched(browser: Browser, appliance: Appliance, session: Any) -> Iterator[tuple[Page, Watch]]:
    with visitor(browser, appliance, storage_state=session) as found:
        yield found


@pytest.fixture
def page(watched: tuple[Page, Watch]) -> Page:
    return watched[0]


def accessible(page: Page) -> None:
    """In both themes."""
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert axe_violations(page) == [], f"{page.url}, {theme}"


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).first


def limit(appliance: Appliance, kind: str, name: str, slots: int) -> None:
    body = {"kind": kind, "name": name, "slots": slots}
    assert appliance.api("PUT", "/api/v1/concurrency-limits", body).status_code == 200


def limits(appliance: Appliance) -> list[dict[str, Any]]:
    return list(appliance.get("/api/v1/concurrency-limits")["items"])


@pytest.fixture(autouse=True)
def unlimited(appliance: Appliance) -> Iterator[None]:
    """No limit outlives its test, whose failure would hold up the runs of those after it."""
    yield
    for one in limits(appliance):
        assert appliance.api("DELETE", f"/api/v1/concurrency-limits/{one['id']}").status_code == 204


def flow_id(appliance: Appliance, name: str) -> str:
    return str(next(flow["id"] for flow in appliance.items("/api/v1/flows") if flow["name"] == name))


def planned(appliance: Appliance, flow: str) -> dict[str, Any]:
    """A run that is due tomorrow."""
    at = clock.isoformat(clock.now() + timedelta(days=1))
    answer = appliance.api("POST", "/api/v1/flow-runs", {"project": "tests", "flow": flow, "scheduled_time": at})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


# --- agents ---------------------------------------------------------------------------------------------------------


def test_an_agent_is_added_drained_and_forgotten_and_says_who_would_take_a_run(
    page: Page, appliance: Appliance, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    held = appliance.run(appliance.create_run("waits", path=str(go)))
    appliance.wait_for(held["id"], "RUNNING")
    body = {"project": "tests", "flow": "waits", "labels": ["gpu"], "parameters": {"path": str(go)}}
    answer = appliance.api("POST", "/api/v1/flow-runs", body)
    assert answer.status_code == 201, answer.text
    waiting = answer.json()
    page.goto("/agents")
    embedded = page.get_by_role("row", name=re.compile("embedded"))
    expect(embedded.get_by_text("Online")).to_be_visible()
    expect(embedded.get_by_role("link", name=f"tests/waits {held['name']}")).to_have_attribute(
        "href", f"/runs/{held['id']}"
    )
    accessible(page)
    page.goto(f"/runs/{waiting['id']}")
    page.get_by_role("link", name="Who would take it?").click()
    expect(page.get_by_label("Labels")).to_have_value("gpu")
    expect(page.get_by_text("It lacks gpu; start it with --label gpu, too.").first).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Add an agent that would…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("edge-01")
    expect(dialog.get_by_label("Labels")).to_have_value("gpu")
    dialog.get_by_label("Projects").fill("")
    dialog.get_by_role("button", name="Create token and show commands").click()
    secret = re.search(r"apl_agent_[\w-]+", dialog.get_by_label("Keep the token", exact=True).inner_text())
    assert secret is not None
    expect(dialog.get_by_label("Start the agent", exact=True)).to_contain_text("--name edge-01 --label gpu")
    accessible(page)
    enrol = {"name": "edge-01", "type": "process", "labels": ["gpu"], "version": "0.0.1", "storages": ["bundle"]}
    agent = appliance.api("POST", "/api/v1/agents", enrol, token=secret[0]).json()["agent_id"]
    expect(dialog.get_by_text("is online.")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Agent edge-01 would take the run.")).to_be_visible()
    page.goto(f"/agents/{agent}")
    expect(page.get_by_role("region", name="Due runs that it would take")).to_contain_text(waiting["name"])
    expect(page.get_by_text("Its release is 0.0.1")).to_be_visible()
    page.get_by_role("button", name="Drain").click()
    expect(page.get_by_text("Draining", exact=True)).to_be_visible()
    accessible(page)
    assert appliance.api("POST", f"/api/v1/agents/{agent}/sign-off", {}, token=secret[0]).status_code == 204
    page.get_by_role("button", name="Forget…").click()
    accessible(page)
    page.get_by_role("button", name="Forget agent").click()
    page.wait_for_url("**/agents")
    expect(embedded).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("edge-01"))).to_have_count(0)
    page.get_by_role("searchbox").fill("nobody")
    expect(page.get_by_text("No agents match.")).to_be_visible()
    assert "q=nobody" in page.url
    go.touch()


# --- limits and what waits for them ---------------------------------------------------------------------------------


def test_a_limit_is_made_changed_taken_back_and_removed(page: Page, appliance: Appliance) -> None:
    page.goto("/limits")
    expect(page.get_by_text("No limits.")).to_be_visible()
    page.get_by_role("button", name="New limit…").click()
    page.get_by_role("button", name="Create limit").click()
    expect(page.get_by_text("Enter a name.")).to_be_visible()
    accessible(page)
    page.get_by_label("Name").fill("etl")
    page.get_by_label("Slots").fill("3")
    page.get_by_role("button", name="Create limit").click()
    slots = page.get_by_label("Slots for etl")
    expect(slots).to_have_value("3")
    slots.fill("many")
    expect(page.get_by_text("Enter a whole number, 0 or more.")).to_be_visible()
    slots.fill("0")
    slots.press("Enter")
    expect(page.get_by_text("paused: nothing starts")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("0 of 3 in use")).to_be_visible()
    assert [one["slots"] for one in limits(appliance)] == [3]
    page.get_by_role("button", name="Remove the limit of etl").click()
    page.get_by_role("button", name="Remove limit").click()
    expect(page.get_by_text("No limits.")).to_be_visible()


def test_a_waiting_run_names_what_holds_it_and_the_sentence_is_live(
    page: Page, appliance: Appliance, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    limit(appliance, "flow", "tests/waits", 1)
    holder = appliance.run(appliance.create_run("waits", path=str(go)))
    appliance.wait_for(holder["id"], "RUNNING")
    waiting = appliance.run(appliance.create_run("waits", path=str(go)))
    page.goto("/runs")
    expect(row(page, waiting["name"])).to_contain_text(f"limit of flow waits 1/1: {holder['name']}")
    row(page, waiting["name"]).get_by_role("link", name=holder["name"]).click()
    page.wait_for_url(f"**/runs/{holder['id']}")
    page.goto(f"/runs/{waiting['id']}")
    card = page.get_by_role("region", name=WAITS_FOR)
    expect(card).to_contain_text("The limit of flow waits is reached: 1 of 1 in use")
    expect(card.get_by_role("link", name=holder["name"])).to_have_attribute("href", f"/runs/{holder['id']}")
    accessible(page)
    limit(appliance, "flow", "tests/waits", 0)
    expect(card).to_contain_text("The limit of flow waits is 0, so nothing starts")
    card.get_by_role("link", name="Show limits").click()
    expect(page.get_by_text("paused: nothing new starts, 1 still in use")).to_be_visible()
    expect(page.get_by_role("link", name=holder["name"])).to_be_visible()
    accessible(page)
    page.get_by_label("Slots for tests/waits").fill("2")
    page.get_by_label("Slots for tests/waits").press("Enter")
    expect(page.get_by_text("2 of 2 in use")).to_be_visible()
    go.touch()
    expect(page.get_by_text("0 of 2 in use")).to_be_visible()


def test_a_planned_run_is_started_now(page: Page, appliance: Appliance) -> None:
    run = planned(appliance, "sums")
    page.goto(f"/runs/{run['id']}")
    expect(page.get_by_role("region", name=WAITS_FOR)).to_contain_text("Due at")
    page.get_by_role("button", name="Start now").click()
    appliance.wait_for(run["id"], "SUCCESS")
    expect(page.get_by_role("region", name="Result")).to_be_visible()


# --- many runs ------------------------------------------------------------------------------------------------------


def test_some_runs_are_selected_and_restarted_at_once(page: Page, appliance: Appliance) -> None:
    runs = [appliance.create_run("fails") for _ in range(3)]
    for run in runs:
        appliance.wait_for(run, "FAILED")
    page.goto("/runs?q=fails")
    boxes = page.get_by_role("checkbox", name=re.compile("^Select [a-z]+-"))
    expect(boxes).to_have_count(3)
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    bar = page.get_by_role("region", name="Selected runs")
    expect(bar).to_contain_text("3 selected")
    expect(bar.get_by_role("button", name=re.compile("^Stop"))).to_have_count(0)
    page.keyboard.press("Escape")
    expect(bar).to_have_count(0)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(bar).to_contain_text("2 selected")
    accessible(page)
    bar.get_by_role("button", name="Restart 2 from failed…").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Restart 2 runs from failed?")
    accessible(page)
    dialog.get_by_label("Reason (optional)").fill("the oven is warm")
    dialog.get_by_role("button", name="Restart", exact=True).click()
    expect(page.get_by_text("2 runs restarted.")).to_be_visible()
    assert sorted(appliance.run(run)["attempt"] for run in runs) == [1, 2, 2]


def test_all_that_match_become_a_job_that_survives_a_reload(page: Page, appliance: Appliance) -> None:
    limit(appliance, "flow", "tests/fails", 0)
    start = clock.now() - timedelta(days=20)
    document = {"kind": "interval", "seconds": 3600}
    span = {"flow_id": flow_id(appliance, "fails"), "document": document, "at_once": 1000}
    ends = {"start": clock.isoformat(start), "end": clock.isoformat(start + timedelta(hours=230))}
    made = appliance.api("POST", "/api/v1/backfills", span | ends).json()
    page.goto(f"/jobs/{made['id']}")
    expect(page.get_by_text("230 done")).to_be_visible()
    page.goto("/runs?show=waiting&q=fails")
    page.get_by_role("checkbox", name="Select all loaded runs").click()
    page.get_by_role("button", name="Select all 230 matches").click()
    page.get_by_role("button", name="Stop 230…").click()
    page.get_by_role("button", name="Stop runs").click()
    page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}"))
    page.reload()
    expect(page.get_by_role("heading", name="Stop runs")).to_be_visible()
    expect(page.get_by_text("230 done")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
    accessible(page)
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.get_by_role("row", name=re.compile("Backfill"))).to_be_visible()
    accessible(page)


# --- one run --------------------------------------------------------------------------------------------------------


def test_a_run_is_restarted_from_a_task_with_another_value_then_marked_then_deleted(
    page: Page, appliance: Appliance
) -> None:
    run = appliance.create_run("sums", n=2)
    appliance.wait_for(run, "SUCCESS")
    page.goto(f"/runs/{run}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Restart from a task…").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("No task that ran will run again.")
    dialog.get_by_label("Run again").select_option("numbers-1")
    expect(dialog).to_contain_text("Will run again: numbers-1, double-1, total-1.")
    dialog.get_by_label("n", exact=True).fill("4")
    accessible(page)
    dialog.get_by_role("button", name="Restart").click()
    expect(page.get_by_text("attempt 2")).to_be_visible()
    assert appliance.wait_for(run, "SUCCESS")["parameters"]["n"] == 4

    expect(page.get_by_role("region", name="Result")).to_be_visible()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Mark as…").click()
    dialog.get_by_label("Mark as").select_option("Failed")
    dialog.get_by_label("Reason (optional)").fill("the figures are wrong")
    dialog.get_by_role("button", name="Mark", exact=True).click()
    expect(page.get_by_role("region", name="Why it failed")).to_contain_text("the figures are wrong")

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Delete…").click()
    accessible(page)
    dialog.get_by_role("button", name="Delete run").click()
    page.wait_for_url("**/runs")
    assert appliance.api("GET", f"/api/v1/flow-runs/{run}").status_code == 404


def test_a_task_is_marked_where_it_is_selected(page: Page, appliance: Appliance) -> None:
    run = appliance.create_run("fails")
    appliance.wait_for(run, "FAILED")
    page.goto(f"/runs/{run}?task=fail-1")
    page.get_by_role("button", name="Mark as…").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Mark", exact=True).click()
    expect(page.get_by_text("Marked fail-1 as Success.")).to_be_visible()
    states = {task["task_slug"]: task["state"] for task in appliance.items(f"/api/v1/flow-runs/{run}/task-runs")}
    assert states["fail-1"] == "Success"


# --- schedules ------------------------------------------------------------------------------------------------------


def test_a_schedule_shows_its_policies_its_missed_times_and_is_backfilled(page: Page, appliance: Appliance) -> None:
    flow = flow_id(appliance, "sums")
    made = appliance.api(
        "POST", f"/api/v1/flows/{flow}/schedules", {"document": {"kind": "cron", "cron": "0 3 * * *"}}
    ).json()
    first = next(
        run
        for run in appliance.items("/api/v1/flow-runs?flow=sums&state=SCHEDULED&include_future=true")
        if run["scheduled_time"] == made["next_times"][0]
    )
    assert appliance.api("DELETE", f"/api/v1/flow-runs/{first['id']}", {"reason": "holiday"}).status_code == 204
    page.goto(f"/flows/{flow}/schedules")
    schedule = page.get_by_role("listitem").filter(has_text="03:00")
    expect(schedule).to_contain_text("Catches up on the latest missed time; runs may overlap")
    page.get_by_role("button", name=re.compile("^Edit ")).click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_label("Due times missed while the appliance was down").select_option("all")
    dialog.get_by_label("Maximum number, latest first").fill("7")
    dialog.get_by_label("When a run is due while an older one is still active").select_option("skip")
    accessible(page)
    dialog.get_by_role("button", name="Save").click()
    expect(schedule).to_contain_text("at most 7 missed times; a run is skipped while another is active")
    page.get_by_role("button", name=re.compile("^Missed due times of")).click()
    expect(page.get_by_role("region", name="Missed due times")).to_contain_text("holiday")
    accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name=re.compile("^Backfill ")).click()
    dialog.get_by_label("From").fill("2026-11-01T00:00")
    dialog.get_by_label("Until (exclusive)").fill("2026-11-04T00:00")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog).to_contain_text("3 due times, none has a run yet: 3 to create.")
    accessible(page)
    dialog.get_by_label("Maximum runs per minute (optional)").fill("1")
    dialog.get_by_role("button", name="Create 3 runs").click()
    page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}"))
    expect(page.get_by_text("1 done · 2 remaining")).to_be_visible()
    page.get_by_role("button", name="Stop job…").click()
    page.get_by_role("button", name="Stop job", exact=True).click()
    expect(page.get_by_text("1 done · 2 not processed", exact=True)).to_be_visible()


# --- what concerns everybody ----------------------------------------------------------------------------------------


def test_maintenance_and_a_hold_are_told_and_ended_in_a_banner(page: Page, appliance: Appliance) -> None:
    page.goto("/flows")
    expect(page.get_by_role("link", name="sums", exact=True)).to_be_visible()
    assert appliance.api("PUT", "/api/v1/system/maintenance", {"reason": "new disks"}).status_code == 200
    banner = page.get_by_role("status").filter(has_text="Maintenance by admin (new disks)")
    expect(banner).to_be_visible()
    banner.get_by_role("button", name="End maintenance").click()
    expect(banner).to_have_count(0)
    assert appliance.get("/api/v1/system/maintenance")["active"] is False

    system = {
        "disk": {"writable": True, "freeBytes": 1, "totalBytes": 2, "warnings": []},
        "hold": {"held": True, "runs": 1204, "before": "2026-11-23T02:00:00Z"},
        "maintenance": {"active": False, "until": None, "by": "", "reason": ""},
    }
    answer_system(page, system)
    page.reload()
    expect(page.get_by_text("1,204 runs that came due during an outage are held.")).to_be_visible()
    page.get_by_role("button", name="Decide…").click()
    expect(page.get_by_role("radio", name=re.compile("^Release"))).to_be_checked()
    accessible(page)
    page.unroute("**/graphql")
    page.get_by_role("button", name="Release runs").click()
    expect(page.get_by_text("1,204 runs that came due")).to_have_count(0)


def answer_system(page: Page, data: dict[str, Any]) -> None:
    answer_operation(page, "query System", {"data": {"server": {"agentNotSeparated": ""}} | data})


def answer_operation(page: Page, operation: str, content: dict[str, Any]) -> None:
    """Answer one operation in the server's place; everything else goes through."""

    def answer(route: Route) -> None:
        if operation in str((route.request.post_data_json or {}).get("query", "")):
            route.fulfill(json=content)
        else:
            route.fallback()

    page.route("**/graphql", answer)


def test_a_refusal_for_a_full_disk_is_said_once_and_clearly(page: Page, appliance: Appliance) -> None:
    run = planned(appliance, "sums")
    page.goto(f"/runs/{run['id']}")
    refusal = {"message": "The disk is full.", "extensions": {"code": "disk_full"}}
    answer_operation(page, "mutation StartRunNow", {"data": None, "errors": [refusal]})
    page.get_by_role("button", name="Start now").click()
    expect(page.get_by_text("Nothing was changed: the disk of the database is full.")).to_have_count(1)


def test_a_viewer_sees_all_of_it_and_is_offered_none(browser: Browser, appliance: Appliance) -> None:
    person = {"username": "visitor", "password": PASSWORD, "role": "viewer", "must_change": False}
    assert appliance.api("POST", "/api/v1/users", person).status_code in (200, 201)
    limit(appliance, "label", "etl", 2)
    run = planned(appliance, "sums")
    with visitor(browser, appliance) as (page, _):
        sign_in(page, "/limits", username="visitor")
        expect(page.get_by_role("rowheader", name="etl")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("limit"))).to_have_count(0)
        expect(page.get_by_role("textbox")).to_have_count(0)
        page.goto(f"/runs/{run['id']}")
        expect(page.get_by_role("region", name=WAITS_FOR)).to_contain_text("Due at")
        expect(page.get_by_role("button", name=re.compile("Start now|More actions"))).to_have_count(0)
        page.goto("/runs?show=waiting")
        expect(row(page, run["name"])).to_be_visible()
        expect(page.get_by_role("checkbox")).to_have_count(0)
        full = {"writable": False, "freeBytes": 1, "totalBytes": 2, "warnings": []}
        none = {"active": False, "until": None, "by": "", "reason": ""}
        answer_system(page, {"disk": full, "hold": {"held": False, "runs": 0, "before": None}, "maintenance": none})
        page.reload()
        banner = page.get_by_role("status").filter(has_text="An administrator can free space.")
        expect(banner).to_be_visible()
        expect(banner.get_by_role("button")).to_have_count(0)


# --- the life of a flow ---------------------------------------------------------------------------------------------


def test_a_flow_is_renamed_paused_archived_and_deleted(page: Page, appliance: Appliance, tmp_path: Path) -> None:
    file = tmp_path / "draft.py"
    file.write_text("from appliance import Flow, Task\n\nwith Flow('draft') as flow:\n    Task('nothing')()\n")
    appliance.register(str(file), project="life")
    page.goto(f"/flows/{flow_id(appliance, 'draft')}")

    def choose(item: str) -> None:
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("menuitem", name=item, exact=True).click()

    choose("Rename…")
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_role("button", name="Rename", exact=True)).to_be_disabled()
    dialog.get_by_label("Name", exact=True).fill("final")
    accessible(page)
    dialog.get_by_role("button", name="Rename", exact=True).click()
    expect(page.get_by_role("heading", name="final", level=1)).to_be_visible()
    choose("Pause")
    expect(page.get_by_text("This flow is paused: its runs wait, and its schedules plan none.")).to_be_visible()
    waiting = appliance.run(appliance.create_run("final", project="life"))
    page.goto(f"/runs/{waiting['id']}")
    expect(page.get_by_role("region", name=WAITS_FOR)).to_contain_text("paused")
    page.goto(f"/flows/{waiting['flow_id']}")
    choose("Resume")
    appliance.wait_for(waiting["id"], "SUCCESS")
    choose("Archive…")
    dialog.get_by_role("button", name="Archive", exact=True).click()
    expect(page.get_by_text("This flow is in the archive")).to_be_visible()
    expect(page.get_by_role("button", name="Run…")).to_be_disabled()
    page.goto("/flows?q=final")
    expect(page.get_by_text("No flow")).to_be_visible()
    page.get_by_label("In the archive").check()
    page.get_by_role("link", name="final").click()
    choose("Delete…")
    expect(dialog.get_by_role("list", name="What is deleted")).to_contain_text("1 run")
    accessible(page)
    dialog.get_by_label("Type final to confirm").fill("final")
    dialog.get_by_role("button", name="Delete flow").click()
    page.wait_for_url("**/flows")
    expect(page.get_by_text("Deleted final.")).to_be_visible()
    assert "final" not in [flow["name"] for flow in appliance.items("/api/v1/flows?archived=true")]
