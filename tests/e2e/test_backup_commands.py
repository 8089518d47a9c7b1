"""The commands of administer.md for backup, restore and upgrade, run literally."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.server.db import migrate, revisions
from tests.e2e.appliance_process import Appliance
from tests.e2e.test_database_files import names, run_sums, runs_in

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pages" / "administer.md").read_text()


def blocks(heading: str) -> list[str]:
    """The shell commands below a heading."""
    section = re.split(r"^## ", PAGE.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


BACKUP, RESTORE, COPY = blocks("Backup and restore")
[GO_BACK] = blocks("Upgrading")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands are run, with `appliance` on the path."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "appliance"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m appliance "$@"\n')
    command.chmod(0o755)
    return tmp_path


def shell(appliance: Appliance, folder: Path, commands: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    path = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{Path(__file__).resolve().parents[2]}:{os.environ.get('PYTHONPATH', '')}",
    }
    environment = {**appliance.environment, **path}
    command = ["bash", "-euo", "pipefail", "-c", commands]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, input=answer, timeout=90, check=False
    )


def test_backup_while_it_runs_and_restore(own_appliance: Appliance, folder: Path) -> None:
    run_sums(own_appliance, 2)
    done = shell(own_appliance, folder, BACKUP)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Created monday\.db: .* 2 runs, .*\nVerified monday\.db: .* 2 runs, ", done.stdout), done.stdout
    run_sums(own_appliance, 1)
    refused = shell(own_appliance, folder, RESTORE, "y\n")
    assert refused.returncode == 1 and "stop it" in refused.stderr and "Traceback" not in refused.stderr
    own_appliance.stop()
    done = shell(own_appliance, folder, RESTORE, "y\n")
    assert done.returncode == 0, done.stderr
    own_appliance.start()
    assert runs_in(own_appliance.data_dir / "appliance.db") == 2
    run_sums(own_appliance, 1)
    [kept] = (own_appliance.data_dir / "backups").glob("appliance-replaced-*.db")
    assert runs_in(kept) == 3
    assert "backup.made" not in own_appliance.log()


def test_a_copy_of_a_stopped_appliance(own_appliance: Appliance, folder: Path) -> None:
    run_sums(own_appliance, 1)
    own_appliance.stop()
    done = shell(own_appliance, folder, COPY)
    assert done.returncode == 0, done.stderr
    own_appliance.start()
    run_sums(own_appliance, 1)
    own_appliance.stop()
    done = shell(own_appliance, folder, "appliance backup restore stopped.db --yes")
    assert done.returncode == 0, done.stderr
    assert names(own_appliance) == ["appliance.db"]
    assert runs_in(own_appliance.data_dir / "appliance.db") == 1


def test_going_back_after_an_upgrade(own_appliance: Appliance, folder: Path) -> None:
    run_sums(own_appliance, 1)
    own_appliance.stop()
    before = revisions.supported()[-2]
    migrate.downgrade(f"sqlite:///{own_appliance.data_dir / 'appliance.db'}", before)
    own_appliance.start()
    run_sums(own_appliance, 1)
    own_appliance.stop()
    done = shell(own_appliance, folder, GO_BACK)
    assert done.returncode == 0, done.stderr
    assert migrate.current(f"sqlite:///{own_appliance.data_dir / 'appliance.db'}") == before
    assert runs_in(own_appliance.data_dir / "appliance.db") == 1
