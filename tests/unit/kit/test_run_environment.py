"""Which environment variables a flow may set."""

from __future__ import annotations

import pytest

from appliance.kit.run_environment import LONGEST_VALUE, MOST_VARIABLES, env_problem


@pytest.mark.parametrize(
    "name", ["TEAM", "team", "_x", "A1", "MY_PATH", "LDAP_HOST", "OLD_PYTHON", "PATHS", "APPLIANCE_RUN_LOG_LEVEL"]
)
def test_a_flow_sets_its_own(name: str) -> None:
    assert env_problem({name: "any text\nof any lines"}) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "path", "BROWSER", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "pythoninspect"),
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GCONV_PATH", "MALLOC_CHECK_"),
        *(
            "GLIBC_TUNABLES",
            "APPLIANCE_TOKEN",
            "APPLIANCE_URL",
            "APPLIANCE_SECRET_DOOR",
            "APPLIANCE_RUN_LOG_BYTES",
            "appliance_run_id",
        ),
    ],
)
def test_what_decides_how_processes_start_is_not_the_flows(name: str) -> None:
    assert env_problem({"TEAM": "data", name: "x"}).startswith(f"env can't set {name}, because")


@pytest.mark.parametrize("name", ["", "A=B", "A\0", "A B", "1A", "A-B", "Ä", "A\n", "A" * 256])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert env_problem({name: "x"}).startswith("env can't set ")


def test_there_is_an_end_to_it() -> None:
    assert "NUL" in env_problem({"A": "x\0y"})
    assert env_problem({"A": "x" * LONGEST_VALUE}) == ""
    assert "use at most" in env_problem({"A": "x" * (LONGEST_VALUE + 1)})
    assert "set at most" in env_problem({f"A{number}": "" for number in range(MOST_VARIABLES + 1)})
    much = {f"A{number}": "x" * LONGEST_VALUE for number in range(8)}
    assert env_problem({**much, "A7": ""}) == ""
    assert "env is too long in all (262,160)" in env_problem(much), "the kernel starts no process with megabytes"
