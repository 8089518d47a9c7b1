"""Secrets of a real appliance: from the command line and the browser to the runs of its agent, and to nowhere else."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.e2e.appliance_process import TOKEN, Appliance, clean_environment, running
from tests.e2e.browser import axe_violations, chromium_running, sign_in, visitor, why_not

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("secrets")]

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "secrets.md"
WORD = "canary-under-an-agent"
KEY = "canary-of-the-first-line\ncanary-of-the-second-line\n"
CANARY = "canary-"


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "key").write_text(KEY)
    with running(folder / "data") as ready:
        for name, value in (("WORD", WORD), ("KEY", KEY)):
            done = subprocess.run(
                [sys.executable, "-m", "appliance", "secret", "set", name, "--project", "tests"],
                input=value,
                env=clean_environment(APPLIANCE_URL=ready.url, APPLIANCE_TOKEN=TOKEN),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0 and CANARY not in done.stdout + done.stderr, done.stderr
        ready.register("secretive.py")
        yield ready


def lines_of(appliance: Appliance, run: str) -> list[str]:
    return [line["message"] for line in appliance.get(f"/api/v1/flow-runs/{run}/logs?limit=200")["items"]]


def files_with(place: Path, text: str) -> list[str]:
    return [
        str(file)
        for file in place.rglob("*")
        if file.is_file() and file.name != "reserve.bin" and text.encode() in file.read_bytes()
    ]


@pytest.mark.parametrize(
    ("flow", "parameters"), [("here", {}), ("in-processes", {}), ("chosen", {"name": "WORD"})], ids=str
)
def test_a_run_reads_secrets_that_nobody_sees(appliance: Appliance, flow: str, parameters: dict[str, Any]) -> None:
    run = appliance.create_run(flow, **parameters)
    appliance.wait_for(run, "SUCCESS")
    lines = lines_of(appliance, run)
    text = "\n".join(lines)
    assert CANARY not in text
    assert lines.count("a line of it: ***") == 2
    assert "a library says ***" in text and "past Python: ***" in text and "in the environment: False" in text
    for path in ("", "/task-runs", "/states", "/logs"):
        assert CANARY not in str(appliance.get(f"/api/v1/flow-runs/{run}{path}"))
    assert files_with(appliance.data_dir, CANARY) == []
    assert files_with(appliance.data_dir, "secretive.py") != [], "it would find what is there"


def test_a_failure_shows_no_secret(appliance: Appliance) -> None:
    run = appliance.wait_for(appliance.create_run("failing"), "FAILED")
    assert "ValueError: *** is wrong" in run["state_message"] and CANARY not in str(run)
    assert any("*** is wrong" in line for line in lines_of(appliance, run["id"]))
    assert files_with(appliance.data_dir, CANARY) == []


def test_an_undeclared_secret_is_refused(appliance: Appliance) -> None:
    run = appliance.wait_for(appliance.create_run("undeclared"), "FAILED")
    assert "doesn't declare the secret 'OTHER'; write Flow(..., secrets=['OTHER'])" in run["state_message"]


def test_the_key_is_private(appliance: Appliance) -> None:
    key = appliance.data_dir / "secrets.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.stat().st_uid == (appliance.data_dir / "appliance.db").stat().st_uid


def test_a_plain_run_says_that_the_server_is_for_agents(appliance: Appliance) -> None:
    code = "from tests.e2e.flows import secretive; secretive.here.run()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(APPLIANCE_URL=appliance.url, APPLIANCE_TOKEN=TOKEN),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "The server gives its secrets only to runs under an agent." in done.stderr
    assert CANARY not in done.stdout + done.stderr


def commands(page: str) -> list[str]:
    """What the page shows for a terminal."""
    return [line for block in re.findall(r"```console\n(.*?)```", page, re.S) for line in block.splitlines()]


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    [(name, flow)] = re.findall(r'```python title="([^"]+)"\n(.*?)```', page, re.S)
    (tmp_path / name).write_text(flow)
    (tmp_path / "id_ed25519").write_text("the key that opens\n")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "appliance"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m appliance "$@"\n')
    command.chmod(0o755)
    shown = commands(page)
    assert len(shown) >= 7
    with running(tmp_path / "data") as ready:
        own = {"APPLIANCE_URL": ready.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_DATA_DIR": str(ready.data_dir)}
        environment = clean_environment(**own) | {"PATH": f"{command.parent}:{os.environ['PATH']}"}
        outputs = {}
        for line in shown:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", line],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            outputs[line] = done.stdout
    run = outputs["appliance run deploy --project vault --watch"]
    assert "opening with ***" in run and "Success" in run
    assert "2 secrets sealed with key" in outputs["appliance admin secrets-key rotate"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if why_not() or shutil.which("chromium") is None:
        pytest.skip(why_not() or "no Chromium")
    with chromium_running() as ready:
        yield ready


def test_the_browser_never_gets_a_value_back(browser: Browser, appliance: Appliance) -> None:
    value = "canary-from-the-browser"
    answers: list[Response] = []
    with visitor(browser, appliance) as (page, _watch):
        sign_in(page)
        page.on("response", lambda answer: answers.append(answer))
        page.get_by_role("link", name="Secrets").click()
        page.get_by_role("button", name="New secret…").click()
        page.get_by_role("combobox", name="Project").fill("tests")
        page.get_by_role("textbox", name="Name").fill("TYPED")
        page.get_by_role("textbox", name="Value").fill(value)
        assert axe_violations(page) == []
        page.get_by_role("button", name="Create secret").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="TYPED"))
        expect(row).to_contain_text("No flow declares it.")
        asked = [answer.text() for answer in answers if "/graphql" in answer.url]
        assert len(asked) > 2 and not any(value in text for text in asked)
        page.reload()
        expect(row).to_be_visible()
        assert value not in page.content()
        assert value not in str(page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])"))
        assert axe_violations(page) == []
        page.get_by_role("button", name="Delete secret TYPED").click()
        page.get_by_role("button", name="Delete secret", exact=True).click()
        expect(row).to_have_count(0)
    assert files_with(appliance.data_dir, value) == []
