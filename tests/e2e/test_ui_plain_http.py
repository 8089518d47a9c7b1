"""The web UI over plain HTTP at a host name: no secure context, so no locks and no clipboard, and six connections to the host at most."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.e2e.appliance_process import Appliance
from tests.e2e.browser import chromium_running, sign_in, why_not

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("plain-http"),
    pytest.mark.slow,
]

HOST = "appliance.test"
TABS = 8
LIVE = re.compile("^Live")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running(f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as ready:
        yield ready


@pytest.fixture
def page(browser: Browser, appliance: Appliance) -> Iterator[Page]:
    context = browser.new_context(base_url=f"http://{HOST}:{urlsplit(appliance.url).port}")
    page = context.new_page()
    sign_in(page)
    assert page.evaluate("isSecureContext") is False
    yield page
    context.close()


def test_eight_tabs_share_one_stream_and_all_follow(page: Page, appliance: Appliance) -> None:
    open_streams: set[Request] = set()

    def opened(request: Request) -> None:
        if "/api/v1/events?" in request.url:
            open_streams.add(request)

    def ended(request: Request) -> None:
        open_streams.discard(request)

    page.context.on("request", opened)
    page.context.on("requestfinished", ended)
    page.context.on("requestfailed", ended)
    page.reload()
    tabs = [page]
    for _ in range(TABS - 1):
        tab = page.context.new_page()
        tab.goto("/runs")
        tabs.append(tab)
    for tab in tabs:
        expect(tab.get_by_role("button", name=LIVE)).to_be_visible()
    assert len(open_streams) == 1
    first = appliance.run(appliance.create_run("sums"))
    for tab in tabs:
        expect(tab.get_by_role("row").filter(has_text=str(first["name"]))).to_contain_text("Success")
    open_streams.clear()
    page.close()  # if it was the stream's own tab, one other takes over
    second = appliance.run(appliance.create_run("sums"))
    for tab in tabs[1:]:
        expect(tab.get_by_role("row").filter(has_text=str(second["name"]))).to_contain_text("Success")
    assert len(open_streams) <= 1


def test_copying_works_without_the_clipboard(page: Page, appliance: Appliance) -> None:
    run = appliance.create_run("sums")
    appliance.wait_for(run, "SUCCESS")
    page.goto(f"/runs/{run}")
    assert page.evaluate("typeof navigator.clipboard") == "undefined"
    page.get_by_role("button", name="Copy ID").click()
    expect(page.get_by_label("Notices")).to_contain_text("Run ID copied.")
    page.goto("/runs")
    search = page.get_by_role("searchbox").first
    search.focus()
    page.keyboard.press("Control+V")
    expect(search).to_have_value(run)


def test_a_copy_that_the_browser_refuses_is_no_success(page: Page, appliance: Appliance) -> None:
    run = appliance.create_run("sums")
    page.goto(f"/runs/{run}")
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy ID").click()
    expect(page.get_by_label("Notices")).to_contain_text("Not copied")


def test_a_new_tokens_secret_is_copied_from_its_dialog(page: Page) -> None:
    page.goto("/people/tokens")
    page.get_by_role("button", name="New token…").click()
    page.get_by_label("Name").fill("ci")
    page.get_by_role("button", name="Create token").click()
    secret = page.get_by_role("textbox", name="Token").input_value()
    page.get_by_role("button", name="Copy token").click()
    expect(page.get_by_label("Notices")).to_contain_text("Token copied.")
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="New token…").click()
    page.get_by_label("Name").press("Control+V")
    expect(page.get_by_label("Name")).to_have_value(secret)
