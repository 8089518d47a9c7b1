"""The packages of a flow, from its code or its project's file to the document that is registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance import CronClock, Flow, LocalRun, ProcessRun
from appliance.core.errors import FlowBuildError
from appliance.packaging import lock_files
from appliance.packaging.local import LocalStorage
from appliance.packaging.register import registration
from appliance.packaging.run_config_tables import run_config_of
from appliance.protocol.run_config import decode, environment_of

HASH = f"--hash=sha256:{'a' * 64}"
LOCK = f"# made\nsix==1.17 \\\n    {HASH}\npandas==2.2.3 {HASH}\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "flow.py").write_text("from appliance import Flow\nflow = Flow('f')\n")
    return tmp_path / "src" / "flow.py"


def registered(source: Path, config: ProcessRun) -> dict[str, Any]:
    flow = Flow("f", run_config=config)
    document: dict[str, Any] = registration(flow, "p", storage=LocalStorage.of(source, "f")).document["run_config"]
    return document


def test_the_lock_is_read_at_registration(source: Path) -> None:
    (source.parent / "own.lock").write_text(LOCK)
    document = registered(source, ProcessRun(python="3.12", lock="own.lock"))
    assert document["requirements"] == [f"pandas==2.2.3 {HASH}", f"six==1.17 {HASH}"] and "lock" not in document
    wanted = environment_of(decode(document))
    assert wanted is not None and wanted.python == "3.12"
    (source.parents[1] / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (source.parents[1] / "own.lock").write_text("six==1.0\n")
    assert registered(source, ProcessRun(lock=Path("own.lock")))["requirements"] == ["six==1.0"], "of the project"


def test_the_lock_of_a_clock_is_read_at_registration(source: Path) -> None:
    (source.parent / "own.lock").write_text(LOCK)
    flow = Flow("f", schedule=CronClock("@daily", run_config=ProcessRun(lock="own.lock")))
    [schedule] = registration(flow, "p", storage=LocalStorage.of(source, "f")).document["schedules"]
    assert schedule["run_config"]["requirements"] == [f"pandas==2.2.3 {HASH}", f"six==1.17 {HASH}"]
    assert "lock" not in schedule["run_config"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read: No such file"),
        ("--index-url http://evil.test/simple\nsix==1.0\n", "it is an option"),
        ("-e .\n", "it is an option"),
        ("six @ file:///x.whl\n", "an address or a path"),
        (f"six==1.0\npandas==1.0 {HASH}\n", "has no hash"),
        ("# nothing\n", "names no package"),
        ("a==1\n" * 501, "more than 500"),
    ],
)
def test_a_lock_that_can_not_be_used_is_refused(source: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (source.parent / "own.lock").write_text(content)
    with pytest.raises(FlowBuildError, match=reason) as caught:
        registered(source, ProcessRun(lock="own.lock"))
    assert str(source.parent / "own.lock") in str(caught.value)


def test_other_locks_than_texts_are_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source.parent / "own.lock").write_bytes(b"\xff\xfe")
    with pytest.raises(FlowBuildError, match="not a text in UTF-8"):
        registered(source, ProcessRun(lock="own.lock"))
    monkeypatch.setattr(lock_files, "_LONGEST", 1)
    with pytest.raises(FlowBuildError, match="longer than 4 MB"):
        registered(source, ProcessRun(lock="own.lock"))


def test_requirements_are_in_one_order_and_checked_in_the_code() -> None:
    config = ProcessRun(requirements=["six  == 1.0", "pandas==2.2.3"])
    assert config.to_document()["requirements"] == ["pandas==2.2.3", "six == 1.0"]
    for wrong in (["six"], ["-r other.txt"], ["six==1.0 --index-url=x"], ["https://evil.test/six.whl"]):
        with pytest.raises(ValueError, match="A requirement can't be"):
            ProcessRun(requirements=wrong)
    with pytest.raises(ValueError, match="either requirements or a lock"):
        ProcessRun(requirements=["six==1.0"], lock="own.lock")
    with pytest.raises(ValueError, match=r"python can't be '2\.7'"):
        ProcessRun(python="2.7")


def test_run_configs_without_packages_keep_their_documents() -> None:
    assert set(LocalRun().to_document()) == {"type", "env", "labels", "working_dir"}
    assert environment_of(decode(ProcessRun().to_document())) is None


@pytest.mark.parametrize(
    "document",
    [
        {"type": "process", "requirements": ["--index-url http://evil.test"]},
        {"type": "local", "requirements": ["six @ http://evil.test/six.whl"]},
        {"type": "process", "python": "/bin/../sh"},
        {"type": "process", "lock": "own.lock"},
        {"type": "universal", "requirements": ["six==1.0"]},
    ],
)
def test_servers_and_agents_refuse_what_no_sdk_sends(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        decode(document)


def test_a_table_of_the_project_may_say_it() -> None:
    document = run_config_of("f", {"lock": "own.lock", "python": "3.12", "env": {"A": "b"}})
    assert document == {"type": "process", "env": {"A": "b"}, "working_dir": None, "python": "3.12", "lock": "own.lock"}
    assert run_config_of("f", {"type": "process", "requirements": ["six==1.0"]})["requirements"] == ["six==1.0"]
    with pytest.raises(TypeError, match="reqirements"):
        run_config_of("f", {"reqirements": ["six==1.0"]})
