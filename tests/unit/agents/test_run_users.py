"""Which accounts an agent lets runs be, by what its administrator has listed and what the machine has."""

from __future__ import annotations

import os

import pytest

from appliance.agents.agent import StartFailed
from appliance.agents.run_users import Account, RunUsers
from appliance.kit.privileges import Ids


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
