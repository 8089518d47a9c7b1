"""`appliance login`, `logout` and `profile`: who one is, kept in a file that nobody else can read."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance import config
from appliance.cli.root import invoke
from appliance.kit import profiles
from appliance.kit.profiles import Profile, Profiles
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(site: Site, lasting_address: str) -> str:
    return lasting_address


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of profiles of a user who has no other settings."""
    for name in ("APPLIANCE_URL", "APPLIANCE_TOKEN", "APPLIANCE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "appliance" / "profiles.json"


@pytest.fixture
def call(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """A command with a standard input; its exit code and what it printed."""

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = invoke(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_signing_in_keeps_a_profile_for_later_commands(site: Site, url: str, file: Path, call: Call) -> None:
    code, out, err = call("login", url + "/", "--token-stdin", stdin=site.tokens["operator"] + "\n")
    assert (code, err) == (0, "")
    assert out == f"Signed in to {url} as operator (operator); profile 'default' is saved in {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]
    assert call("get", "flow-runs", "--json")[:2] == (0, "[]\n")
    assert call("logout")[0] == 0
    assert site.tokens["operator"] not in file.read_text()
    code, _out, err = call("get", "flow-runs")
    assert code != 0 and url not in err
    assert call("logout")[0] == 2


def test_a_token_that_is_not_accepted_is_not_kept(site: Site, url: str, file: Path, call: Call) -> None:
    for token in ("apl_api_wrong", "", "two words\n", "tök", "a\tb"):
        code, _out, err = call("login", url, "--token-stdin", stdin=token)
        assert code == 2 and (not token.strip() or token.strip() not in err)
    assert call("login", "http://127.0.0.1:1", "--token-stdin", stdin="apl_api_x")[0] == 3
    for wrong in (
        "example.com",
        "ftp://example.com",
        "http://alice:secret@example.com",
        "http://example.com/?a=b",
        "http://[::1",
        "http://example.com:99999",
        "http://",
    ):
        assert call("login", wrong, "--token-stdin", stdin=site.tokens["operator"])[0] == 2
    assert not file.exists()


def test_the_token_is_asked_for_without_being_shown(
    site: Site, url: str, file: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("click.prompt", lambda text, **how: asked.append((text, how)) or site.tokens["viewer"])
    assert call("login", url)[0] == 0
    assert asked == [("Token", {"hide_input": True})]
    assert profiles.load(os.environ).in_use == Profile(url=url, token=site.tokens["viewer"])


def test_profiles_are_listed_and_chosen(site: Site, url: str, call: Call) -> None:
    for name in ("viewer", "admin"):
        call("login", url, "--profile", name, "--token-stdin", stdin=site.tokens[name])
    listed = msgspec.json.decode(call("profile", "list", "--json")[1])
    assert listed == [{"name": "admin", "url": url, "in_use": True}, {"name": "viewer", "url": url, "in_use": False}]
    assert "apl_" not in call("profile", "list")[1]
    assert call("token", "list")[0] == 0
    assert call("profile", "use", "viewer")[1] == f"Using profile 'viewer' with {url}.\n"
    assert call("token", "list")[0] == 2
    assert "There is no profile 'viewr'; did you mean 'viewer'?" in call("profile", "use", "viewr")[2]
    assert call("logout", "--profile", "admin")[0] == 0
    assert call("get", "flow-runs", "--json")[0] == 0, "the profile in use is another"
    assert "There is no profile 'admin'" in call("logout", "--profile", "admin")[2]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("https://one.example", "t1")),
        ({"APPLIANCE_TOKEN": "mine"}, ("https://one.example", "mine")),
        ({"APPLIANCE_URL": "https://one.example/"}, ("https://one.example", "t1")),
        ({"APPLIANCE_URL": "https://other.example"}, ("https://other.example", "")),
        ({"APPLIANCE_URL": "https://other.example", "APPLIANCE_TOKEN": "mine"}, ("https://other.example", "mine")),
    ],
)
def test_variables_win_and_a_token_goes_to_its_own_server_only(
    tmp_path: Path, variables: dict[str, str], expected: tuple[str, str]
) -> None:
    environ = {"HOME": str(tmp_path), **variables}
    profiles.save(environ, Profiles().using("one", Profile(url="https://one.example", token="t1")))
    assert config.client_address(environ) == expected
    assert config.client_address({"HOME": str(tmp_path)}, "https://other.example") == ("https://other.example", "")


def test_a_file_that_can_not_be_trusted_is_refused(site: Site, url: str, file: Path, call: Call) -> None:
    call("login", url, "--token-stdin", stdin=site.tokens["viewer"])
    file.chmod(0o640)
    code, _out, err = call("get", "flow-runs")
    assert (code, err) == (2, f"Error: {file} holds tokens and others can read it; run: chmod 600 {file}\n")
    file.chmod(0o600)
    file.write_text("{")
    assert "is damaged; delete it" in call("profile", "list")[2]
    assert "is damaged; delete it" in call("login", url, "--token-stdin", stdin=site.tokens["viewer"])[2]


def test_without_a_folder_there_are_no_profiles() -> None:
    assert profiles.load({}) == Profiles()
    assert config.client_address({}) == ("http://127.0.0.1:4200", "")
    with pytest.raises(profiles.ProfileError, match="set HOME"):
        profiles.save({}, Profiles())


def test_variables_that_take_precedence_are_named(
    site: Site, url: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["operator"])
    assert (
        "APPLIANCE_TOKEN is set and takes precedence"
        in call("login", url, "--token-stdin", stdin=site.tokens["viewer"])[2]
    )
