"""The SDK with nothing but the packages of its lock: all but the server works, and what doesn't says in one sentence what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.installs import ROOT, refuse_others

SERVER = {"litestar", "sqlalchemy", "sqlmodel", "alembic", "strawberry", "graphql", "gunicorn", "uvicorn", "uvloop"}
SERVER |= {"apscheduler", "psycopg", "prometheus_client", "argon2", "jsonschema", "httptools"}
EXTRAS = {
    "obstore",
    "docker",
    "kubernetes",
    "rich",
    "pandas",
    "distributed",
    "paramiko",
    "redis",
    "duckdb",
    "pyarrow",
    "pymysql",
    "paho",
    "feedparser",
}
SENTENCE = "Error: This needs the server, and only the SDK is installed; run: pip install 'appliance-flows[server]'\n"
WITHOUT_EXTRAS = {
    "appliance.agents.agent_metrics",
    "appliance.agents.container_watch",
    "appliance.agents.docker",
    "appliance.agents.kubernetes",
    "appliance.agents.kubernetes_cluster",
    "appliance.agents.kubernetes_watch",
    "appliance.agents.pod_metrics",
    "appliance.cli.apart",
    "appliance.cli.database",
    "appliance.cli.patient_server",
    "appliance.cli.workers",
    "appliance.engine.progress_live",
    "appliance.packaging.docker_engine",
    "appliance.packaging.image_build",
    "appliance.packaging.image_engine",
    "appliance.packaging.image_uses",
    "appliance.tasks.dataframes",
    "appliance.tasks.docker",
    "appliance.tasks.duckdb",
    "appliance.tasks.mqtt",
    "appliance.tasks.mysql",
    "appliance.tasks.object_stores",
    "appliance.tasks.postgres",
    "appliance.tasks.prometheus",
    "appliance.tasks.redis",
    "appliance.tasks.rss",
    "appliance.tasks.sftp",
    "appliance.tasks.sql",
    "appliance.tasks.sqlite",
    "appliance.tasks.ssh",
    "appliance.tasks.templates",
    "appliance.testing.plugin",
}
"""What only commands of the server load, metrics of agents, a live display, agents for containers and jobs, building images, and pytest."""

IMPORT_ALL = """
import importlib, pkgutil, sys
import appliance
failed = set()
for module in pkgutil.walk_packages(appliance.__path__, "appliance.", onerror=lambda name: None):
    if not module.name.startswith(("appliance.server", "appliance.__main__")):
        try:
            importlib.import_module(module.name)
        except ImportError:
            failed.add(module.name)
print(*sorted(failed))
"""
FLOW = """
from appliance import Flow, Parameter, task

@task
def double(n: int) -> int:
    return 2 * n

with Flow("doubles") as flow:
    double.map(Parameter("numbers", default=[1, 2], type=list[int]))

state = flow.run()
assert state.is_successful()
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("alone")
    assert refuse_others(folder, "requirements-sdk.lock") >= SERVER | EXTRAS
    return f"{folder}:{ROOT}"


def python(path: str, cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_module_but_those_of_the_server_can_be_imported(path: str, tmp_path: Path) -> None:
    done = python(path, tmp_path, "-c", IMPORT_ALL)
    assert set(done.stdout.split()) == WITHOUT_EXTRAS, done.stderr


def test_a_flow_runs(path: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    done = python(path, tmp_path, "flow.py")
    assert done.returncode == 0 and "Success" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "words", ["--help", "start --help", "backup create --help", "agent start process --help", "version"]
)
def test_the_command_line_helps(path: str, tmp_path: Path, words: str) -> None:
    done = python(path, tmp_path, "-m", "appliance", *words.split())
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "sqlite" not in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        *("start", "server", "services", "doctor rows", "admin reset", "admin setup-link"),
        *("backup create", "backup list", "backup verify copy.db", "backup restore copy.db"),
    ],
)
def test_commands_of_the_server_say_what_to_install(path: str, tmp_path: Path, words: str) -> None:
    done = python(path, tmp_path, "-m", "appliance", *words.split())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", SENTENCE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("from appliance import S3Result; S3Result('b').put('x', b'')", "pip install 'appliance-flows[object-stores]'"),
        ("from appliance import SFTPResult; SFTPResult('h', '/p').put('x', b'')", "pip install 'appliance-flows[sftp]'"),
        ("from appliance import DaskExecutor; DaskExecutor().start()", "pip install 'appliance-flows[dask]'"),
        ("from appliance import PandasSerializer; PandasSerializer('csv').serialize(1)", "pip install 'appliance-flows[pandas]'"),
        ("import appliance.server.domain.verbs", "pip install 'appliance-flows[server]'"),
    ],
)  # fmt: skip
def test_what_needs_an_extra_names_it(path: str, tmp_path: Path, code: str, sentence: str) -> None:
    done = python(path, tmp_path, "-c", code)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].endswith(sentence), done.stderr


def test_on_a_terminal_without_rich_lines_are_plain(path: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    code = "import pty, sys; sys.exit(pty.spawn([sys.executable, 'flow.py']) >> 8)"
    done = python(path, tmp_path, "-c", code, TERM="xterm")
    assert done.returncode == 0 and "Success" in done.stdout, done.stdout + done.stderr
