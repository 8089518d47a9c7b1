"""A password that somebody else set, in a real browser: nothing but the page that changes it, and afterwards what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.appliance_process import PASSWORD, Appliance, running
from tests.e2e.browser import axe_violations, chromium_running, sign_in, visitor, why_not

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui-password"),
    pytest.mark.slow,
]

OWN = "several words in a row"
THIRD = "another few words in a row"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as ready:
        yield ready


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    with running(tmp_path / "data", APPLIANCE_CHANGE_PRESET_PASSWORD="true") as ready:
        yield ready


def fill(page: Page, current: str, new: str) -> None:
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password").fill(new)
    page.get_by_role("button", name="Change password").click()


def try_to_sign_in(page: Page, password: str) -> None:
    page.goto("/runs")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_preset_password_is_changed_before_anything_else(browser: Browser, appliance: Appliance) -> None:
    with visitor(browser, appliance) as (page, watch):
        sign_in(page, "/flows?q=etl")
        title = page.get_by_role("heading", name="Choose a new password")
        expect(title).to_be_visible()
        expect(page.get_by_label("Current password")).to_be_focused()
        assert axe_violations(page) == []
        for elsewhere in ("/runs", "/limits", "/login"):
            page.goto(elsewhere)
            expect(title).to_be_visible()
        page.goto("/flows?q=etl")
        fill(page, "not the password", OWN)
        expect(page.get_by_text("The current password is wrong.")).to_be_visible()
        watch.forgive("status of 403")
        fill(page, PASSWORD, OWN)
        page.wait_for_url(re.compile(r"/flows\?q=etl$"))
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        expect(page.get_by_text("Password changed.")).to_be_visible()
        page.goto("/password")  # nothing is left to do there
        page.wait_for_url(re.compile(r":\d+/$"))
    with visitor(browser, appliance) as (page, watch):
        try_to_sign_in(page, PASSWORD)
        expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
        watch.forgive("status of 401")
        sign_in(page, password=OWN)
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def test_it_is_changed_in_the_menu_and_set_by_an_administrator(
    browser: Browser, appliance: Appliance, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text(OWN)
    reset = appliance.cli("user", "password", "admin", "--password-file", str(tmp_path / "own"), "--no-must-change")
    assert reset.returncode == 0, reset.stderr
    with visitor(browser, appliance) as (page, watch):
        sign_in(page, password=OWN)
        menu = page.get_by_role("button", name="admin: ")
        menu.click()
        page.get_by_role("menuitem", name="Change password").click()
        dialog = page.get_by_role("dialog", name="Change password")
        expect(dialog.get_by_label("Current password")).to_be_focused()
        assert axe_violations(page) == []
        fill(page, OWN, THIRD)
        expect(dialog).to_be_hidden()
        expect(page.get_by_text("Password changed.")).to_be_visible()
        page.reload()
        expect(menu).to_be_visible()
        assert appliance.cli("user", "password", "admin", "--password-file", str(tmp_path / "own")).returncode == 0
        page.reload()  # the session has ended with the password
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        watch.forgive("status of 401")
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill(OWN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
