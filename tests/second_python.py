"""A Python of another version than that of the tests, if this machine has one: wheels for it are not at hand, so that what needs compiled ones can't be tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

_NAME = re.compile(r"python3\.(1[1-9]|[2-9][0-9])")


@cache
def second_python() -> tuple[str, Path]:
    """Its version, such as 3.12, and the folder that has it under its usual name. Skips the test where there is none."""
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep) if folder.startswith("/")]
    folders += sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
    own = f"python3.{sys.version_info.minor}"
    found = [file for folder in folders if folder.is_dir() for file in folder.iterdir() if _NAME.fullmatch(file.name)]
    for file in found:
        show = [str(file), "-I", "-c", "import sys, venv, ensurepip; print(sys.prefix)"]
        if file.name != own and subprocess.run(show, env={}, capture_output=True).returncode == 0:
            return file.name.removeprefix("python"), file.parent
    pytest.skip(f"this machine has no Python from 3.11 on beside {own}")
