"""The web UI's promises that hold on every page: who may do what, what is left behind, keys, layers, themes, long lists, one stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from appliance.kit import clock
from tests.e2e.appliance_process import PASSWORD, Appliance
from tests.e2e.browser import PHONE, Watch, axe_violations, chromium_running, overflows, sign_in, visitor, why_not

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui"),
    pytest.mark.slow,
]

THEMES = ("light", "dark")
DOCS = Path(__file__).resolve().parents[2] / "appliance" / "server" / "web" / "site"
RUN_PAGE = re.compile(r"/runs/[0-9a-f-]{36}")
LIVE = re.compile("^Live")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as ready:
        yield ready


@pytest.fixture
def guest(browser: Browser, appliance: Appliance) -> Iterator[tuple[Page, Watch]]:
    """A page of somebody who has not signed in."""
    with visitor(browser, appliance) as found:
        yield found


@pytest.fixture
def page(guest: tuple[Page, Watch]) -> Page:
    """A page of the signed-in administrator, with runs on it."""
    sign_in(guest[0])
    return guest[0]


@pytest.fixture(scope="module")
def finished(appliance: Appliance) -> dict[str, str]:
    """One run of each end: the ids by flow name."""
    runs = {name: appliance.create_run(name) for name in ("sums", "fails")}
    appliance.wait_for(runs["sums"], "SUCCESS")
    appliance.wait_for(runs["fails"], "FAILED")
    return runs


@pytest.fixture(scope="module")
def planned(appliance: Appliance) -> int:
    """Many runs that wait for tomorrow, so that lists are long; how many they are."""
    tomorrow = clock.now() + timedelta(days=1)
    for minute in range(230):
        plan(appliance, tomorrow + timedelta(minutes=minute))
    return 230


def plan(appliance: Appliance, at: Any) -> dict[str, Any]:
    body = {"project": "tests", "flow": "sums", "scheduled_time": clock.isoformat(at)}
    answer = appliance.api("POST", "/api/v1/flow-runs", body)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


def row(page: Page, run: dict[str, Any]) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=run["name"], exact=True))


def flow_id(appliance: Appliance, name: str) -> str:
    return str(next(flow["id"] for flow in appliance.items("/api/v1/flows") if flow["name"] == name))


# --- people ---------------------------------------------------------------------------------------------------------


def test_signing_out_takes_the_data_off_the_screen(
    page: Page, guest: tuple[Page, Watch], finished: dict[str, str]
) -> None:
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.get_by_role("button", name=re.compile("admin")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(0)
    page.go_back()
    page.goto("/flows")
    page.wait_for_url("**/login*")
    guest[1].forgive("status of 401")  # of what the page asked for while the session ended


@pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not built; make docs does that")
def test_the_documentation_is_one_click_away(page: Page) -> None:
    page.get_by_role("button", name=re.compile("admin")).click()
    with page.expect_popup() as opened:
        page.get_by_role("menuitem", name="Documentation").click()
    expect(opened.value.get_by_role("heading", name="How it works")).to_be_visible()


def test_a_viewer_reads_and_is_offered_nothing_to_change(
    guest: tuple[Page, Watch], appliance: Appliance, finished: dict[str, str], tmp_path: Path
) -> None:
    person = {"username": "visitor", "password": PASSWORD, "role": "viewer", "must_change": False}
    assert appliance.api("POST", "/api/v1/users", person).status_code in (200, 201)
    running = appliance.run(appliance.create_run("waits", path=str(tmp_path / "never")))
    page, _ = guest
    sign_in(page, username="visitor")
    expect(row(page, running)).to_contain_text("Running")
    expect(page.get_by_role("button", name=re.compile("^Stop"))).to_have_count(0)
    page.goto("/flows")
    expect(page.get_by_role("link", name="sums", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Run "))).to_have_count(0)
    assert appliance.api("POST", f"/api/v1/flow-runs/{running['id']}/cancel", {}).status_code in (200, 202)


# --- keys -----------------------------------------------------------------------------------------------------------


def test_keys_reach_everything_and_are_dead_while_typing(page: Page, finished: dict[str, str]) -> None:
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    for key in ("j", "j", "k", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(RUN_PAGE)
    page.keyboard.type("gf")
    page.wait_for_url("**/flows*")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog")
    expect(sheet).to_contain_text("Runs")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("gr")
    expect(page.get_by_role("searchbox")).to_have_value("gr")
    expect(page).to_have_url(re.compile("/flows"))


def test_the_first_run_is_a_few_tabs_away(page: Page, finished: dict[str, str]) -> None:
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


# --- layers, themes, widths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_open_layers_and_odd_places(
    browser: Browser, appliance: Appliance, finished: dict[str, str], tmp_path: Path, theme: str
) -> None:
    run = appliance.run(appliance.create_run("waits", path=str(tmp_path / "never")))
    with visitor(browser, appliance, color_scheme=theme) as (page, watch):
        page.goto("/login")
        expect(page.get_by_label("Password")).to_be_visible()
        assert axe_violations(page) == [], "the door"
        sign_in(page)
        row(page, run).get_by_role("button", name=re.compile("^Actions on")).click()
        page.get_by_role("menuitem", name=re.compile("^Stop")).click()
        expect(page.get_by_role("alertdialog")).to_be_visible()
        assert axe_violations(page) == [], "the stop dialog"
        page.keyboard.press("Escape")
        page.get_by_role("button", name=re.compile("admin")).click()
        expect(page.get_by_role("menu")).to_be_visible()
        assert axe_violations(page) == [], "the user's menu"
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert axe_violations(page) == [], "the sheet of keys"
        page.goto(f"/flows/{flow_id(appliance, 'sums')}/run")
        page.get_by_role("textbox", name=re.compile(r"^n\b")).fill("many")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text(re.compile("whole number", re.I)).first).to_be_visible()
        assert axe_violations(page) == [], "a form with an error"
        for path in ("/nowhere", f"/runs/{'0' * 8}-0000-4000-8000-{'0' * 12}"):
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert axe_violations(page) == [], path
        page.route("**/graphql", lambda route: route.fulfill(status=403, json={"code": "forbidden", "message": "No."}))
        page.goto("/runs")
        expect(page.get_by_role("alert")).to_contain_text("No.")
        assert axe_violations(page) == [], "an error in its place"
        watch.forgive("403")
        watch.forgive_missing("/nowhere")
    appliance.api("POST", f"/api/v1/flow-runs/{run['id']}/cancel", {})


def test_a_chosen_theme_stays_and_is_there_before_the_first_paint(guest: tuple[Page, Watch]) -> None:
    page, watch = guest
    sign_in(page)
    page.get_by_role("button", name=re.compile("admin")).click()
    page.get_by_role("menuitemradio", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.route("**/assets/*.js", lambda route: route.abort())
    page.goto("/runs", wait_until="commit")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    watch.forgive("ERR_FAILED")


def test_a_phone_never_scrolls_sideways_not_even_while_loading(
    browser: Browser, appliance: Appliance, finished: dict[str, str]
) -> None:
    flow = flow_id(appliance, "sums")
    paths = [
        "/",
        "/runs",
        "/logs",
        "/logs?q=the&level=info",
        "/flows",
        f"/flows/{flow}",
        f"/flows/{flow}/runs",
        f"/flows/{flow}/tasks",
        f"/flows/{flow}/versions",
        f"/flows/{flow}/run",
        f"/runs/{finished['fails']}",
        "/limits",
        "/projects",
        "/jobs",
        "/nowhere",
    ]
    with visitor(browser, appliance, viewport=PHONE, has_touch=True, is_mobile=True) as (page, watch):
        sign_in(page)
        for path in paths:
            page.goto(path)
            assert not overflows(page), f"{path}, loading"
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert not overflows(page), path
        watch.forgive_missing("/nowhere")


# --- live, long, quiet ----------------------------------------------------------------------------------------------


def test_two_tabs_share_one_stream_and_both_follow(page: Page, appliance: Appliance, tmp_path: Path) -> None:
    streams: list[str] = []

    def note(request: Request) -> None:
        if "/api/v1/events?" in request.url:
            streams.append(request.url)

    expect(page.get_by_role("button", name=LIVE)).to_be_visible()
    page.context.on("request", note)
    page.reload()
    expect(page.get_by_role("button", name=LIVE)).to_be_visible()
    second = page.context.new_page()
    second.goto("/runs")
    expect(second.get_by_role("button", name=LIVE)).to_be_visible()
    go = tmp_path / "go"
    run = appliance.run(appliance.create_run("waits", path=str(go)))
    for tab in (page, second):
        expect(row(tab, run)).to_contain_text("Running")
    go.touch()
    for tab in (page, second):
        expect(row(tab, run)).to_contain_text("Success")
    assert len(streams) == 1
    page.close()
    third = appliance.run(appliance.create_run("sums"))
    expect(row(second, third)).to_contain_text("Success")


def test_a_long_list_is_read_to_its_end_with_few_rows_in_the_page(page: Page, planned: int) -> None:
    page.goto("/runs?show=waiting")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.wait_for_function(
        """last => {
            const box = document.querySelector('section.table-box');
            box.scrollTop = box.scrollHeight;
            return document.querySelector(`tr[aria-rowindex='${last}']`);
        }""",
        arg=str(planned + 1),
    )
    assert page.locator("tbody tr").count() < 120
    assert page.evaluate("document.querySelectorAll('*').length") < 1_500


def test_new_runs_wait_while_somebody_reads_further_down(page: Page, appliance: Appliance, planned: int) -> None:
    page.goto("/runs?show=waiting")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.get_by_role("region", name="Runs").evaluate("box => box.scrollTo(0, 320)")
    expect(page.locator("tr[aria-rowindex='30']")).to_be_visible()
    new = plan(appliance, clock.now() + timedelta(days=30))
    page.get_by_role("button", name="1 new run").click()
    expect(row(page, new)).to_be_visible()


def test_an_idle_page_asks_nothing(page: Page, finished: dict[str, str]) -> None:
    expect(page.get_by_role("button", name=LIVE)).to_be_visible()
    page.wait_for_load_state("load")
    page.goto(f"/runs/{finished['sums']}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(2_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(4_000)
    assert asked == []
