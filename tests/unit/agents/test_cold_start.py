"""What other runs of an account may have left where the agent, which is root, opens the output of a new one."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.agents import cold_start
from appliance.agents.agent import StartFailed
from appliance.agents.run_users import Account
from appliance.kit.privileges import Ids

PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "hard link": lambda output, other: os.link(other, output),
    "symbolic link": lambda output, other: output.symlink_to(other),
    "pipe": lambda output, other: os.mkfifo(output),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_output_is_a_new_file_of_the_account(tmp_path: Path, plant: Callable[[Path, Path], None]) -> None:
    other, output = tmp_path / "of-the-agent", tmp_path / "output.log"
    other.write_text("secret")
    plant(output, other)
    entry = pwd.getpwnam("nobody")
    account = Account("nobody", Ids(entry.pw_uid, entry.pw_gid, (entry.pw_gid,)), entry.pw_dir)
    with pytest.raises(StartFailed, match="could not be started"):
        cold_start.start(sys.executable, {}, tmp_path, output, {}, account=account)
    assert (other.read_text(), other.stat().st_uid) == ("secret", os.geteuid())
