"""Git: clones, pulls, commits and pushes of real repositories, and where credentials go."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import paramiko
import pytest

from appliance.core.secrets import Secret
from appliance.tasks.git import GitClone, GitCommit, GitPull, GitPush
from appliance.tasks.library.errors import AccessDenied, CommandFailed, Refused, Unreachable
from tests.conformance.git_servers import TOKEN, GitOverHttp, GitOverSsh
from tests.conformance.task_servers import bare_repository

AUTHOR = "Ada <ada@example.org>"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return bare_repository(tmp_path, "notes")


@pytest.fixture
def forge(tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitOverHttp]:
    monkeypatch.setenv("APPLIANCE_SECRET_FORGE", TOKEN)
    with closing(GitOverHttp(tmp_path / "served")) as forge:
        yield forge


def test_two_clones_exchange_commits(forge: GitOverHttp, tmp_path: Path) -> None:
    token, url = Secret("FORGE"), f"{forge.url}/notes.git"
    one = GitClone(url, tmp_path / "one", token=token).run()
    two = GitClone(token=token, depth=1, ref="main").run(url=url, path=tmp_path / "two")
    assert one == {"path": str(tmp_path / "one"), "commit": two["commit"]}
    commit = GitCommit(tmp_path / "one", "Add a file", author=AUTHOR)
    assert commit.run() is None
    (tmp_path / "one" / "a.txt").write_text("a")
    (tmp_path / "one" / "b.txt").write_text("b")
    new = commit.run(add=["a.txt"])
    assert new is not None and new != one["commit"]
    assert GitPush(tmp_path / "one", token=token).run()["commit"] == new
    assert GitPull(tmp_path / "two", token=token).run() == {"path": str(tmp_path / "two"), "commit": new}
    assert (tmp_path / "two" / "a.txt").exists() and not (tmp_path / "two" / "b.txt").exists()
    GitPush(tmp_path / "one", "other", token=token).run()
    assert TOKEN not in (tmp_path / "one" / ".git" / "config").read_text()
    with pytest.raises(Refused, match="exists; use GitPull"):
        GitClone(url, tmp_path / "one", token=token).run()


def test_what_diverges_is_refused(forge: GitOverHttp, tmp_path: Path) -> None:
    token = Secret("FORGE")
    for name in ("one", "two"):
        GitClone(f"{forge.url}/notes.git", tmp_path / name, token=token).run()
        (tmp_path / name / f"{name}.txt").write_text(name)
        GitCommit(tmp_path / name, name, author=AUTHOR).run()
    GitPush(tmp_path / "one", token=token).run()
    with pytest.raises(CommandFailed, match="git push ended with exit code 1: "):
        GitPush(tmp_path / "two", token=token).run()
    with pytest.raises(CommandFailed, match="git pull ended with exit code 128: "):
        GitPull(tmp_path / "two", token=token).run()


def test_a_token_goes_to_its_host_alone(forge: GitOverHttp, tmp_path: Path) -> None:
    with pytest.raises((CommandFailed, AccessDenied, Unreachable)):
        GitClone(f"{forge.url}/moved/notes.git", tmp_path / "one", token=Secret("FORGE")).run()
    assert set(forge.elsewhere) <= {"none"}
    with pytest.raises(Refused, match=r"must not have a password; set token"):
        GitClone("https://ada:pw@git.example.org/x.git", tmp_path / "one").run()
    assert not (tmp_path / "one").exists()


def test_a_key_opens_ssh(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(GitOverSsh()) as forge:
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        forge.allowed = (tmp_path / "key.pub").read_text().split()[1]
        monkeypatch.setenv("APPLIANCE_SECRET_FORGE_KEY", key.read_text())
        known = tmp_path / "known"
        known.write_text(forge.known_hosts)
        clone = GitClone(f"{forge.url}{bare}", tmp_path / "one", ssh_key=Secret("FORGE_KEY"), known_hosts=known)
        assert clone.run()["commit"]
        other = paramiko.ECDSAKey.generate()
        known.write_text(f"{forge.known_hosts.split()[0]} {other.get_name()} {other.get_base64()}\n")
        with pytest.raises((CommandFailed, AccessDenied), match="Host key verification failed"):
            clone.run(path=tmp_path / "two")
    assert (tmp_path / "one" / "first.txt").exists() and not (tmp_path / "two").exists()


def test_an_empty_repository_has_no_commit(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "empty.git"], check=True)
    assert GitClone(str(tmp_path / "empty.git"), tmp_path / "one").run()["commit"] is None
    (tmp_path / "one" / "x").write_text("x")
    assert GitCommit(tmp_path / "one", "First", author=AUTHOR).run()


def test_commits_need_an_author_of_the_right_form(bare: Path, tmp_path: Path) -> None:
    GitClone(str(bare), tmp_path / "one").run()
    (tmp_path / "one" / "x").write_text("x")
    with pytest.raises(Refused, match="author must be such as"):
        GitCommit(tmp_path / "one", "m", author="Ada").run()
