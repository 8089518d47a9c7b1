"""A full disk, healed from the browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.chaos.test_full_disk import fill, on_small_disk, small_disk
from tests.e2e.appliance_process import Appliance
from tests.e2e.browser import axe_violations, chromium_running, sign_in, visitor, why_not

__all__ = ["on_small_disk", "small_disk"]  # fixtures

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui"),
    pytest.mark.slow,
]


@pytest.mark.timeout(180)
def test_an_administrator_heals_a_full_disk(on_small_disk: Appliance, small_disk: Path) -> None:
    run = on_small_disk.create_run("sums")
    on_small_disk.wait_for(run, "SUCCESS")
    fill(small_disk, keep=3_900_000)  # just too little; what the reserve holds and the log's folding free is enough
    with chromium_running() as browser, visitor(browser, on_small_disk) as (page, watch):
        sign_in(page, f"/runs/{run}")
        banner = page.get_by_role("status").filter(has_text="The disk of the database is full")
        expect(banner).to_be_visible()
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("menuitem", name="Mark as…").click()
        page.get_by_role("button", name="Mark", exact=True).click()
        expect(page.get_by_text("Nothing was changed: the disk of the database is full.")).to_be_visible()
        page.get_by_role("button", name="Keep as is").click()
        banner.get_by_role("button", name="Free space…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Keep everything newer than (days)").fill("0")
        assert axe_violations(page) == []
        dialog.get_by_role("button", name="Delete and free space").click()
        expect(dialog).to_contain_text("are free now.")
        dialog.get_by_role("button", name="Close").click()
        expect(banner).to_have_count(0)
        watch.forgive("503")
    assert on_small_disk.api("POST", "/api/v1/flow-runs", {"project": "tests", "flow": "sums"}).status_code == 201
