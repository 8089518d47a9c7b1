"""Secrets of the environment reach the process, and nobody sees them in /proc."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
before = sys.argv[1:]
from appliance.kit import hidden_environment
hidden_environment.hide()
print(os.environ.get("APPLIANCE_ADMIN_TOKEN"), os.environ.get("APPLIANCE_SECRET_DOOR"), os.environ.get("APPLIANCE_PORT"), before)
print(b"open sesame" in Path("/proc/self/environ").read_bytes(), "APPLIANCE_HIDDEN_ENVIRONMENT" in os.environ)
"""


MEMORY = """
from appliance.kit import hidden_environment, hidden_memory
hidden_environment.hide()
print(hidden_memory.is_hidden())
"""


def run(*arguments: str, program: str = PROGRAM, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


SECRETS = {"APPLIANCE_ADMIN_TOKEN": "open sesame", "APPLIANCE_SECRET_DOOR": "open sesame", "APPLIANCE_PORT": "1"}


@pytest.mark.parametrize("command", [["start", "--port", "1"], ["server"], ["services"], ["agent", "start", "process"]])
def test_a_command_that_stays_replaces_itself(command: list[str]) -> None:
    assert run(*command, **SECRETS).stdout == f"open sesame open sesame 1 {command}\nFalse False\n"


@pytest.mark.parametrize("secrets", [{}, SECRETS])
@pytest.mark.parametrize(
    ("command", "hidden"), [("start", True), ("server", True), ("services", True), ("agent", True), ("get", False)]
)
def test_a_command_that_stays_hides_its_memory(command: str, hidden: bool, secrets: dict[str, str]) -> None:
    assert run(command, program=MEMORY, **secrets).stdout == f"{hidden}\n"


def test_other_commands_are_gone_soon_enough() -> None:
    assert run("get", "flows", **SECRETS).stdout == "open sesame open sesame 1 ['get', 'flows']\nTrue False\n"


def test_a_made_up_file_is_refused_in_one_sentence() -> None:
    done = run("start", APPLIANCE_HIDDEN_ENVIRONMENT="99")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "APPLIANCE_HIDDEN_ENVIRONMENT is not for you to set" in done.stderr
