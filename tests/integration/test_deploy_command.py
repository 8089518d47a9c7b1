"""`appliance deploy`, and `appliance register --dry-run`: what changes is shown first, and the same again changes nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec
import pytest

from appliance.cli.root import invoke
from appliance.client import flows
from appliance.client.errors import Unreachable
from appliance.client.transport import Transport
from appliance.packaging import local_agent
from appliance.protocol.flows import Registered, Registration
from appliance.server.actions import schedules
from appliance.server.db.tables import metadata
from tests.integration.builders import ALICE, rows
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run
from tests.unit.packaging.test_files import FLOW, write

__all__ = ["address", "database", "run", "site"]

TABLE = """
[tool.appliance]
project = "finance"

[tool.appliance.flows.nightly]
labels = ["gpu"]
schedules = [{ cron = "30 2 * * *", overlap = "skip" }, { interval = 3600, labels = ["hourly"] }]
"""


@pytest.fixture
def said(address: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """The command line: its output and what it says besides."""

    def call(*arguments: str, code: int = 0) -> tuple[str, str]:
        assert invoke(list(arguments)) == code
        output = capsys.readouterr()
        return output.out, output.err

    return call


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "pyproject.toml", TABLE)
    write(tmp_path / "src" / "sales_of_test" / "__init__.py", "")
    write(tmp_path / "src" / "sales_of_test" / "rates.py", "RATE = 1\n")
    write(tmp_path / "src" / "sales_of_test" / "nightly.py", "from .rates import RATE\n" + FLOW.format(name="nightly"))
    write(tmp_path / "src" / "sales_of_test" / "weekly.py", FLOW.format(name="weekly"))
    write(tmp_path / "setup.py", "raise RuntimeError('executed')\n" + FLOW.format(name="setup"))
    return tmp_path


def versions(site: Site) -> list[tuple[str, int]]:
    names = rows(
        site.database, "select f.name, v.number from flow f join flow_version v on v.flow_id = f.id order by 1, 2"
    )
    return [(row["name"], row["number"]) for row in names]


def times(site: Site) -> list[tuple[str, str]]:
    return sorted((row["kind"], row["origin"]) for row in rows(site.database, "select kind, origin from schedule"))


def everything(site: Site) -> dict[str, Any]:
    tables = set(metadata.tables) - {"request_key", "lease", "api_token"}
    return {table: rows(site.database, f'select * from "{table}"') for table in sorted(tables)}


def test_deploying_is_shown_first_and_done_once(site: Site, said: Callable[..., Any], project: Path) -> None:
    before = everything(site)
    shown, _ = said("deploy", str(project), "--dry-run")
    assert shown.startswith("+ finance/nightly: new flow, version 1\n")
    assert "with src/sales_of_test/__init__.py, src/sales_of_test/rates.py, src/sales_of_test/weekly.py\n" in shown
    assert "labels gpu" in shown and '+ schedule "Every day at 02:30' in shown
    assert "+ finance/weekly: new flow, version 1" in shown and "setup" not in shown
    assert everything(site) == before

    done, _ = said("deploy", str(project), "--yes")
    assert "finance/nightly: registered as version 1" in done
    assert times(site) == [("cron", "code"), ("interval", "code")]
    once = everything(site)
    again, _ = said("deploy", str(project), "--yes")
    assert "= finance/nightly: unchanged, version 1" in again and again.endswith("Nothing changes.\n")
    assert everything(site) == once


def test_the_secrets_that_a_version_declares_are_shown(said: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "vault.py", FLOW.format(name="vault").replace('"vault"', '"vault", secrets=["DOOR"]'))
    options = ("register", str(tmp_path), "--project", "vault", "--dry-run")
    assert "    secrets DOOR\n" in said(*options)[0]
    assert msgspec.json.decode(said(*options, "--json")[0])[0]["secrets"] == ["DOOR"]


def test_a_changed_helper_and_a_schedule_that_vanished(site: Site, said: Callable[..., Any], project: Path) -> None:
    said("deploy", str(project), "--yes")
    flow = rows(site.database, "select id from flow where name = 'nightly'")[0]["id"]
    schedules.create(site.database, ALICE, UUID(str(flow)), {"kind": "cron", "cron": "0 9 * * *"})
    write(project / "src" / "sales_of_test" / "rates.py", "RATE = 2\n")
    write(project / "pyproject.toml", TABLE.replace(', { interval = 3600, labels = ["hourly"] }', ""))
    shown, _ = said("deploy", str(project), "--dry-run")
    assert '~ finance/nightly: version 2 (file src/sales_of_test/rates.py changed; schedule "Every hour' in shown
    assert '- schedule "Every hour' in shown
    assert '= schedule "Every day at 09:00" was made by a person and stays' in shown
    (first, second) = msgspec.json.decode(said("deploy", str(project), "--dry-run", "--json")[0])
    assert (first["flow"], first["version"], first["created"], first["module"]) == (
        "nightly",
        2,
        True,
        "sales_of_test.nightly",
    )
    assert [item["outcome"] for item in first["schedules"]] == ["removed"] and len(first["other_schedules"]) == 1
    assert second["created"]
    said("deploy", str(project), "--yes", "--json")
    assert versions(site) == [("nightly", 1), ("nightly", 2), ("weekly", 1), ("weekly", 2)]
    assert times(site) == [("cron", "code"), ("cron", "ui")]


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (
            "src/broken.py",
            "from appliance import Flow\nflow = Flow('x')\n1 / 0\n",
            "broken.py can't be loaded: ZeroDivisionError",
        ),
        ("src/twin.py", FLOW.format(name="weekly"), "Two flows are named 'weekly'"),
        (
            "pyproject.toml",
            TABLE + "[tool.appliance.flows.weekley]\n",
            "no flow 'weekley' in the project; did you mean 'weekly'",
        ),
        ("pyproject.toml", TABLE + "[tool.appliance.flows.weekly]\nlabel = []\n", "line 9: .*did you mean labels"),
        (
            "pyproject.toml",
            TABLE + "[tool.appliance.flows.setup]\nsource = 'setup.py'\n",
            "setup.py can't be loaded: RuntimeError",
        ),
        ("pyproject.toml", "[tool.other]\n", "Name the project: --project"),
        ("pyproject.toml", "[tool.appliance", "can't be read"),
        (
            "pyproject.toml",
            TABLE.replace("30 2", "99 2"),
            r"line 7: \[tool.appliance.flows.nightly\]: .*99",
        ),
    ],
)
def test_if_one_flow_can_not_be_deployed_none_is(
    site: Site, said: Callable[..., Any], project: Path, file: str, text: str, sentence: str
) -> None:
    write(project / file, text)
    _, error = said("deploy", str(project), "--yes", code=2)
    assert re.search(sentence, error), error
    lines = [line.removeprefix("Error: ") for line in error.splitlines() if line]
    assert len(lines) == len(set(lines)), "each problem is said once"
    assert "Traceback" not in error and versions(site) == []


def test_what_the_server_would_refuse_is_said_before_anything_is_done(
    site: Site, said: Callable[..., Any], run: Callable[..., str], project: Path
) -> None:
    said("deploy", str(project), "--yes")
    run("flow", "archive", "finance/weekly")
    write(project / "src" / "sales_of_test" / "rates.py", "RATE = 2\n")
    _, error = said("deploy", str(project), "--yes", code=2)
    assert "weekly: Flow 'weekly' is archived" in error and "Nothing was deployed." in error
    assert versions(site) == [("nightly", 1), ("weekly", 1)]


def test_without_a_terminal_it_needs_a_yes(
    site: Site, said: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    _, error = said("deploy", str(project), code=2)
    assert "add --yes" in error and versions(site) == []


@pytest.mark.parametrize(("answer", "count"), [("n\n", 0), ("y\n", 2)])
def test_on_a_terminal_it_asks(
    site: Site, said: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch, answer: str, count: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _prompt: answer.strip())
    said("deploy", str(project), code=0 if count else 1)
    assert len(versions(site)) == count


def test_a_deploy_that_is_cut_off_is_finished_by_the_next(
    site: Site, said: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, sent = flows.register, []

    def cut(transport: Transport, request: Registration) -> Registered:
        if sent:
            raise Unreachable(transport.url, "ConnectError")
        sent.append(request.name)
        return send(transport, request)

    with monkeypatch.context() as patch:
        patch.setattr(local_agent.flows, "register", cut)
        _, error = said("deploy", str(project), "--yes", code=3)
    assert "Registered 1 of 2 flows (nightly); run the command again for the rest." in error
    assert versions(site) == [("nightly", 1)]
    shown, _ = said("deploy", str(project), "--yes")
    assert "= finance/nightly: unchanged" in shown and "finance/weekly: registered as version 1" in shown
    assert versions(site) == [("nightly", 1), ("weekly", 1)]


def test_a_part_of_a_project_is_deployed(site: Site, said: Callable[..., Any], project: Path) -> None:
    said("deploy", str(project / "src" / "sales_of_test" / "weekly.py"), "--yes")
    assert versions(site) == [("weekly", 1)]


def test_a_folder_without_a_project_is_a_sentence(said: Callable[..., Any], tmp_path: Path) -> None:
    _, error = said("deploy", str(tmp_path), code=2)
    assert "There is no pyproject.toml in" in error


def test_registering_reports_each_broken_flow_and_registers_the_others(
    site: Site, said: Callable[..., Any], project: Path
) -> None:
    write(project / "src" / "broken.py", "from appliance import Flow\nflow = Flow('x')\n1 / 0\n")
    shown, error = said("register", str(project), "--project", "finance", "--dry-run", code=1)
    assert "+ finance/weekly: new flow, version 1" in shown and "broken.py can't be loaded" in error
    assert versions(site) == []
    shown, error = said("register", str(project), "--project", "finance", code=1)
    assert (
        "finance/weekly: registered as version 1" in shown and "ZeroDivisionError: division by zero in line 3" in error
    )
    assert versions(site) == [("nightly", 1), ("weekly", 1)]
    assert "2 flows registered, 1 problem:" in error
