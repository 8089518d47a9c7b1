"""What `import appliance` must not load: it is paid by every run, so each heavy thing waits until somebody asks for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    *(
        "appliance.server",
        "appliance.agents",
        "appliance.cli",
        "appliance.client",
        "appliance.engine",
        "appliance.packaging",
    ),
    *(
        "sqlalchemy",
        "alembic",
        "litestar",
        "strawberry",
        "uvicorn",
        "gunicorn",
        "psycopg",
        "httpx",
        "httpx2",
        "msgspec",
    ),
    *("dask", "distributed", "docker", "kubernetes", "pydantic", "asyncio", "concurrent", "multiprocessing", "rich"),
    *("obstore", "fsspec", "paramiko", "pandas", "numpy", "cloudpickle", "dateutil", "cronsim", "ssl", "socket"),
    *("unittest", "pytest", "hypothesis", "click", "typer", "yaml", "jsonschema", "email", "http", "xml", "sqlite3"),
}

BUILD = """
from appliance import Flow, Parameter, task

@task
def one(x):
    return x

with Flow("f") as flow:
    one(one(Parameter("n", default=1)))
"""


def loaded(code: str) -> set[str]:
    """The heavy modules that a new interpreter has loaded after this code, beyond those it starts with."""
    script = f"import sys; before = set(sys.modules)\n{code}\nimport json; print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    found = set(json.loads(done.stdout.splitlines()[-1]))
    return {heavy for heavy in HEAVY if any(name == heavy or name.startswith(f"{heavy}.") for name in found)}


def test_importing_the_sdk_loads_nothing_heavy() -> None:
    assert loaded("import appliance") == set()


def test_building_a_flow_loads_nothing_heavy() -> None:
    assert loaded(BUILD) == set()


def test_running_a_flow_loads_the_engine_and_nothing_else_that_is_heavy() -> None:
    assert loaded(f"{BUILD}\nassert flow.run().is_successful()") == {"appliance.engine"}


@pytest.mark.parametrize("name", ["EnvVarSecret", "LocalResult", "ProcessExecutor", "S3Result"])
def test_names_that_load_late_are_there(name: str) -> None:
    import appliance

    assert name in appliance.__all__
    assert getattr(appliance, name).__name__ == name
