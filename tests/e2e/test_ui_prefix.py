"""The same build under a prefix: pages, their addresses, reading, writing, the stream, and the way back after signing in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.appliance_process import PASSWORD, Appliance
from tests.e2e.browser import chromium_running, why_not
from tests.e2e.prefix_proxy import proxied

PREFIX = "/tools/appliance"
FLOWS = """
from appliance import Flow, task

@task
def one() -> int:
    return 1

with Flow("small") as small:
    one()
"""

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("prefix"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, own_appliance: Appliance) -> Iterator[Page]:
    file = own_appliance.data_dir.parent / "flows.py"
    file.write_text(FLOWS)
    own_appliance.register(str(file))
    with proxied(own_appliance.url, PREFIX) as url:
        context = browser.new_context(base_url=f"{url}/")
        page = context.new_page()
        page.goto(f"{url}/runs?show=failed")
        yield page
        context.close()


def test_all_of_the_ui_works_under_a_prefix(page: Page) -> None:
    outside: list[str] = []
    page.on("request", lambda request: None if f"{PREFIX}/" in request.url else outside.append(request.url))
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{PREFIX}/runs?q=state%3Afailed")  # the way back keeps the search
    expect(page.get_by_role("button", name="Live. Pause live updates")).to_be_visible()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Flows").click()
    page.wait_for_url(f"**{PREFIX}/flows")
    page.get_by_role("link", name="small", exact=True).click()
    page.get_by_role("link", name="Run…").click()
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(f"**{PREFIX}/runs/*")
    expect(page.get_by_role("region", name="Result")).to_contain_text("1 task succeeded")
    page.reload()  # a deep address finds its files too
    expect(page.get_by_role("region", name="Result")).to_be_visible()
    download = page.get_by_role("link", name="Download")
    expect(download).to_have_attribute("href", f"{PREFIX}/api/v1/flow-runs/{page.url.split('/')[-1]}/logs/download")
    icon = page.locator("header img").first
    assert icon.evaluate("image => image.naturalWidth") > 0
    page.get_by_role("button", name="admin: documentation, theme, password, sessions and sign out").click()
    expect(page.get_by_role("menuitem", name="Documentation")).to_have_attribute("href", f"{PREFIX}/docs/")
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url(f"**{PREFIX}/login*")
    assert outside == []
