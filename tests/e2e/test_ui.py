"""The web UI in a real browser against a real appliance: what people do all day, and what they see when things go wrong.

Every test's pages are watched: no request leaves the appliance, and the console stays free of errors.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.e2e import ui_fixtures as ui
from tests.e2e.appliance_process import PASSWORD, Appliance, running
from tests.e2e.browser import PATIENCE, Watch, axe_violations

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
UI = Path(__file__).parents[2] / "ui"
BUILT = Path(__file__).parents[2] / "appliance" / "server" / "web" / "static" / "index.html"

pytestmark = [
    pytest.mark.xdist_group("ui"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not BUILT.exists(), reason="the UI is not built; run make ui"),
]


@dataclass(frozen=True)
class Runs:
    """The runs that the fixture has made."""

    orders: str  # failed in fetch-1[3] after three attempts
    report: str  # succeeded
    dies: str  # crashed
    wide: str  # a thousand mapped tasks, 1,500 log lines, then an error


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("ui")
    with running(folder / "data") as ready:
        ui.register_flows(ready, folder)
        yield ready


@pytest.fixture(scope="module")
def runs(site: Appliance) -> Runs:
    made = Runs(
        orders=ui.start(site, "orders"),
        report=ui.start(site, "report", region="eu", limit=30),
        dies=ui.start(site, "dies"),
        wide=ui.start(site, "wide"),
    )
    for run_id in (made.orders, made.dies, made.wide):
        site.wait_for(run_id, "FAILED")
    site.wait_for(made.report, "SUCCESS")
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None
    with ui.chromium(CHROMIUM) as launched:
        yield launched


@pytest.fixture(scope="module")
def signed_in(browser: Browser, site: Appliance) -> str:
    """The cookies of somebody signed in, made once."""
    context = browser.new_context()
    ui.sign_in(context.new_page(), site)
    state = context.storage_state()
    context.close()
    return str(next(cookie["value"] for cookie in state["cookies"] if cookie["name"] == "appliance_session"))


def context_of(browser: Browser, site: Appliance, session: str, **options: Any) -> BrowserContext:
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    context.set_default_timeout(PATIENCE)
    context.add_cookies([{"name": "appliance_session", "value": session, "url": site.url}])
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    return context


@pytest.fixture
def watched(browser: Browser, site: Appliance, signed_in: str) -> Iterator[tuple[Page, Watch]]:
    context = context_of(browser, site, signed_in)
    watch = Watch(site.url)
    context.on("page", watch.follow)
    yield context.new_page(), watch
    context.close()
    assert watch.outside == []
    assert watch.complaints == []


@pytest.fixture
def page(watched: tuple[Page, Watch]) -> Page:
    return watched[0]


@pytest.fixture
def loose_page(browser: Browser, site: Appliance, signed_in: str) -> Iterator[Page]:
    """For failures: the browser itself writes refused requests to the console."""
    context = context_of(browser, site, signed_in)
    yield context.new_page()
    context.close()


def accessible(page: Page) -> None:
    assert axe_violations(page) == []


# --- signing in -----------------------------------------------------------------------------------------------------


def test_a_wrong_password_says_so_and_the_right_one_leads_back(browser: Browser, site: Appliance) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/flows?q=orders")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.url}/flows?q=orders")
    page.get_by_role("button", name=re.compile("sign out")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


def test_the_setup_link_makes_the_first_administrator_once(browser: Browser, tmp_path: Path) -> None:
    site = Appliance(tmp_path / "data", claimed=False)
    try:
        site.start()
        token = re.search(r"/setup#token=([\w.~-]+)", site.log_path.read_text())
        assert token, site.log()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{site.url}/setup#token={token.group(1)}")
        expect(page).to_have_url(f"{site.url}/setup")
        page.get_by_label("Password").fill("short")
        expect(page.get_by_text("7 more characters needed.")).to_be_visible()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create administrator").click()
        expect(page.get_by_text("No runs yet.")).to_be_visible()
        page.goto(f"{site.url}/setup?token={token.group(1)}")
        expect(page.get_by_role("heading", name="Already set up")).to_be_visible()
        context.close()
    finally:
        site.end()


# --- runs -----------------------------------------------------------------------------------------------------------


def test_the_list_says_why_and_filters_live_in_the_url(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs")
    expect(page.get_by_text("fetch-1[3]: ConnectionError: upstream source returned HTTP 503")).to_be_visible()
    page.get_by_role("radio", name="Failed").click()
    expect(page).to_have_url(re.compile(r"q=state%3Afailed"))
    expect(page.get_by_role("row", name=re.compile("report"))).to_have_count(0)
    page.get_by_label(re.compile("Filter by flow")).fill("orders")
    expect(page).to_have_url(re.compile(r"orders"))
    expect(page.get_by_role("row", name=re.compile("wide"))).to_have_count(0)
    page.reload()
    expect(page.get_by_role("row", name=re.compile("orders"))).to_have_count(1)
    page.get_by_label(re.compile("Filter by flow")).fill("no such name")
    page.get_by_role("button", name="Show all runs").click()
    expect(page.get_by_role("row", name=re.compile("report"))).to_have_count(1)


def test_a_new_run_appears_and_ends_without_a_reload(page: Page, site: Appliance, runs: Runs, tmp_path: Path) -> None:
    page.goto(f"{site.url}/runs?q=talks")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    stop = tmp_path / "stop"
    ui.start(site, "talks", path=str(stop))
    row = page.get_by_role("row", name=re.compile("talks")).first
    expect(row).to_contain_text("Running")
    stop.touch()
    expect(row).to_contain_text("Success")


def test_twenty_rows_fit_and_the_keyboard_opens_one(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs")
    row = page.get_by_role("row", name=re.compile("wide"))
    box = row.bounding_box()
    assert box is not None and box["height"] <= 33
    assert (900 - page.locator("tbody").bounding_box()["y"]) / box["height"] >= 20  # type: ignore[index]
    page.keyboard.press("j")
    expect(page.locator("tr.row-current")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page).to_have_url(f"{site.url}/flows")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_everything_is_found_by_its_name(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/flows")
    expect(page.get_by_role("button", name="Search, or do something")).to_be_visible()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search and commands")
    expect(palette.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("wide")
    expect(palette.get_by_role("menuitem", name=re.compile("^wide")).first).to_be_visible()
    assert axe_violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(palette).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(palette.get_by_role("searchbox")).to_be_focused()
    page.keyboard.insert_text(f"{site.url}/runs/{runs.wide}?pane=history")
    page.keyboard.press("Enter")  # before the server has answered, or after that
    expect(page).to_have_url(f"{site.url}/runs/{runs.wide}")
    expect(palette).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(palette.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("?retry")
    expect(palette.get_by_role("menuitem").first).to_have_attribute("href", re.compile(r"/docs/.+"))


# --- one run --------------------------------------------------------------------------------------------------------


def test_a_failed_run_says_the_cause_and_opens_at_the_error(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs/{runs.wide}")
    cause = page.get_by_role("region", name="Why it failed")
    expect(cause).to_contain_text("say_much-1 failed")
    expect(cause).to_contain_text("ValueError: the needle is here")
    expect(cause).to_contain_text(re.compile(r"browser_flows\.py:\d+ in say_much"))
    log = page.get_by_role("log")
    expect(log.locator(".line-error").first).to_be_in_viewport()
    expect(log.get_by_text("line 1499 of much")).to_be_visible()
    assert page.title().startswith("✕")
    page.get_by_label("Find in the log").fill("line 2 of much")
    log.evaluate("box => { box.scrollTop = 0; }")
    expect(log.get_by_text("line 1300 of much")).to_be_attached()


def test_a_thousand_tasks_fold_into_one_bar(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs/{runs.wide}")
    timeline = page.get_by_role("region", name="Timeline of tasks")
    expect(timeline.get_by_role("button", name=re.compile("^one-1 · 1,000 ok"))).to_be_visible()
    timeline.get_by_role("button", name="Expand one-1").click()
    expect(timeline.get_by_role("button", name=re.compile(r"^one-1\[0\]"))).to_be_visible()
    assert page.locator("*").count() < 1_500
    page.keyboard.press("v")
    expect(page.get_by_role("region", name="Task runs").get_by_role("row").nth(3)).to_be_visible()
    expect(page).to_have_url(re.compile("view=table"))


def test_attempts_are_pieces_and_a_task_filters_the_log(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs/{runs.orders}")
    expect(page.get_by_role("region", name="Why it failed")).to_contain_text("failed after 3 attempts")
    expect(page.get_by_role("region", name="Why it failed")).to_contain_text("1 task did not run as a result")
    page.get_by_role("button", name=re.compile(r"^fetch-1\[3\] · Failed")).click()
    expect(page).to_have_url(re.compile(r"task=fetch-1%5B3%5D"))
    expect(page.get_by_role("log")).to_contain_text("page 3 is slow")
    expect(page.get_by_role("log")).not_to_contain_text("loading 6 pages")
    expect(page.locator(".track-selected .bar-attention")).to_have_count(2)


def test_the_tabs_of_a_flow_and_its_durations_by_keyboard(page: Page, site: Appliance, runs: Runs) -> None:
    flow = next(one["flow_id"] for one in site.items("/api/v1/flow-runs?flow=report"))
    page.goto(f"{site.url}/flows/{flow}")
    chart = page.get_by_role("slider", name="Durations")
    chart.focus()
    page.keyboard.press("Home")
    expect(chart).to_have_attribute("aria-valuenow", "1")
    page.keyboard.press("3")
    page.wait_for_url("**/tasks")
    page.get_by_role("button", name="Retries").click()
    page.wait_for_url("**/tasks?sort=retries")
    page.keyboard.press("4")
    page.wait_for_url("**/versions")
    page.go_back()
    page.wait_for_url("**/tasks?sort=retries")
    expect(page.get_by_role("columnheader", name="Retries")).to_have_attribute("aria-sort", "descending")


def test_a_crash_shows_signal_and_last_words(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs/{runs.dies}")
    card = page.get_by_role("region", name="Why it crashed")
    expect(card).to_contain_text("SIGKILL")
    expect(card).to_contain_text("the last words")


def test_parameters_and_history(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs/{runs.report}")
    expect(page.get_by_role("region", name="Tasks", exact=True)).to_be_visible()
    page.keyboard.press("p")
    row = page.get_by_role("row", name=re.compile("^limit"))
    expect(row).to_contain_text("30 changed")
    page.keyboard.press("h")
    expect(page.get_by_role("region", name="State history")).to_contain_text("Submitted")


def test_a_running_run_is_followed_and_stopped(page: Page, site: Appliance, runs: Runs, tmp_path: Path) -> None:
    run_id = ui.start(site, "talks", path=str(tmp_path / "never"))
    site.wait_for(run_id, "RUNNING")
    page.goto(f"{site.url}/runs/{run_id}")
    expect(page.get_by_role("log")).to_contain_text("line 60")
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Stop…").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_role("button", name="Keep running")).to_be_visible()
    dialog.get_by_label("Reason (optional)").fill("enough")
    dialog.get_by_role("button", name="Stop run").click()
    expect(page.get_by_role("region", name="Why it was stopped")).to_contain_text("Stopped")
    assert site.run(run_id)["state_type"] == "CANCELLED"


# --- flows and the form ---------------------------------------------------------------------------------------------


def test_a_schedule_is_paused_and_goes_on(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/flows")
    page.get_by_role("link", name="hourly", exact=True).click()
    page.get_by_role("link", name="Schedules").click()
    toggle = page.get_by_role("switch")
    expect(toggle).to_be_checked()
    page.locator(".switch").click()
    expect(page.get_by_text("Paused: starts no runs.")).to_be_visible()
    expect(toggle).not_to_be_checked()
    page.locator(".switch").click()
    expect(toggle).to_be_checked()


def test_the_form_checks_before_it_asks_and_leads_to_the_run(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/flows")
    page.get_by_role("link", name="Run report").click()
    page.get_by_label("limit").fill("many")
    page.get_by_role("button", name="Run now").click()
    summary = page.locator("#form-summary")
    expect(summary).to_contain_text("2 values need attention")
    expect(summary).to_contain_text("limit: Enter a whole number.")
    page.get_by_label("region").fill("eu")
    page.get_by_label("limit").fill("25")
    page.get_by_label("mode").select_option("delta")
    expect(page.get_by_label("Equivalent command and request")).to_contain_text('"mode": "delta"')
    page.get_by_label("region").press("Control+Enter")
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    made = site.run(page.url.rsplit("/", 1)[1])
    assert {name: made["parameters"][name] for name in ("region", "limit", "mode")} == {
        "region": "eu",
        "limit": 25,
        "mode": "delta",
    }


def test_run_again_fills_the_form(page: Page, site: Appliance, runs: Runs) -> None:
    page.goto(f"{site.url}/runs/{runs.report}")
    page.get_by_role("link", name="Run again…").click()
    expect(page.get_by_role("textbox", name=re.compile("^region"))).to_have_value("eu")
    expect(page.get_by_role("textbox", name=re.compile("^limit"))).to_have_value("30")


def test_a_double_submit_is_one_run(page: Page, site: Appliance, runs: Runs) -> None:
    before = len(site.items("/api/v1/flow-runs?flow=report"))
    page.goto(f"{site.url}/flows")
    page.get_by_role("link", name="Run report").click()
    page.get_by_label("region").fill("twice")
    page.get_by_role("button", name="Run now").dblclick()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    assert len(site.items("/api/v1/flow-runs?flow=report")) == before + 1


# --- when things go wrong -------------------------------------------------------------------------------------------


def test_an_error_stays_in_its_place_and_can_be_tried_again(loose_page: Page, site: Appliance, runs: Runs) -> None:
    page = loose_page
    ui.fail_graphql(page, "Logs(", 400)
    page.goto(f"{site.url}/runs/{runs.orders}")
    expect(page.get_by_text("The log could not be loaded.")).to_be_visible()
    expect(page.get_by_role("region", name="Why it failed")).to_be_visible()
    page.unroute("**/graphql")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("log")).to_contain_text("ConnectionError")


def test_an_ended_session_leads_to_the_door_and_back(loose_page: Page, site: Appliance, runs: Runs) -> None:
    page = loose_page
    page.goto(f"{site.url}/runs")
    page.get_by_role("radio", name="Failed").click()
    expect(page.get_by_role("row", name=re.compile("wide"))).to_be_visible()
    expect(page).to_have_url(re.compile("q=state%3Afailed"))
    page.context.clear_cookies()
    ui.start(site, "dies")  # the list hears of it and asks again, if it has not found out before
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/runs.*state%3Afailed"))


def test_the_light_is_honest_when_the_server_dies(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "data") as site:
        ui.register_flows(site, tmp_path)
        context = browser.new_context()
        page = context.new_page()
        ui.sign_in(page, site, "/flows")
        expect(page.get_by_role("link", name="orders", exact=True)).to_be_visible()
        site.kill()
        expect(page.get_by_text("The appliance can't be reached.")).to_be_visible()
        expect(page.get_by_role("link", name="orders", exact=True)).to_be_visible()
        site.start()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_text("The appliance can't be reached.")).to_have_count(0)
        context.close()


def test_nothing_is_at_a_wrong_address(watched: tuple[Page, Watch], site: Appliance) -> None:
    page, watch = watched
    page.goto(f"{site.url}/nowhere")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    page.goto(f"{site.url}/runs/00000000-0000-7000-8000-000000000000")
    expect(page.get_by_text("There is no run with this ID.")).to_be_visible()
    watch.forgive_missing("/nowhere")


# --- for everybody --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_accessible(
    browser: Browser, site: Appliance, signed_in: str, runs: Runs, theme: str, width: int
) -> None:
    context = context_of(browser, site, signed_in, color_scheme=theme, viewport={"width": width, "height": 850})
    page = context.new_page()
    flow = next(one["flow_id"] for one in site.items("/api/v1/flow-runs?flow=report"))
    pages = {
        "/": "upstream source returned HTTP 503",
        "/runs": "Why / progress",
        f"/runs/{runs.orders}": "failed after 3 attempts",
        f"/runs/{runs.orders}?view=table&pane=history": "Submitted",
        f"/runs/{runs.report}?pane=parameters": "changed",
        f"/runs/{runs.dies}": "the last words",
        "/flows": "hourly",
        f"/flows/{flow}": "Why runs failed",
        f"/flows/{flow}/runs?show=all": "Select many",
        f"/flows/{flow}/tasks?sort=failed": "critical path",
        f"/flows/{flow}/versions": "There is only one version",
        f"/flows/{flow}/schedules": "No schedules",
        f"/flows/{flow}/settings": "Run timeout",
        f"/flows/{flow}/run": "As a command",
        "/runs?q=nothing-has-this-name": "Show all runs",
        "/inbox": "No known failures",
    }
    for path, shown in pages.items():
        page.goto(site.url + path)
        expect(page.get_by_text(shown).first).to_be_attached()
        expect(page.get_by_role("status", name=re.compile("^Loading"))).to_have_count(0)
        accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()


def test_home_says_what_failed_and_why_without_a_click(
    browser: Browser, site: Appliance, signed_in: str, runs: Runs
) -> None:
    context = context_of(browser, site, signed_in)
    page = context.new_page()
    page.goto(site.url)
    needs = page.get_by_role("region", name="Needs you")
    cause = needs.get_by_role("listitem").filter(has_text="orders")
    expect(cause).to_contain_text("upstream source returned HTTP 503 for /orders?page=3")
    expect(page).to_have_title(re.compile("^✕ .*Home"))
    accessible(page)
    cause.get_by_role("button", name=re.compile("^Restart 1 run of orders")).click()
    dialog = page.get_by_role("alertdialog", name="Restart 1 run from failed?")
    dialog.get_by_role("button", name="Keep as is").click()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/runs$"))
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("region", name="Flows").get_by_role("row", name=re.compile("report"))).to_be_visible()
    page.get_by_role("link", name="Wall screen").click()
    expect(page.get_by_role("navigation")).to_have_count(0)
    expect(cause).to_be_visible()
    accessible(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation")).to_be_visible()
    context.close()


def test_a_known_failure_leaves_home_in_two_clicks_and_returns_from_the_inbox(
    browser: Browser, site: Appliance, signed_in: str, runs: Runs
) -> None:
    context = context_of(browser, site, signed_in)
    page = context.new_page()
    page.goto(site.url)
    needs = page.get_by_role("region", name="Needs you")
    cause = needs.get_by_role("listitem").filter(has_text="HTTP 503")
    cause.get_by_role("button", name="Mark as known: failure of orders").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_role("radio", name="At most until Monday 08:00")).to_be_checked()
    accessible(page)
    dialog.get_by_role("button", name="Mark as known").click()
    expect(cause).to_have_count(0)
    needs.get_by_role("link", name="1 known failure").click()
    row = page.get_by_role("row", name=re.compile("orders.*HTTP 503"))
    expect(row).to_contain_text("08:00")
    accessible(page)
    row.get_by_role("button", name="Not known any more").click()
    expect(page.get_by_text("No known failures.")).to_be_visible()
    page.goto(site.url)
    expect(cause).to_be_visible()
    context.close()


def test_the_first_load_is_small_and_all_ours(browser: Browser, site: Appliance, signed_in: str, runs: Runs) -> None:
    context = context_of(browser, site, signed_in)
    page = context.new_page()
    watch = Watch(site.url)
    watch.follow(page)
    finished: list[Request] = []
    page.on("requestfinished", lambda request: finished.append(request))
    page.goto(f"{site.url}/runs")
    expect(page.get_by_role("row", name=re.compile("wide"))).to_be_visible()
    sizes = {request.url: request.sizes()["responseBodySize"] for request in list(finished)}
    scripts = sum(size for url, size in sizes.items() if url.endswith(".js"))
    assert 0 < scripts <= 300 * 1024, sizes
    assert sum(sizes.values()) <= 400 * 1024, sorted(sizes)
    assert len(sizes) <= 12, sizes
    assert watch.outside == []
    context.close()


def test_a_saved_view_is_made_renamed_the_default_deleted_and_in_every_browser(
    browser: Browser, site: Appliance, signed_in: str, runs: Runs
) -> None:
    context = context_of(browser, site, signed_in)
    page = context.new_page()
    page.goto(f"{site.url}/runs?q=flow:orders")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("menuitem", name="Save view…").click()
    dialog = page.get_by_role("dialog", name="Save this view")
    dialog.get_by_label("Name").fill("My orders")
    accessible(page)
    dialog.get_by_role("button", name="Save view").click()
    link = page.get_by_role("navigation").get_by_role("link", name="My orders")
    expect(link).to_be_visible()
    menu = page.get_by_role("button", name="My orders")
    menu.click()
    page.get_by_role("menuitem", name="Rename…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Orders")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    menu = page.get_by_role("button", name="Orders", exact=True)
    menu.click()
    page.get_by_role("menuitem", name="Open Runs with it").click()
    accessible(page)

    other = context_of(browser, site, signed_in)
    elsewhere = other.new_page()
    elsewhere.goto(f"{site.url}/runs")
    expect(elsewhere).to_have_url(re.compile("q=flow"))
    elsewhere.get_by_role("button", name="Remove flow:orders").click()
    expect(elsewhere).to_have_url(re.compile("show=all"))
    elsewhere.get_by_role("navigation").get_by_role("link", name="Orders").click()
    expect(elsewhere).to_have_url(re.compile("q=flow"))
    other.close()

    menu.click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Orders")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Orders")).to_be_visible()
    context.close()
