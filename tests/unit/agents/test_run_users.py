"""Which accounts an agent lets runs be, by what its administrator has listed and what the machine has."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from appliance.agents.agent import StartFailed
from appliance.agents.key_exposure import exposure
from appliance.agents.run_keys import RunKeys
from appliance.agents.run_users import Account, RunUsers
from appliance.kit import site_key
from appliance.kit.privileges import Ids
from appliance.packaging import sealing


def test_an_agent_that_is_not_root_says_so_and_runs_stay_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    users = RunUsers(["nobody", "daemon"])
    [problem] = users.problems()
    assert "only an agent that works as root can start runs as them" in problem
    assert users.default is None
    with pytest.raises(StartFailed, match="only an agent that works as root"):
        users.account("nobody")


def test_only_accounts_that_are_listed_and_exist_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    users = RunUsers(["nobody", "no-such-user"])
    assert users.default == "nobody" and RunUsers().default is None
    assert list(users.problems()) == [
        "APPLIANCE_AGENT_USERS lists 'no-such-user', and this machine has no such user; create it, or remove it there."
    ]
    assert users.account("nobody").name == "nobody"
    with pytest.raises(StartFailed, match="this machine has no such user"):
        users.account("no-such-user")
    with pytest.raises(StartFailed, match="APPLIANCE_AGENT_USERS=nobody,no-such-user,root and restart"):
        users.account("root")
    with pytest.raises(StartFailed, match="the users that it may become: none"):
        RunUsers().account("nobody")


def test_an_account_has_its_own_home_and_nothing_of_the_session_of_the_agent() -> None:
    account = Account("etl", Ids(1, 1), "/home/etl")
    environ = {
        "HOME": "/root",
        "USER": "root",
        "MAIL": "/m",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "SUDO_USER": "a",
        "A": "1",
    }
    assert account.variables(environ) == {"HOME": "/home/etl", "USER": "etl", "LOGNAME": "etl", "A": "1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_a_key_file_that_runs_can_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory() as folder:  # which others can enter, unlike those of pytest
        Path(folder).chmod(0o711)
        a_key_file_that_runs_can_read_is_said(Path(folder) / "site.key", monkeypatch)


def a_key_file_that_runs_can_read_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealing.new_key(file)
    users = RunUsers(["nobody", "daemon"])
    keys = RunKeys.here({sealing.SETTING: str(file)})
    assert exposure(keys, users.accounts) == exposure(keys, []) == "", "only root reads it"
    file.chmod(0o604)
    assert exposure(keys, users.accounts) == (
        "Runs as users nobody, daemon can read the keys of the site, because the file that APPLIANCE_BUNDLE_KEY_FILE names is open to them: make root its "
        "owner, give it mode 600, and restart the agent."
    )
    assert exposure(keys, []) == "", "runs are what the agent is, which has to read it"
    os.chown(file, -1, users.account("daemon").ids.gid)
    assert exposure(keys, users.accounts).startswith("Runs as user nobody can read")
    file.parent.chmod(0o700)
    assert exposure(keys, users.accounts) == "", "nobody else can enter its folder"
    assert exposure(keys, RunUsers(["root"]).accounts).startswith("Runs as user root can read")

    environ = {sealing.SETTING: str(file)}
    site_key.hold(environ)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # and the test can read it
    assert exposure(RunKeys.here(environ), []).startswith("Runs can read the keys of the site")
