"""The commit hook accepts good subjects, names what is wrong with others, and is installed without taking anyone's place."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOOKS = "deploy/ci/hooks"
INSTALL = "deploy/ci/install_hooks"


def verdict(message: str, directory: Path) -> subprocess.CompletedProcess[str]:
    file = directory / "COMMIT_EDITMSG"
    file.write_text(message)
    return subprocess.run([ROOT / HOOKS / "commit-msg", file], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "message",
    [
        "Split core: protocol and schedules become packages\n",
        "Give every verb a file of its own\n\nThe same rule stood in 15 files.\n",
        "Embed the fonts\n# a comment of Git's\n",
        "\n# first a comment\nFix it\n\nWhy.\n# ------------------------ >8 ------------------------\ndiff --git a b\n",
        "Bring back the cursor\n",
        "A" * 72,
        "Merge branch 'other'\n",
        "fixup! whatever it was.\n",
        'Revert "Add the queue."\n',
        "# nothing but comments: Git itself aborts\n",
    ],
)
def test_subjects_that_pass(message: str, tmp_path: Path) -> None:
    done = verdict(message, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("A" * 73, "it has 73 characters; the limit is 72"),
        ("fix the queue\n", "capital letter"),
        ("Fix the queue.\n", "full stop"),
        ("Fixed the queue\n", '"Fixed" is not imperative'),
        ("Fixing: the queue\n", '"Fixing" is not imperative'),
        ("Fixes the queue\n", '"Fixes" is not imperative'),
        ("Fix the queue\nbecause it was broken\n", "no empty line"),
    ],
)
def test_subjects_that_do_not(message: str, problem: str, tmp_path: Path) -> None:
    done = verdict(message, tmp_path)
    assert done.returncode == 1
    assert problem in done.stderr
    assert done.stderr.count("  - ") == 1


def git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *arguments]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    directory = tmp_path / "checkout"
    shutil.copytree(ROOT / "deploy" / "ci", directory / "deploy" / "ci")
    return directory


def install(directory: Path) -> None:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run([directory / INSTALL], check=True, env=environment)


def test_an_installed_hook_refuses_a_commit(checkout: Path) -> None:
    git(checkout, "init", "--quiet")
    install(checkout)
    assert git(checkout, "config", "core.hooksPath").stdout.strip() == HOOKS
    refused = git(checkout, "commit", "--allow-empty", "-m", "Added something.")
    assert refused.returncode == 1
    assert "Added" in refused.stderr
    assert git(checkout, "commit", "--allow-empty", "-m", "Add something").returncode == 0


def test_other_hooks_stay(checkout: Path) -> None:
    git(checkout, "init", "--quiet")
    git(checkout, "config", "core.hooksPath", "mine")
    install(checkout)
    assert git(checkout, "config", "core.hooksPath").stdout.strip() == "mine"


def test_a_copy_inside_another_repository_is_left_alone(checkout: Path) -> None:
    git(checkout.parent, "init", "--quiet")
    install(checkout)
    assert git(checkout.parent, "config", "core.hooksPath").stdout == ""


def test_a_checkout_without_git_is_left_alone(checkout: Path) -> None:
    install(checkout)
    assert not (checkout / ".git").exists()


def test_a_linked_worktree_does_not_change_the_checkout_it_belongs_to(checkout: Path) -> None:
    git(checkout, "init", "--quiet")
    git(checkout, "add", ".")
    git(checkout, "commit", "-m", "Add the hooks")
    git(checkout, "worktree", "add", "--quiet", "../linked")
    install(checkout.parent / "linked")
    assert git(checkout, "config", "core.hooksPath").stdout == ""
