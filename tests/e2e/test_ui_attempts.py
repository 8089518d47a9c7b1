"""Letting a run go on from its page: restart what has failed, approve what is paused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.appliance_process import Appliance
from tests.e2e.browser import chromium_running, sign_in, visitor, why_not

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.xdist_group("ui"),
    pytest.mark.slow,
]

FLOWS = """
from pathlib import Path
from appliance import Flow, Parameter, manual_only, task

@task
def once_more(path):
    if not Path(path).exists():
        Path(path).touch()
        raise ConnectionError("not yet")

with Flow("once more") as once_more_flow:
    once_more(Parameter("path", type=str))

@task(trigger=manual_only)
def approved():
    return None

with Flow("approval") as approval:
    approved()
"""


@pytest.fixture
def page(appliance: Appliance, tmp_path: Path) -> Iterator[Page]:
    (tmp_path / "attempts.py").write_text(FLOWS)
    appliance.register(str(tmp_path / "attempts.py"))
    with chromium_running() as browser, visitor(browser, appliance) as (found, _):
        sign_in(found)
        yield found


def test_a_failed_run_is_restarted_and_a_paused_one_resumed(page: Page, appliance: Appliance, tmp_path: Path) -> None:
    failed = appliance.create_run("once more", path=str(tmp_path / "marker"))
    appliance.wait_for(failed, "FAILED")
    page.goto(f"/runs/{failed}")
    page.get_by_role("button", name="Restart from failed").click()
    expect(page.get_by_text("attempt 2")).to_be_visible()
    assert appliance.wait_for(failed, "SUCCESS")["attempt"] == 2
    expect(page.get_by_role("button", name="Restart from failed")).to_have_count(0)

    paused = appliance.create_run("approval")
    appliance.wait_for(paused, "PAUSED")
    page.goto(f"/runs/{paused}")
    page.get_by_role("button", name="Resume", exact=True).click()
    appliance.wait_for(paused, "SUCCESS")
    expect(page.get_by_role("button", name="Resume", exact=True)).to_have_count(0)

    alone = appliance.create_run("approval")
    appliance.wait_for(alone, "PAUSED")
    page.goto(f"/runs/{alone}")
    page.get_by_role("button", name="Approve approved-1").click()
    appliance.wait_for(alone, "SUCCESS")
