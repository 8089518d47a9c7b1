"""`appliance artifact`: what people see of artifacts on the command line, and what lands on their disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.root import invoke
from tests.integration.artifact_requests import made
from tests.integration.lasting import address, database, site
from tests.integration.result_doors import begun
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
TABLE = b'{"columns": ["city", "n"], "rows": [%s]}'


def report(site: Site, **fields: Any) -> Any:
    work = begun(site.database)
    made(site.database, work, b"# Report\n\x1b[31mred", key="report", title="Daily", task_slug="load-1", map_index=3)
    return work


def test_they_are_listed(site: Site, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = report(site), report(site)
    made(site.database, second, b"x", "b", 2, kind="file", file_name="data.csv")
    listed = run("artifact", "list")
    assert [line.split()[0] for line in listed.splitlines()] == ["KIND", "file", "markdown", "markdown"]
    assert "report 2" in listed and "Daily" in listed and "load-1[3]" in listed and "data.csv" in listed
    (only,) = json.loads(run("artifact", "list", "--run", str(first.flow_run_id), "--json"))
    assert (only["key"], only["version"], "content" in only) == ("report", 1, False)
    assert len(json.loads(run("artifact", "list", "--flow", "etl", "--json"))) == 3
    assert [one["version"] for one in json.loads(run("artifact", "list", "--latest", "--prefix", "re", "--json"))] == [
        2
    ]
    versions = json.loads(run("artifact", "list", "--project", "demo", "--key", "report", "--limit", "1", "--json"))
    assert [one["version"] for one in versions] == [2]
    for wrong in (["--latest", "--key", "x"], ["--prefix", "x"]):
        assert invoke(["artifact", "list", *wrong]) == 2
    assert "--latest" in capsys.readouterr().err


def test_texts_and_tables_are_shown_without_effects_on_the_terminal(site: Site, run: Any) -> None:
    work = report(site)
    shown = run("artifact", "show", "demo/report")
    assert "Version 1 of report: markdown" in shown and "# Report" in shown and "\x1b" not in shown
    table = TABLE % b",".join(b'["x", %d]' % n for n in range(60))
    made(site.database, work, table, "b", 2, kind="table", key="cities")
    shown = run("artifact", "show", "cities")
    assert "city  n" in shown and "x     49" in shown and "x     50" not in shown and "10 more rows" in shown
    bar = made(site.database, work, b"", "c", 3, kind="progress", progress=40)
    assert "progress, 40 %" in run("artifact", "show", str(bar.id))
    page = made(site.database, work, b"<script>", "d", 4, kind="html")
    assert "<script>" not in run("artifact", "show", str(page.id))


def test_a_key_that_is_mistyped_or_in_two_projects_is_said(
    site: Site, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    report(site)
    made(site.database, begun(site.database, project="another"), key="report")
    assert invoke(["artifact", "show", "reprt"]) == 2
    assert "did you mean 'report'?" in capsys.readouterr().err
    assert invoke(["artifact", "show", "report"]) == 2
    assert "2 artifacts match 'report'" in capsys.readouterr().err


def test_they_are_downloaded(
    site: Site, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    work, content = report(site), bytes(range(256))
    file = str(made(site.database, work, content, "b", 2, kind="file", file_name="data.bin").id)
    empty = str(made(site.database, work, b"", "c", 3, kind="file", file_name="empty").id)
    for one in ("report", file, empty):
        assert invoke(["artifact", "download", one]) == 0
    assert (tmp_path / "data.bin").read_bytes() == content and (tmp_path / "empty").read_bytes() == b""
    assert (tmp_path / "report-1.md").read_bytes().startswith(b"# Report")
    assert invoke(["artifact", "download", file]) == 2
    assert "data.bin exists" in capsys.readouterr().err
    assert invoke(["artifact", "download", file, "--force", "--to", str(tmp_path / "other.bin")]) == 0
    assert invoke(["artifact", "download", file, "--to", "/nowhere/x"]) == 2
    assert (tmp_path / "other.bin").read_bytes() == content


def test_one_is_deleted_and_the_others_stay(site: Site, run: Any) -> None:
    report(site), report(site)
    assert " is deleted." in run("artifact", "delete", "report", "--yes")
    assert "report 1" in run("artifact", "list")
