"""Parameters, names of the context, and secrets on their way through the command line, the browser and an agent to a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from appliance.kit import ids
from tests.e2e.appliance_process import Appliance, running, until
from tests.e2e.browser import axe_violations, chromium_running, sign_in, visitor, why_not

pytestmark = pytest.mark.slow

SERVICE_LINKS = {"APPLIANCE_SERVICE_HOST": "10.0.0.1", "APPLIANCE_PORT_80_TCP": "tcp://10.0.0.1:80"}


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("values")
    (folder / "word").write_text("abracadabra\n")
    secrets = {"APPLIANCE_SECRET_DOOR": "open sesame", "APPLIANCE_SECRET_FROM_FILE_FILE": str(folder / "word")}
    with running(folder / "data", **secrets, **SERVICE_LINKS) as ready:
        ready.register("values.py")
        yield ready


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_running() as ready:
        yield ready


@pytest.fixture
def page(browser: Browser, appliance: Appliance) -> Iterator[Page]:
    with visitor(browser, appliance) as (guest, watch):
        sign_in(guest)
        yield guest
        watch.forgive("400", "422")  # what the tests have refused


def messages(appliance: Appliance, run: str) -> list[str]:
    appliance.wait_for(run, "SUCCESS")
    return [line["message"] for line in appliance.get(f"/api/v1/flow-runs/{run}/logs?limit=200")["items"]]


def logged(appliance: Appliance, run: str, word: str) -> list[Any]:
    """What the tasks of a run logged after a word."""
    lines = messages(appliance, run)
    texts = [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")]
    return [json.loads(text) for text in texts]


def flow_id(appliance: Appliance, name: str) -> str:
    return str(next(flow["id"] for flow in appliance.items("/api/v1/flows") if flow["name"] == name))


def test_defaults_are_converted_under_an_agent_too(appliance: Appliance) -> None:
    seen = dict(item for one in logged(appliance, appliance.create_run("values"), "VALUES") for item in one.items())
    assert seen == {
        "number": "1",
        "at": "2026-03-29 01:30:00+00:00",
        "price": "1.50",
        "note": "x",
        "level": "1",
        "currency": "EUR",
        "loose": "None",
    }


EXACT = {
    "number": "9007199254740993",
    "at": '"2026-10-25T02:30:00.123456+01:00"',
    "price": '"0.1000000000000000000000001"',
    "note": '""',
    "level": "1",
    "currency": '"usd"',
    "loose": "[1,1.0,18446744073709551617]",
}
SEEN = {
    "number": "9007199254740993",
    "at": "2026-10-25 01:30:00.123456+00:00",
    "price": "0.1000000000000000000000001",
    "note": "",
    "level": "1",
    "currency": "USD",
    "loose": "[1, 1.0, 18446744073709551617]",
}


def test_values_of_the_command_line_arrive_exactly(appliance: Appliance) -> None:
    options = [part for name, value in EXACT.items() for part in ("-p", f"{name}={value}")]
    done = appliance.cli("run", "values", "--project", "tests", "--json", *options)
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)["id"]
    assert {k: v for one in logged(appliance, run, "VALUES") for k, v in one.items()} == SEEN
    refused = appliance.cli("run", "values", "--project", "tests", "-p", 'loose={"a": 1,}')
    assert refused.returncode == 2
    assert "looks like JSON but is not valid: unexpected '}' at character 9" in refused.stderr


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
@pytest.mark.xdist_group("ui")
def test_values_of_the_browser_arrive_exactly_and_again(appliance: Appliance, page: Page) -> None:
    page.goto(f"/flows/{flow_id(appliance, 'values')}/run")
    page.get_by_label("number").fill("9007199254740993")
    assert axe_violations(page) == []
    page.get_by_label("price").fill("0.1000000000000000000000001")
    page.get_by_label("note").fill("")
    page.get_by_label("Empty text").check()
    page.get_by_label("level").select_option("1")
    page.get_by_label("currency").select_option("usd")
    page.get_by_label("loose").fill("[1, 1.0, 18446744073709551617]")
    page.get_by_label(re.compile("^at(changed)?$")).fill("2026-10-25T02:30:00")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#form-summary")).to_contain_text("This time occurs twice.")
    page.get_by_role("button", name="Enter as text").click()
    page.get_by_label(re.compile("^at(changed)?$")).fill("2026-10-25T02:30:00.123456+01:00")
    page.get_by_label("note").fill("a\0b")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#form-summary")).to_contain_text("contains a NUL character, which the server can't store")
    page.get_by_label("note").fill("")
    page.get_by_label("Empty text").check()
    page.get_by_role("button", name="Run now").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    first = page.url.rsplit("/", 1)[1][:36]
    assert {k: v for one in logged(appliance, first, "VALUES") for k, v in one.items()} == SEEN
    page.goto(f"/runs/{first}?pane=parameters")
    expect(page.get_by_label("Parameters")).to_contain_text("9007199254740993")
    expect(page.get_by_label("Parameters")).to_contain_text("[1,1.0,18446744073709551617]")
    page.get_by_role("link", name="Run again…").click()
    expect(page.get_by_label("number")).to_have_value("9007199254740993")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(lambda url: "/runs/" in url and first not in url)
    again = page.url.rsplit("/", 1)[1][:36]
    assert {k: v for one in logged(appliance, again, "VALUES") for k, v in one.items()} == SEEN


BEFORE: dict[str, Any] = {
    "at": "2026-10-25T02:30:00.123456+02:00",
    "big": -0.0,
    "number": 9007199254740993,
    "note": "",
    "loose": {"a": [18446744073709551617, 1.0, 1e300]},
}
AFTER = {
    "at": "'2026-10-25T01:30:00.000001+00:00'",
    "big": "1e+20",
    "number": "9007199254740993",
    "note": "''",
    "loose": "{'a': [18446744073709551619, -0.0, 1.7976931348623157e+308, {'b': ''}]}",
}


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
@pytest.mark.xdist_group("ui")
def test_values_of_the_restart_form_arrive_exactly(appliance: Appliance, page: Page) -> None:
    run = appliance.create_run("refused", **BEFORE)
    appliance.wait_for(run, "FAILED")
    page.goto(f"/runs/{run}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Restart from a task…").click()
    form = page.get_by_role("alertdialog")

    def field(name: str) -> Locator:
        return form.get_by_label(re.compile(f"^{name}( required)?(changed)?$"))

    restart = form.get_by_role("button", name="Restart")
    expect(field("at")).to_have_value(BEFORE["at"])
    expect(field("big")).to_have_value("-0.0")
    expect(field("number")).to_have_value("9007199254740993")
    expect(field("note")).to_have_value("")
    expect(field("loose")).to_have_value(re.compile(r"18446744073709551617,\s+1\.0,\s+1e\+?300"))
    field("at").fill("")
    field("at").press_sequentially("2026-10-25T02:30:00.000001")
    restart.click()
    expect(form).to_contain_text(
        "Enter it as text: 2026-10-25T02:30:00.000001+02:00 or 2026-10-25T02:30:00.000001+01:00."
    )
    field("at").fill("2026-10-25T02:30:00.000001+01:00")
    field("big").fill("1e20")
    field("loose").fill('{"a": [18446744073709551619, -0.0, 1.7976931348623157e308, {"b": "\\u0000"}]}')
    restart.click()
    expect(form).to_contain_text("Parameter 'loose' contains a NUL character, which the server can't store; remove it.")
    field("loose").fill('{"a": [18446744073709551619, -0.0, 1.7976931348623157e308, {"b": ""}]}')
    restart.click()
    expect(form).to_have_count(0)
    until("the run ended again", lambda: len(refusals(appliance, run)) == 2)
    assert refusals(appliance, run)[1] == AFTER


def refusals(appliance: Appliance, run: str) -> list[Any]:
    """What the attempts of a run of the flow `refused` got."""
    lines = appliance.get(f"/api/v1/flow-runs/{run}/logs?limit=200")["items"]
    texts = [line["message"].removeprefix("REFUSED ") for line in lines if line["message"].startswith("REFUSED ")]
    return [json.loads(text) for text in texts]


def test_the_names_of_the_context_are_those_of_the_server(appliance: Appliance) -> None:
    run = appliance.create_run("names")
    (seen,) = logged(appliance, run, "NAMES")
    name = appliance.run(run)["name"]
    task = next(
        one for one in appliance.items(f"/api/v1/flow-runs/{run}/task-runs") if one["task_slug"].startswith("look")
    )
    assert seen["flow_run_id"] == run
    assert seen["flow_run_name"] == name
    assert seen["running_with_backend"] == "True"
    assert seen["task_run_id"] == str(ids.derived(UUID(run), task["task_slug"], -1))
    assert task.get("id", seen["task_run_id"]) == seen["task_run_id"]
    assert (seen["task_full_name"], seen["task_run_name"]) == ("look", f"{name} look 7")


def test_secrets_of_the_environment_reach_runs_masked(appliance: Appliance) -> None:
    lines = messages(appliance, appliance.create_run("secrets"))
    assert "the word is ***" in lines
    assert "from a file: ***" in lines
    environment = next(line for line in lines if line.startswith("environment: "))
    assert "'APPLIANCE_SECRET_DOOR': '***'" in environment
    shown = "\n".join(lines) + appliance.log_path.read_text()
    assert "open sesame" not in shown
    assert "abracadabra" not in shown


def test_service_links_are_named_once_and_ignored(appliance: Appliance) -> None:
    log = appliance.log_path.read_text()
    assert log.count("Ignoring APPLIANCE_PORT_80_TCP, APPLIANCE_SERVICE_HOST, which Kubernetes sets") == 1
