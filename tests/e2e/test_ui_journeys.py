"""What a person sees and does in the browser, against a real appliance: sign in, watch runs, find the cause, start, stop, both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.e2e.appliance_process import Appliance, running
from tests.e2e.browser import (
    PHONE,
    STATIC,
    Watch,
    axe_violations,
    chromium_running,
    overflows,
    sign_in,
    visitor,
    why_not,
)

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui"),
    pytest.mark.slow,
]

FIRST_LOAD_SCRIPT_BYTES = 250_000
THEMES = ("light", "dark")


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
    """A page of the signed-in administrator."""
    sign_in(guest[0])
    return guest[0]


@pytest.fixture(scope="module")
def finished(appliance: Appliance) -> dict[str, str]:
    """One run of each end: the ids by flow name."""
    runs = {name: appliance.create_run(name) for name in ("sums", "fails")}
    appliance.wait_for(runs["sums"], "SUCCESS")
    appliance.wait_for(runs["fails"], "FAILED")
    return runs


def flow_id(appliance: Appliance, name: str) -> str:
    return str(next(flow["id"] for flow in appliance.items("/api/v1/flows") if flow["name"] == name))


def row(page: Page, run: dict[str, Any]) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=run["name"], exact=True))


# --- signing in -----------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_one_sentence_and_the_right_one_returns_to_the_link(
    guest: tuple[Page, Watch], finished: dict[str, str]
) -> None:
    page, watch = guest
    sign_in_at = f"/runs/{finished['fails']}"
    page.goto(sign_in_at)
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("password", re.I))
    page.get_by_label("Password").fill("correct-horse-battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{sign_in_at}*")
    watch.forgive("401")


def test_signing_out_leaves_nothing_behind(page: Page) -> None:
    page.get_by_role("button", name=re.compile("admin")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/login*")
    page.goto("/flows")
    page.wait_for_url("**/login*")


def test_the_setup_link_claims_a_new_appliance_once(browser: Browser, tmp_path: Path) -> None:
    appliance = Appliance(tmp_path / "data", claimed=False)
    try:
        appliance.start()
        found = re.search(r"/setup\?token=(\S+)", appliance.log())
        assert found, appliance.log()
        with visitor(browser, appliance) as (page, _):
            page.goto(f"/setup?token={found[1]}")
            assert axe_violations(page) == []
            page.get_by_label("Password").fill("short")
            page.get_by_label("Password").fill("a long enough passphrase")
            page.get_by_role("button", name=re.compile("Create")).click()
            page.wait_for_url("**/runs*")
            expect(page.get_by_text("No runs yet")).to_be_visible()
            page.goto(f"/setup?token={found[1]}")
            expect(page.get_by_text("Already set up")).to_be_visible()
    finally:
        appliance.end()


# --- runs -----------------------------------------------------------------------------------------------------------


def test_runs_say_state_and_cause_and_follow_by_themselves(
    page: Page, appliance: Appliance, finished: dict[str, str], tmp_path: Path
) -> None:
    failed = row(page, appliance.run(finished["fails"]))
    expect(failed).to_contain_text("Failed")
    expect(failed).to_contain_text("ValueError: the oven is cold")
    expect(page.get_by_role("button", name=re.compile("^Live"))).to_be_visible()
    go = tmp_path / "go"
    run = appliance.run(appliance.create_run("waits", path=str(go)))
    expect(row(page, run)).to_contain_text("Running")
    go.touch()
    expect(row(page, run)).to_contain_text("Success")


def test_the_view_lives_in_the_address(page: Page, finished: dict[str, str]) -> None:
    page.get_by_role("radio", name="Failed").click()
    expect(page).to_have_url(re.compile(r"show=failed"))
    expect(page.get_by_role("cell", name="Success")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("fails")
    expect(page).to_have_url(re.compile(r"q=fails"))
    page.reload()
    expect(page.get_by_role("radio", name="Failed")).to_be_checked()
    expect(page.get_by_role("searchbox")).to_have_value("fails")
    expect(page.get_by_role("row").nth(1)).to_contain_text("fails")
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.get_by_text("No failed runs match")).to_be_visible()
    page.get_by_role("button", name="Show all runs").click()
    expect(page.get_by_role("row").nth(1)).to_be_visible()


def test_keys_reach_everything(page: Page, finished: dict[str, str]) -> None:
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.wait_for_url("**/flows*")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Runs")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")


def test_a_run_is_stopped_from_its_row(page: Page, appliance: Appliance, tmp_path: Path) -> None:
    run = appliance.run(appliance.create_run("waits", path=str(tmp_path / "never")))
    expect(row(page, run)).to_contain_text("Running")
    row(page, run).get_by_role("button", name=re.compile("Stop")).click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_be_visible()
    assert axe_violations(page) == []
    dialog.get_by_role("button", name="Keep running").click()
    expect(dialog).to_have_count(0)
    row(page, run).get_by_role("button", name=re.compile("Stop")).click()
    dialog.get_by_label(re.compile("Reason")).fill("superseded")
    dialog.get_by_role("button", name="Stop run").click()
    expect(row(page, run)).to_contain_text("Cancelled", timeout=30_000)
    assert appliance.run(run["id"])["state_type"] == "CANCELLED"


# --- flows and starting a run ---------------------------------------------------------------------------------------


def test_a_run_is_started_from_the_form(page: Page, appliance: Appliance) -> None:
    page.goto("/flows")
    page.get_by_role("searchbox").fill("sums")
    page.get_by_role("link", name="sums", exact=True).click()
    expect(page.get_by_role("heading", name="sums")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Run")).first.click()
    field = page.get_by_label(re.compile(r"^n\b"))
    expect(field).to_have_value("3")
    field.fill("many")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text(re.compile("whole number", re.I)).first).to_be_visible()
    field.fill("5")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    run_id = page.url.split("/runs/")[1][:36]
    assert appliance.wait_for(run_id, "SUCCESS")["parameters"] == {"n": 5}
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()


def test_run_again_brings_the_parameters_along(page: Page, appliance: Appliance) -> None:
    run_id = appliance.create_run("sums", n=7)
    page.goto(f"/flows/{flow_id(appliance, 'sums')}/run?from={run_id}")
    expect(page.get_by_label(re.compile(r"^n\b"))).to_have_value("7")


def test_a_schedule_is_switched_off_and_on(page: Page, appliance: Appliance) -> None:
    flow = flow_id(appliance, "sums")
    answer = appliance.api(
        "POST", f"/api/v1/flows/{flow}/schedules", {"document": {"kind": "interval", "seconds": 86_400}}
    )
    assert answer.status_code in (200, 201), answer.text
    page.goto(f"/flows/{flow}")
    switch = page.get_by_role("switch")
    expect(switch).to_be_checked()
    switch.locator("xpath=..").click()
    expect(switch).not_to_be_checked()
    schedules = appliance.items(f"/api/v1/schedules?flow_id={flow}")
    assert [schedule["active"] for schedule in schedules] == [False]


# --- one run --------------------------------------------------------------------------------------------------------


def test_a_failed_run_says_why_at_once(page: Page, finished: dict[str, str]) -> None:
    page.goto(f"/runs/{finished['fails']}")
    expect(page.get_by_text("ValueError: the oven is cold").first).to_be_visible()
    expect(page).to_have_title(re.compile("^✕"))
    assert "failed" in (page.locator("#favicon").get_attribute("href") or "")


def test_a_live_run_is_watched_to_its_end(page: Page, appliance: Appliance, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run_id = appliance.create_run("waits", path=str(go))
    page.goto(f"/runs/{run_id}")
    expect(page.get_by_text("waiting for a file").first).to_be_visible()
    go.touch()
    expect(page.get_by_text("the file is there").first).to_be_visible()
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()


# --- the appliance away, addresses that lead nowhere ----------------------------------------------------------------


def test_an_outage_is_told_and_ends_by_itself(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "data") as appliance:
        appliance.register("flows.py")
        run = appliance.run(appliance.create_run("sums"))
        with visitor(browser, appliance) as (page, watch):
            sign_in(page)
            expect(row(page, run)).to_be_visible()
            page.evaluate("window.sameDocument = true")
            appliance.stop()
            expect(page.get_by_text("can't be reached").first).to_be_visible(timeout=15_000)
            expect(row(page, run)).to_be_visible()
            appliance.start()
            expect(page.get_by_role("button", name=re.compile("^Live"))).to_be_visible(timeout=15_000)
            expect(page.get_by_text("can't be reached")).to_have_count(0)
            assert page.evaluate("window.sameDocument") is True
            watch.forgive("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "503")


def test_a_failed_question_can_be_asked_again(guest: tuple[Page, Watch]) -> None:
    page, watch = guest
    sign_in(page, "/flows")
    page.route(
        "**/graphql", lambda route: route.fulfill(status=403, json={"code": "forbidden", "message": "Not for you."})
    )
    page.goto("/runs")
    expect(page.get_by_role("alert")).to_contain_text("Not for you.")
    assert axe_violations(page) == []
    page.unroute("**/graphql")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    watch.forgive("403")


@pytest.mark.parametrize("path", ["/nowhere", "/runs/00000000-0000-4000-8000-000000000000"])
def test_an_address_that_leads_nowhere_says_so(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.get_by_text(re.compile("nothing at this address|no such|not found|no run", re.I)).first).to_be_visible()
    assert axe_violations(page) == []


# --- looks, weight, access ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_for_axe_to_find(browser: Browser, appliance: Appliance, finished: dict[str, str], theme: str) -> None:
    flow = flow_id(appliance, "sums")
    pages = ["/runs", "/runs?q=nothing", "/flows", f"/flows/{flow}", f"/flows/{flow}/run"]
    pages += [f"/runs/{finished[name]}" for name in ("sums", "fails")]
    with visitor(browser, appliance, color_scheme=theme) as (page, _):
        page.goto("/login")
        expect(page.get_by_label("Password")).to_be_visible()
        assert axe_violations(page) == [], "/login"
        sign_in(page)
        for path in pages:
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.wait_for_load_state("load")
            expect(page.get_by_role("status", name=re.compile("^Loading"))).to_have_count(0)
            assert page.locator("html").get_attribute("data-theme") == theme
            assert axe_violations(page) == [], path


def test_a_chosen_theme_stays(page: Page) -> None:
    page.get_by_role("button", name=re.compile("admin")).click()
    page.get_by_role("menuitemradio", name="Dark").click()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_phone_shows_every_page_without_scrolling_sideways(
    browser: Browser, appliance: Appliance, finished: dict[str, str]
) -> None:
    flow = flow_id(appliance, "sums")
    with visitor(browser, appliance, viewport=PHONE, has_touch=True, is_mobile=True) as (page, _):
        sign_in(page)
        for path in ("/runs", "/flows", f"/flows/{flow}", f"/flows/{flow}/run", f"/runs/{finished['fails']}"):
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert not overflows(page), path


def test_the_first_load_is_light_and_compressed(guest: tuple[Page, Watch]) -> None:
    page, watch = guest
    sign_in(page)
    watch.scripts.clear()
    page.goto("/runs")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.wait_for_load_state("load")
    total = sum((STATIC / (url.split("/", 3)[3] + ".gz")).stat().st_size for url in watch.scripts)
    assert watch.scripts
    assert total <= FIRST_LOAD_SCRIPT_BYTES, watch.scripts


def test_twenty_runs_fit_on_a_desk(page: Page, appliance: Appliance) -> None:
    for _ in range(22):
        appliance.create_run("sums", n=1)
    page.reload()
    expect(page.get_by_role("row").nth(21)).to_be_visible()
    heights = page.evaluate("[...document.querySelectorAll('tbody tr')].map((row) => row.getBoundingClientRect())")
    assert sum(1 for box in heights if 0 < box["bottom"] <= 900) >= 20
