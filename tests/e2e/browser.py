"""A Chromium at the door of a real appliance: it watches what the pages ask for, say on the console and break of accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.e2e.appliance_process import PASSWORD, Appliance

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "appliance" / "server" / "web" / "static"
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
# The browser says so when a network interface of the machine comes or goes, whatever the page does.
NOISE = "net::ERR_NETWORK_CHANGED"
# Milliseconds that any wait may take: on a machine three times as slow that also runs other tests, pages take many seconds.
PATIENCE = 60_000

expect.set_options(timeout=PATIENCE)


def chromium() -> str | None:
    """Where this machine's Chromium is, if it has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def why_not() -> str:
    """Why the browser tests can't run here; empty when they can."""
    if chromium() is None:
        return f"no Chromium on this machine (looked for {', '.join(NAMES)})"
    if not (STATIC / "index.html").is_file():
        return "the web UI is not built: run `make ui`"
    return ""


@contextmanager
def chromium_running(*arguments: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage", *arguments]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """What a test's pages did that no page may do, and what they fetched."""

    origin: str
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    scripts: dict[str, int] = field(default_factory=dict)

    def follow(self, page: Page) -> None:
        page.on("request", self._asked)
        page.on("requestfinished", self._fetched)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.outside.append(request.url)

    def _fetched(self, request: Request) -> None:
        if request.resource_type == "script":
            self.scripts[request.url] = request.sizes()["responseBodySize"]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and NOISE not in message.text:
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def forgive_missing(self, path: str) -> None:
        """Drop the browser's complaint that there is no page at a path."""
        self.forgive(f"status of 404 (Not Found) ({self.origin}{path})")

    def forgive(self, *parts: str) -> None:
        """Drop complaints that the test itself provoked: the browser logs every refused request."""
        self.complaints = [one for one in self.complaints if not any(part in one for part in parts)]


@contextmanager
def visitor(browser: Browser, appliance: Appliance, **options: Any) -> Iterator[tuple[Page, Watch]]:
    """A fresh browser profile on the appliance. Afterwards: no outside request, no error on the console."""
    settings = {"viewport": DESK, "reduced_motion": "reduce", "timezone_id": "Europe/Berlin", "locale": "en-GB"}
    context: BrowserContext = browser.new_context(base_url=appliance.url, **{**settings, **options})
    context.set_default_timeout(PATIENCE)
    watch = Watch(appliance.url)
    context.on("page", watch.follow)
    try:
        yield context.new_page(), watch
        assert watch.outside == [], "no page may ask anybody but the appliance"
        assert watch.complaints == [], f"the console stays silent, but said {watch.complaints}"
    finally:
        context.close()


def sign_in(page: Page, path: str = "/runs", username: str = "admin", password: str = PASSWORD) -> None:
    """Sign in through the form, back to the page that was asked for."""
    page.goto(path)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def axe_violations(page: Page) -> list[str]:
    """What axe finds on the page as it stands, as `rule: the elements`; the rules of WCAG 2.0 to 2.2, A and AA, and best practice."""
    assert AXE.is_file(), "axe-core is missing: run `make ui`"
    # Evaluated, not added as a script element: the page's policy forbids foreign scripts, and rightly so.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'][:4])}" for one in found]


def overflows(page: Page) -> bool:
    """Whether the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
