"""Addresses of places, the place that a site gives its runs, and what a kill in the middle of a write leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from appliance import config
from appliance.agents.process import ProcessAgent
from appliance.client.transport import Transport
from appliance.core.errors import ResultError
from appliance.engine.results.addresses import checkpointing, default_result, result_from_url
from appliance.engine.results.local import LocalResult
from appliance.protocol.agents import Work
from appliance.protocol.run_config import RunConfigDocument
from tests.roots import ANYWHERE


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:///srv/results", "<LocalResult file:///srv/results>"),
        ("file:///srv/with%20space", "<LocalResult file:///srv/with%20space>"),
        ("s3://box", "<S3Result s3://box>"),
        ("s3://box/a/b/", "<S3Result s3://box/a/b>"),
        ("gs://box/a", "<GCSResult gs://box/a>"),
        ("az://container/a", "<AzureResult az://container/a>"),
        ("sftp://ada@host/srv", "<SFTPResult sftp://ada@host/srv>"),
        ("sftp://host:2222/srv/x/", "<SFTPResult sftp://host:2222/srv/x>"),
    ],
)
def test_an_address_names_its_place(url: str, shown: str) -> None:
    assert repr(result_from_url(url)) == shown
    assert repr(result_from_url(result_from_url(url).address)) == shown


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "x",
            "file://",
            "file:///",
            "file://host/x",
            "s3:///x",
            "s3://",
            "http://h/x",
            "sftp://h",
            "sftp://h:x/y",
            "s3://[x/y",
        ),
        *("s3://k:secret@box/x", "sftp://ada:secret@h/x", "az://c/x?sig=secret", "s3://box/../x", "gs://box/a//b"),
    ],
)
def test_what_is_no_address_is_one_sentence(url: str) -> None:
    with pytest.raises(ResultError) as caught:
        result_from_url(url)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_the_sites_place_comes_from_the_environment(tmp_path: Path) -> None:
    assert default_result({}) is None and default_result({"APPLIANCE_RESULTS_URL": ""}) is None
    found = default_result({"APPLIANCE_RESULTS_URL": "file:///x"})
    assert found is not None and found.optional
    (tmp_path / "url").write_text("s3://box\n")
    assert repr(default_result({"APPLIANCE_RESULTS_URL_FILE": str(tmp_path / "url")})) == "<S3Result s3://box>"
    with pytest.raises(ResultError, match="both set"):
        default_result({"APPLIANCE_RESULTS_URL": "s3://a", "APPLIANCE_RESULTS_URL_FILE": "b"})
    assert [checkpointing({"APPLIANCE_CHECKPOINTING": text}) for text in ("1", "true", "On", "0", "", "no")] == [
        *(True, True, True, False, False, False)
    ]


def test_the_embedded_agents_place_lies_in_the_data_directory(tmp_path: Path) -> None:
    settings = config.load({"APPLIANCE_DATA_DIR": str(tmp_path), "APPLIANCE_CHECKPOINTING": "1"})
    assert settings.results == (tmp_path / "results").as_uri()
    assert config.load({"APPLIANCE_RESULTS_URL": "s3://box"}).results == "s3://box"


def test_runs_get_the_agents_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", "file:///of-the-agents-own-environment")

    def environ(results_url: str) -> dict[str, str]:
        agent = ProcessAgent(
            Transport("http://appliance.test", "t"),
            name="a",
            state_dir=tmp_path,
            roots=ANYWHERE,
            warm=False,
            results_url=results_url,
        )
        work = Work(
            flow_run_id=uuid4(),
            attempt=1,
            run_token="t",
            name="r",
            flow="f",
            project="p",
            storage={},
            run_config={},
        )
        return agent._environ(work, RunConfigDocument(), tmp_path, None)

    assert environ("s3://site")["APPLIANCE_RESULTS_URL"] == "s3://site"
    assert "APPLIANCE_RESULTS_URL" not in environ("")


WRITER = """
import sys
from appliance.engine.results.local import LocalResult
place = LocalResult(sys.argv[1])
while True:
    for letter in "ab":
        place.store(letter * 3_000_000, "shared")
        print("written", flush=True)
"""


def test_a_killed_writer_leaves_a_whole_result(tmp_path: Path) -> None:
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(3):
                process.stdout.readline()
            process.kill()
        value = LocalResult(tmp_path).read("shared")
        assert value in ("a" * 3_000_000, "b" * 3_000_000)
    assert {path.suffix for path in tmp_path.iterdir() if path.name != "shared"} <= {".draft"}
