"""What `import appliance` must not load: it is paid by every run, so each heavy thing waits until somebody asks for it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import FunctionType

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

UNUSED = {
    *("appliance.schedules", "appliance.core.logs", "appliance.core.results", "appliance.core.fingerprints"),
    *("logging", "traceback", "pathlib", "urllib", "ipaddress", "zoneinfo", "sysconfig", "json", "difflib", "random"),
    *("base64", "decimal", "fractions", "hashlib", "heapq", "locale", "pickle", "tempfile", "uuid"),
}
"""What importing the SDK and building a simple flow leaves to those who use it: together half of the time that this would take."""

BUILD = """
from appliance import Flow, Parameter, task

@task
def one(x):
    return x

with Flow("f") as flow:
    one(one(Parameter("n", default=1)))
"""


def loaded(code: str, modules: set[str] = HEAVY) -> set[str]:
    """Those of the modules that a new interpreter has loaded after this code, beyond those it starts with."""
    script = f"import sys; before = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    found = done.stdout.splitlines()[-1].split()
    return {module for module in modules if any(name == module or name.startswith(f"{module}.") for name in found)}


def test_importing_the_sdk_loads_nothing_heavy() -> None:
    assert loaded("import appliance") == set()


def test_building_a_flow_loads_nothing_heavy() -> None:
    assert loaded(BUILD) == set()


@pytest.mark.parametrize("code", ["from appliance import Flow, task", BUILD])
def test_the_front_door_loads_only_what_every_flow_needs(code: str) -> None:
    assert loaded(code, UNUSED) == set()


def test_running_a_flow_loads_the_engine_and_nothing_else_that_is_heavy() -> None:
    # Its pools are made to follow the task that uses them; importing them takes a millisecond.
    assert loaded(f"{BUILD}\nassert flow.run().is_successful()") == {"appliance.engine", "concurrent"}


def test_running_a_flow_without_a_schedule_loads_none() -> None:
    assert loaded(f"{BUILD}\nassert flow.run().is_successful()", {"appliance.schedules", "difflib"}) == set()


MODULES = {
    "adjustments": "appliance.schedules.adjustments",
    "artifacts": "appliance.core.artifacts",
    "cache_validators": "appliance.core.cache_validators",
    "control_flow": "appliance.core.control",
    "executors": "appliance.engine.executors",
    "filters": "appliance.schedules.filters",
    "results": "appliance.engine.results",
    "run_configs": "appliance.core.run_config",
    "secrets": "appliance.core.secrets",
    "serializers": "appliance.core.result_serializers",
    "signals": "appliance.core.signals",
    "states": "appliance.core.states",
    "triggers": "appliance.core.triggers",
}
"""The modules that authors import from, and where their names are defined."""


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_names_of_its_subject(name: str) -> None:
    import appliance

    module = importlib.import_module(f"appliance.{name}")
    for public in module.__all__:
        thing = getattr(module, public)
        assert getattr(appliance, public, thing) is thing, public
    for public in appliance.__all__:
        thing = getattr(appliance, public)
        if getattr(thing, "__module__", "").startswith(MODULES[name]):
            assert public in module.__all__, public


@pytest.mark.parametrize("name", ["states", "signals", "triggers"])
def test_a_module_that_is_also_a_name_of_the_sdk_has_all_of_it(name: str) -> None:
    home = importlib.import_module(MODULES[name])
    module = importlib.import_module(f"appliance.{name}")
    own = {
        key
        for key, thing in vars(home).items()
        if isinstance(thing, type | FunctionType) and thing.__module__ == home.__name__ and key[0] != "_"
    }
    assert own - set(module.__all__) <= {"from_wire", "expanded"}, "what only the engine needs"


@pytest.mark.parametrize("name", ["artifacts", "control_flow", "filters", "signals", "states", "triggers"])
def test_importing_a_module_of_the_sdk_loads_nothing_heavy(name: str) -> None:
    assert loaded(f"import appliance.{name}") == set()


@pytest.mark.parametrize("name", ["EnvVarSecret", "LocalResult", "ProcessExecutor", "S3Result"])
def test_names_that_load_late_are_there(name: str) -> None:
    import appliance

    assert name in appliance.__all__
    assert getattr(appliance, name).__name__ == name
