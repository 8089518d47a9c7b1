"""People in a real browser: users, their sessions and tokens, for administrators; and everybody's own sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.appliance_process import Appliance
from tests.e2e.browser import PHONE, axe_violations, chromium_running, overflows, sign_in, visitor, why_not

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui-people"),
    pytest.mark.slow,
]

WORDS = "several words in a row"
NOT_YOURSELF = "You can't disable, demote, or delete yourself; another administrator can."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as ready:
        yield ready


def accessible(page: Page) -> None:
    """In both themes, and without a sideways scroll."""
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert axe_violations(page) == [], f"{page.url}, {theme}"
    assert not overflows(page), page.url


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=re.compile(f"^{name}")))


def ask(page: Page, item: str, name: str) -> None:
    page.get_by_role("button", name=f"Actions for {name}").first.click()
    page.get_by_role("menuitem", name=item).click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def told(page: Page, text: str) -> None:
    expect(page.get_by_role("region", name="Notices").get_by_text(text)).to_be_visible()


def add_user(appliance: Appliance, name: str, role: str) -> str:
    user = {"username": name, "password": WORDS, "role": role, "must_change": False}
    answer = appliance.api("POST", "/api/v1/users", user)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def choose_password(page: Page) -> None:
    """The one thing that a new user can do, wherever they go, until it is done."""
    title = page.get_by_role("heading", name="Choose a new password")
    for elsewhere in ("/flows", "/people/users"):
        page.goto(elsewhere)
        expect(title).to_be_visible()
    accessible(page)
    page.get_by_label("Current password").fill(WORDS)
    page.get_by_label("New password").fill("Password-2024!")
    press(page, "Change password")
    expect(page.get_by_role("alert")).to_contain_text("it is a common password")
    page.get_by_label("New password").fill(f"{WORDS} of my own")
    press(page, "Change password")
    expect(title).to_have_count(0)


def test_a_user_comes_changes_and_goes(browser: Browser, appliance: Appliance) -> None:
    with visitor(browser, appliance) as (page, watch):
        sign_in(page)
        expect(page.get_by_role("link", name="People")).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("p")
        page.wait_for_url("**/people/users")
        expect(row(page, "admin")).to_contain_text("You")
        page.keyboard.press("n")
        expect(page.get_by_label("User name")).to_be_focused()
        accessible(page)
        page.get_by_label("User name").fill("maria")
        page.get_by_role("textbox", name="Password").fill(WORDS)
        press(page, "Add user")
        expect(row(page, "maria")).to_contain_text("Must change password")

        with visitor(browser, appliance) as (theirs, their_watch):
            sign_in(theirs, username="maria", password=WORDS)
            choose_password(theirs)
            their_watch.forgive("status of 400")
            expect(theirs.get_by_role("navigation", name="Main")).to_be_visible()
            expect(theirs.get_by_role("link", name="People")).to_have_count(0)
            theirs.goto("/people/tokens")
            expect(theirs.get_by_role("heading", name="People is for administrators.")).to_be_visible()
            accessible(theirs)

            ask(page, "Change role", "maria")
            page.get_by_role("radio", name=re.compile("^Operator")).check(force=True)
            press(page, "Change role")
            expect(row(page, "maria")).to_contain_text("Operator")

            ask(page, "Sessions", "maria")
            expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(1)
            expect(page.get_by_role("dialog").get_by_role("listitem")).to_contain_text("Chrome on Linux")
            expect(page.get_by_role("dialog").get_by_role("listitem")).to_contain_text("from 127.0.0.1")
            accessible(page)
            press(page, "Sign out of every browser")
            told(page, "maria is signed out of every browser.")
            theirs.goto("/runs")
            expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
            their_watch.forgive("status of 401")

        ask(page, "Set password", "maria")
        page.get_by_label("New password").fill(f"{WORDS} again")
        press(page, "Set password")
        expect(row(page, "maria")).to_contain_text("Must change password")
        ask(page, "Disable", "maria")
        press(page, "Disable user")
        expect(row(page, "maria")).to_contain_text("Disabled")
        accessible(page)
        ask(page, "Enable", "maria")
        expect(row(page, "maria")).not_to_contain_text("Disabled")

        for item, button in (("Disable", "Disable user"), ("Delete", "Delete user")):
            ask(page, item, "admin")
            if item == "Delete":
                page.get_by_label("Type admin to confirm").fill("admin")
            press(page, button)
            expect(page.get_by_role("alert")).to_have_text(NOT_YOURSELF)
            accessible(page)
            page.keyboard.press("Escape")
        watch.forgive("status of 409")

        ask(page, "Delete", "maria")
        expect(page.get_by_role("list", name="What is deleted")).to_contain_text("their account and password")
        accessible(page)
        page.get_by_label("Type maria to confirm").fill("maria")
        press(page, "Delete user")
        expect(row(page, "maria")).to_have_count(0)


def test_what_others_change_appears_by_itself(browser: Browser, appliance: Appliance) -> None:
    with visitor(browser, appliance) as (page, _):
        sign_in(page, "/people")
        expect(row(page, "admin")).to_be_visible()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        user = add_user(appliance, "otto", "viewer")
        expect(row(page, "otto")).to_contain_text("Viewer")
        assert appliance.api("DELETE", f"/api/v1/users/{user}").status_code == 204
        expect(row(page, "otto")).to_have_count(0)


def test_a_token_is_seen_once_replaced_and_revoked(browser: Browser, appliance: Appliance) -> None:
    user = add_user(appliance, "robot", "viewer")
    with visitor(browser, appliance) as (page, watch):
        sign_in(page, "/people/tokens")
        press(page, "New token…")
        page.get_by_label("Name").fill("ci")
        page.get_by_label("User", exact=True).select_option("robot")
        page.get_by_label("Lasts for").select_option("7 days")
        accessible(page)
        press(page, "Create token")
        first = page.get_by_role("textbox", name="Token").input_value()
        assert appliance.api("GET", "/api/v1/me", token=first).json()["username"] == "robot"
        accessible(page)
        page.mouse.click(5, 5)  # beside it, which must not lose the secret
        expect(page.get_by_role("textbox", name="Token")).to_have_value(first)
        press(page, "Done")
        expect(row(page, "ci")).to_contain_text(first[:12])
        expect(row(page, "ci")).to_contain_text("in 6 d")
        accessible(page)
        assert first not in page.content()

        ask(page, "Replace", "ci")
        page.get_by_label("The old token stays valid for").select_option("1 hour")
        accessible(page)
        press(page, "Replace token")
        second = page.get_by_role("textbox", name="Token").input_value()
        press(page, "Done")
        expect(row(page, "ci")).to_have_count(2)
        assert [appliance.api("GET", "/api/v1/me", token=one).status_code for one in (first, second)] == [200, 200]

        ask(page, "Revoke", f"ci, {second[:12]}")
        expect(page.get_by_role("alertdialog")).to_contain_text(f"{second[:12]}… of robot")
        accessible(page)
        press(page, "Revoke token")
        expect(row(page, "ci")).to_have_count(1)
        assert [appliance.api("GET", "/api/v1/me", token=one).status_code for one in (first, second)] == [200, 401]

        page.get_by_role("link", name="Users").click()
        ask(page, "Delete", "robot")
        expect(page.get_by_role("list", name="What is deleted")).to_contain_text("1 token: ci")
        watch.forgive("status of 404")
    assert appliance.api("DELETE", f"/api/v1/users/{user}").status_code == 204


def test_people_see_and_end_their_own_sessions(browser: Browser, appliance: Appliance) -> None:
    user = add_user(appliance, "nina", "viewer")
    with visitor(browser, appliance) as (lost, lost_watch), visitor(browser, appliance, viewport=PHONE) as (page, _):
        sign_in(lost, username="nina", password=WORDS)
        sign_in(page, username="nina", password=WORDS)
        page.get_by_role("button", name="nina: ").click()
        page.get_by_role("menuitem", name="Your sessions").click()
        sessions = page.get_by_role("dialog", name="Your sessions").get_by_role("listitem")
        expect(sessions).to_have_count(2)
        expect(sessions.filter(has_text="This browser")).to_have_count(1)
        accessible(page)
        sessions.get_by_role("button").click()
        expect(sessions).to_have_count(1)
        lost.goto("/runs")
        expect(lost.get_by_role("heading", name="Sign in")).to_be_visible()
        lost_watch.forgive("status of 401")
    assert appliance.api("DELETE", f"/api/v1/users/{user}").status_code == 204


def test_the_lists_fit_a_phone(browser: Browser, appliance: Appliance) -> None:
    with visitor(browser, appliance, viewport=PHONE) as (page, _):
        sign_in(page, "/people")
        expect(row(page, "admin")).to_be_visible()
        accessible(page)
        page.get_by_role("link", name="Tokens").click()
        expect(row(page, "embedded")).to_be_visible()
        accessible(page)


def test_a_failure_says_so(browser: Browser, appliance: Appliance) -> None:
    with visitor(browser, appliance) as (page, watch):
        sign_in(page)
        page.route("**/api/v1/users", lambda route: route.fulfill(status=403, body="{}"))
        page.goto("/people/users")
        expect(page.get_by_text("The users could not be loaded.")).to_be_visible()
        accessible(page)
        page.unroute("**/api/v1/users")
        page.reload()
        expect(row(page, "admin")).to_be_visible()
        watch.forgive("status of 403")
