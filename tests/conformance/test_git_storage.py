"""Flow code in Git: what an author may get wrong, and what a hostile document, repository or server could try."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.agents import run_places
from appliance.agents.roots import Roots
from appliance.core import flow_source
from appliance.core.errors import FlowBuildError
from appliance.packaging import git_program, loading
from appliance.packaging.git import Git as GitPlace
from appliance.packaging.storage import CodeMissing, LoadError, Unreachable
from appliance.protocol import storage as storages
from tests.conformance.git_servers import TOKEN
from tests.conformance.place import HELPER
from tests.conformance.storage_places import Git, GitHttp, GitSsh, git, opened


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Git]:
    with opened("git", tmp_path, monkeypatch) as place:
        assert isinstance(place, Git)
        yield place


def wrapper(folder: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program before the real one that notes how it was called; returns the notes."""
    real = next(path for place in os.environ["PATH"].split(":") if (path := Path(place, program)).is_file())
    folder.mkdir(exist_ok=True)
    notes = folder / f"{program}.notes"
    script = f'#!/bin/sh\n{{ echo "$0 $*"; env | grep -v ^GIT_CONFIG_VALUE; for a; do stat -c "mode %a" "$a" 2>/dev/null; done; }} >>{notes}\nexec {real} "$@"\n'
    (folder / program).write_text(script)
    (folder / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return notes


# --- what an author may get wrong


def test_code_that_was_not_pushed_is_refused(place: Git) -> None:
    place.document()
    (place.package / "helper.py").write_text(f"{HELPER}\n# changed\n")
    place.save = lambda: None  # type: ignore[method-assign]
    with pytest.raises(FlowBuildError, match=r"helper\.py of commit \w{12} is not as it is here: commit and push it"):
        place.document()
    git(place.project, "add", ".")
    git(place.project, "commit", "--quiet", "--message=more")
    with pytest.raises(FlowBuildError, match=r"has no commit \w{12}: push it"):
        place.document()
    git(place.project, "push", "--quiet", "origin", "main")
    assert place.document()["commit"] == git(place.project, "rev-parse", "HEAD")


def test_a_ref_is_pinned_to_the_commit_that_it_is_now(place: Git) -> None:
    first = place.document()
    git(place.project, "tag", "--annotate", "--message=first", "v1")
    git(place.project, "push", "--quiet", "origin", "v1")
    url = f"file://{place.bare}"
    for ref in ("v1", "main", "refs/heads/main", first["commit"]):
        assert place.registered(storage=GitPlace(url, ref=ref)).storage["commit"] == first["commit"]
    (place.package / "helper.py").write_text(f"{HELPER}\n# changed\n")
    with pytest.raises(FlowBuildError, match="is not as it is here"):
        place.registered(storage=GitPlace(url, ref="v1"))
    with pytest.raises(FlowBuildError, match="has no branch or tag v2"):
        place.registered(storage=GitPlace(url, ref="v2"))


def test_outside_of_a_checkout_the_path_says_where_the_file_is(place: Git, tmp_path: Path) -> None:
    place.document()
    (place.project / ".git").rename(tmp_path / "elsewhere")
    url = f"file://{place.bare}"
    with pytest.raises(FlowBuildError, match="is not in a checkout that has a commit"):
        place.registered(storage=GitPlace(url))
    with pytest.raises(FlowBuildError, match="say with path= where its file is"):
        place.registered(storage=GitPlace(url, ref="main"))
    with pytest.raises(FlowBuildError, match=r"path must end in shop/flows\.py"):
        place.registered(storage=GitPlace(url, ref="main", path="other.py"))
    assert place.registered(storage=GitPlace(url, ref="main", path="shop/flows.py")).storage["path"] == "shop/flows.py"


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "-o", "a b", "a\nb", "a..b", "a:b", "a^", "@{-1}", "", "x.lock", "a//b"]
)
def test_hostile_refs_are_refused(ref: str) -> None:
    with pytest.raises(ValueError, match="is not a name of a branch"):
        GitPlace("https://host/x.git", ref=ref)


# --- what a hostile document, repository or server could try


def test_nothing_of_the_agents_own_configuration_and_environment_counts(
    place: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, trap = place.document(), tmp_path / "trap"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {trap}\n")
    evil.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / hook).write_text(evil.read_text())
        (hooks / hook).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    config = f'[core]\nhooksPath={hooks}\nfsmonitor={evil}\n[url "file:///nowhere"]\ninsteadOf=file://\n[credential]\nhelper={evil}\n'
    (home / ".gitconfig").write_text(config)
    for name, value in {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_DIR": str(tmp_path),
        "GIT_EXEC_PATH": str(hooks),
        "GIT_SSH_COMMAND": str(evil),
        "GIT_PROXY_COMMAND": str(evil),
        "GIT_EXTERNAL_DIFF": str(evil),
        "GIT_TEMPLATE_DIR": str(hooks),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(hooks),
    }.items():
        monkeypatch.setenv(name, value)
    place.obtained(document, tmp_path / "code")
    assert not trap.exists()


def test_a_repository_of_another_user_fetches_nothing_itself(place: Git, tmp_path: Path) -> None:
    document, trap = place.document(), tmp_path / "trap"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {trap}\n")
    evil.chmod(0o755)
    settings = {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": f"file://{place.bare}",
        "remote.evil.uploadpack": str(evil),
        "uploadpack.packObjectsHook": str(evil),
        "core.fsmonitor": str(evil),
        "core.sshCommand": str(evil),
    }
    for name, value in settings.items():
        git(place.bare, "config", name, value)
    if os.geteuid() == 0:
        for path in [place.bare, *place.bare.rglob("*")]:
            os.chown(path, 12_345, 12_345)
    place.obtained(document, tmp_path / "code")
    for path in (place.bare / "objects").rglob("*/*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(LoadError):
        place.obtained(document, tmp_path / "again")
    assert not trap.exists()


def test_links_filters_and_submodules_of_a_repository_are_nothing_but_text(place: Git, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (place.package / ".gitattributes").write_text("* filter=evil\n")
    (place.project / ".gitmodules").write_text(f'[submodule "x"]\npath = x\nurl = ext::sh -c touch% {trap}\n')
    (place.package / "link").symlink_to("/etc/passwd")
    document = place.document()
    git(place.project, "config", "filter.evil.smudge", f"touch {trap}")
    document["files"] = {**document["files"], "shop/link": flow_source.digest(b"/etc/passwd")}
    place.obtained(document, tmp_path / "code")
    link = tmp_path / "code/shop/link"
    assert stat.S_ISREG(link.lstat().st_mode) and link.read_text() == "/etc/passwd"
    assert not trap.exists() and not (tmp_path / "code/.gitmodules").exists()
    assert {path.name for path in (tmp_path / "code").iterdir()} == {"shop"}


def test_what_is_too_large_or_takes_too_long_is_given_up(
    place: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.package / "large.bin").write_bytes(os.urandom(flow_source.MOST_BYTES + 1))
    document = place.document()
    name = "shop/large.bin"
    assert name not in document["files"]
    with pytest.raises(CodeMissing, match="larger than 5 MB"):
        place.obtained({**document, "files": {name: "0" * 64}}, tmp_path / "code")
    with monkeypatch.context() as patched, pytest.raises(LoadError, match="given up: it is larger than 0 MB"):
        patched.setattr(git_program, "MOST_FETCHED", 100)
        place.obtained(document, tmp_path / "more")
    monkeypatch.setattr(git_program, "SECONDS", 0.0)
    with pytest.raises(Unreachable, match="took longer than 0 s"):
        place.obtained(document, tmp_path / "most")


def test_a_token_is_in_no_command_and_goes_to_no_other_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = wrapper(tmp_path / "bin", "git", monkeypatch)
    with opened("git over http", tmp_path, monkeypatch) as place:
        assert isinstance(place, GitHttp)
        document = place.document()
        notes.unlink()
        place.obtained(document, tmp_path / "code")
        told = notes.read_text()
        assert " fetch " in told and TOKEN not in told and "APPLIANCE_" not in told
        moved = {**document, "url": f"{place.server.url}/moved/shop.git"}
        with pytest.raises(CodeMissing) as caught:
            place.obtained(moved, tmp_path / "moved")
        assert place.server.elsewhere == []
        assert TOKEN not in str(caught.value)


def test_a_key_is_private_and_gone_afterwards_and_hosts_must_be_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = wrapper(tmp_path / "bin", "ssh", monkeypatch)
    with opened("git over ssh", tmp_path, monkeypatch) as place:
        assert isinstance(place, GitSsh)
        document = place.document()
        place.obtained(document, tmp_path / "code")
        text = notes.read_text()
        key = Path(text.split(" -i ")[1].split()[0])
        assert "mode 600" in text and "StrictHostKeyChecking=yes" in text and "-F /dev/null" in text
        assert not key.exists() and place.secrets["DEPLOY_KEY"].split()[5] not in text
        for known in ("", "[127.0.0.1]:1 ssh-ed25519 AAAA\n"):
            with pytest.raises(CodeMissing, match="Host key verification failed"):
                place.obtained({**document, "known_hosts": known}, tmp_path / f"code{len(known)}")


def test_without_git_a_run_waits_and_says_why(place: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = place.document()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CodeMissing, match="The program git is not installed on this machine"):
        place.obtained(document, tmp_path / "code")


def test_a_repository_on_disk_must_be_in_a_folder_that_is_open(place: Git, tmp_path: Path) -> None:
    document = place.document()
    assert run_places.refusal(Roots((str(tmp_path),)), document) == ""
    assert f"The repository {place.bare} is in none of the folders" in run_places.refusal(Roots(("/srv",)), document)
    link = tmp_path / "open"
    link.mkdir()
    (link / "x.git").symlink_to(place.bare)
    assert "is a link" in run_places.refusal(Roots((str(link),)), {**document, "url": f"file://{link}/x.git"})


@pytest.mark.parametrize(
    "changed",
    [
        {"commit": "main"},
        {"commit": "--output=/tmp/x"},
        {"commit": f"{'0' * 40}\n"},
        {"ref": "--x"},
        {"user": "-x"},
        {"token": "not a name"},
        {"known_hosts": "a\0b"},
        {"files": {"a\nb": "0" * 64}},
        {"path": "a\nb.py"},
    ],
    ids=str,
)
def test_hostile_documents_reach_no_git(
    changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = wrapper(tmp_path / "bin", "git", monkeypatch)
    document = {
        "type": "git",
        "url": "https://127.0.0.1:1/x",
        "commit": "0" * 40,
        "path": "a.py",
        "flow": "f",
        "sha256": "0" * 64,
    }
    storages.decode(document)
    with pytest.raises(ValueError, match=r"\.$"):
        storages.decode(document | changed)
    with pytest.raises(LoadError):
        loading.fetch(document | changed, tmp_path, None)  # type: ignore[arg-type]
    assert not notes.exists()
