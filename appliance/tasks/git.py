"""Git repositories: clone, pull, commit, and push, by the program `git` on the machine of the run."""

from __future__ import annotations

import base64
import re
import shlex
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, Unpack
from urllib.parse import urlsplit

from appliance.core import masking
from appliance.core.secrets import Secret
from appliance.tasks.library.arguments import credential, defaults_from_attrs, needed, needed_path, revealed
from appliance.tasks.library.drafts import draft_folder
from appliance.tasks.library.errors import AccessDenied, CommandFailed, Refused, Unreachable
from appliance.tasks.library.processes import run_command
from appliance.tasks.library.task import LibraryTask, TaskOptions

__all__ = ["Checkout", "GitClone", "GitCommit", "GitPull", "GitPush"]

_LAST_LINES = 8
_DENIED = ("authentication failed", "could not read username", "could not read password", "permission denied", "error: 403",
           "error: 401", "access denied")  # fmt: skip
_BROKEN = ("could not resolve host", "couldn't connect", "failed to connect", "connection refused", "connection reset",
           "connection timed out", "early eof", "empty reply", "rpc failed", "unable to access", "hung up unexpectedly",
           "recv failure", "connection closed")  # fmt: skip
_CALM = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:file:git",
}


class GitOptions(TaskOptions, total=False):
    """The options of all tasks that speak with another host."""

    token: Secret | None
    ssh_key: Secret | None
    known_hosts: str | Path | None


class Checkout(TypedDict):
    """A repository on the machine of the run. An empty one has no commit."""

    path: str
    commit: str | None


class _GitTask(LibraryTask):
    """`token` is for HTTPS, and goes to the host of the repository alone; `ssh_key` is a private key without a passphrase. `known_hosts` is a
    file with the hosts to trust, by default that of the user."""

    token: Secret | None = None
    ssh_key: Secret | None = None
    known_hosts: str | Path | None = None

    def __init__(self, **options: Unpack[GitOptions]) -> None:
        token, ssh_key = options.pop("token", None), options.pop("ssh_key", None)
        known_hosts: str | Path | None = options.pop("known_hosts", None)
        rest: Any = options
        super().__init__(token, ssh_key, **rest)
        self.token, self.ssh_key = credential("token", token), credential("ssh_key", ssh_key)
        self.known_hosts = known_hosts

    def git(
        self, *arguments: str, cwd: Path | None = None, url: str = "", ok: tuple[int, ...] = (0,)
    ) -> tuple[int, str]:
        """The exit code and the output of a command. Progress goes to the log. Raises errors of the library."""
        output: list[str] = []
        last: deque[str] = deque(maxlen=_LAST_LINES)

        def on_line(stream: str, line: str) -> None:
            if stream == "stdout":
                output.append(line)
            elif line.strip():
                last.append(masking.mask(line.strip()))
                self.logger.debug("%s", line)

        with self._environment(url) as env:
            code = run_command(self, ["git", *arguments], on_line, {**_CALM, **env}, cwd)
        if code not in ok:
            raise _problem(arguments[0], code, " / ".join(last))
        return code, "\n".join(output)

    def head(self, path: Path) -> str | None:
        return self.git("rev-parse", "--verify", "--quiet", "HEAD", cwd=path, ok=(0, 1))[1].strip() or None

    @contextmanager
    def _environment(self, url: str) -> Iterator[dict[str, str]]:
        """Variables with the credentials: arguments of programs can be seen by every user of the machine."""
        if self.token is not None and url.startswith("http"):
            parts = urlsplit(url)
            pair = base64.b64encode(f"git:{revealed(self.token)}".encode()).decode()
            masking.hide(pair)
            yield {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {pair}",
            }
            return
        ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10"]
        if self.known_hosts is not None:
            ssh += ["-o", f"UserKnownHostsFile={Path(self.known_hosts).absolute()}"]
        if self.ssh_key is None:
            yield {"GIT_SSH_COMMAND": shlex.join(ssh)}
            return
        with tempfile.NamedTemporaryFile("w", prefix="appliance-key-") as file:  # only its user can read it
            file.write(f"{(revealed(self.ssh_key) or '').strip()}\n")
            file.flush()
            yield {"GIT_SSH_COMMAND": shlex.join([*ssh, "-o", "IdentitiesOnly=yes", "-i", file.name])}


class GitClone(_GitTask):
    """Clones a repository to `path`, which must not exist, and is there only once it is complete. `ref` is a branch or a tag; `depth` is how many
    commits to fetch. The result is the path and the commit."""

    def __init__(
        self,
        url: str | None = None,
        path: str | Path | None = None,
        ref: str | None = None,
        depth: int | None = None,
        **options: Unpack[GitOptions],
    ) -> None:
        """Takes `token`, `ssh_key`, `known_hosts`, and the options of Task, too."""
        super().__init__(**options)
        self.url, self.path, self.ref, self.depth = url, path, ref, depth

    @defaults_from_attrs("url", "path", "ref")
    def run(self, url: str | None = None, path: str | Path | None = None, ref: str | None = None) -> Checkout:
        """Raises Unreachable, AccessDenied or Refused."""
        url, target = _address(needed(self, "url", url)), needed_path(self, "path", path)
        if target.exists():
            raise Refused(f"{str(target)!r} exists; use GitPull, or remove it.")
        options = [f"--branch={ref}"] if ref else []
        options += [f"--depth={self.depth}"] if self.depth else []
        with draft_folder(target) as folder:
            self.git("clone", "--quiet", *options, "--", url, str(folder.absolute()), url=url)
            commit = self.head(folder)
        return {"path": str(target), "commit": commit}


class GitPull(_GitTask):
    """Fetches the branch of a clone, and moves it forward to that of its remote. Commits of its own fail the task. The result is the path and the commit."""

    def __init__(self, path: str | Path | None = None, **options: Unpack[GitOptions]) -> None:
        """Takes `token`, `ssh_key`, `known_hosts`, and the options of Task, too."""
        super().__init__(**options)
        self.path = path

    @defaults_from_attrs("path")
    def run(self, path: str | Path | None = None) -> Checkout:
        """Raises Unreachable, AccessDenied or Refused."""
        folder = needed_path(self, "path", path)
        url = self.git("remote", "get-url", "origin", cwd=folder)[1].strip()
        self.git("pull", "--quiet", "--ff-only", cwd=folder, url=url)
        return {"path": str(folder), "commit": self.head(folder)}


class GitCommit(_GitTask):
    """Commits what has changed in a clone: in all its files, or those in `add`. The result is the commit, or None if nothing has changed."""

    def __init__(
        self,
        path: str | Path | None = None,
        message: str | None = None,
        add: Iterable[str] | None = None,
        author: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too. `author` is such as `Ada <ada@example.org>`; by default, git's configuration has it."""
        super().__init__(**options)
        self.path, self.message, self.add, self.author = path, message, add, author

    @defaults_from_attrs("path", "message", "add")
    def run(
        self, path: str | Path | None = None, message: str | None = None, add: Iterable[str] | None = None
    ) -> str | None:
        """Raises Refused."""
        folder, text = needed_path(self, "path", path), needed(self, "message", message)
        self.git("add", *(["--all"] if add is None else ["--", *add]), cwd=folder)
        if self.git("diff", "--cached", "--quiet", cwd=folder, ok=(0, 1))[0] == 0:
            return None
        who: list[str] = []
        if self.author is not None:
            match = re.fullmatch(r"(.+?) *<([^<>]+)>", self.author)
            if match is None:
                raise Refused("author must be such as 'Ada <ada@example.org>'.")
            who = ["-c", f"user.name={match[1]}", "-c", f"user.email={match[2]}"]
        self.git(*who, "commit", "--quiet", f"--message={text}", cwd=folder)
        return self.head(folder)


class GitPush(_GitTask):
    """Pushes the commit of a clone to a branch of its remote, by default the one of the same name. The result is the path and the commit."""

    def __init__(
        self, path: str | Path | None = None, branch: str | None = None, **options: Unpack[GitOptions]
    ) -> None:
        """Takes `token`, `ssh_key`, `known_hosts`, and the options of Task, too."""
        super().__init__(**options)
        self.path, self.branch = path, branch

    @defaults_from_attrs("path", "branch")
    def run(self, path: str | Path | None = None, branch: str | None = None) -> Checkout:
        """Raises Unreachable, AccessDenied or Refused, also if the remote has other commits."""
        folder = needed_path(self, "path", path)
        url = self.git("remote", "get-url", "--push", "origin", cwd=folder)[1].strip()
        self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}" if branch else "HEAD", cwd=folder, url=url)
        return {"path": str(folder), "commit": self.head(folder)}


def _address(url: str) -> str:
    """The address. Raises Refused for one with a password, which git would store in the clone."""
    if url.startswith("http") and urlsplit(url).password is not None:
        raise Refused("url must not have a password; set token=Secret('NAME').")
    return url


def _problem(verb: str, code: int, said: str) -> Exception:
    sentence = (
        f"git {verb} ended with exit code {code}: {said.rstrip('.')}."
        if said
        else f"git {verb} ended with exit code {code}."
    )
    lower = said.lower()
    if any(phrase in lower for phrase in _DENIED):
        return AccessDenied(sentence)
    if any(phrase in lower for phrase in _BROKEN):
        return Unreachable(sentence)
    return CommandFailed(sentence, code)
