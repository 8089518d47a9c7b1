"""Flow code in a Git repository: one commit, which is fetched into a folder before a run starts. Needs the program git, here and on agents."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from appliance.core import flow_source
from appliance.core.errors import FlowBuildError, SecretError
from appliance.core.secrets import in_environment
from appliance.kit import options
from appliance.packaging import git_program
from appliance.packaging.git_program import Credentials, Repository
from appliance.packaging.local import LocalStorage
from appliance.packaging.placed import decoded, written
from appliance.packaging.storage import Access, LoadError
from appliance.protocol import code_addresses
from appliance.protocol import storage as storages
from appliance.protocol.code_places import GitCode


class GitStorage:
    """A commit of the repository at `url`: what `ref` is when the flow is registered, by default the commit that is checked out where the flow is.

    `path` is the path of the flow's file in the repository, if it is not the same as in that checkout. `token` and `key` are names of secrets: a
    token for https, with which `user` signs in, and a private key for ssh. `known_hosts` has the lines of the hosts to trust over ssh; by
    default, each machine trusts those that it knows.
    """

    def __init__(
        self,
        url: str,
        *,
        ref: str | None = None,
        path: str | None = None,
        token: str | None = None,
        key: str | None = None,
        user: str = "git",
        known_hosts: str = "",
    ) -> None:
        """Raises ValueError, with a sentence, for an address or a ref that git does not get."""
        for name, value in (("url", url), ("ref", ref), ("path", path), ("token", token), ("key", key), ("user", user)):
            options.text(name, value)
        problem = code_addresses.git_problem(url) or (code_addresses.ref_problem(ref) if ref is not None else "")
        if problem:
            raise ValueError(problem)
        self.url, self.ref, self.path = url, ref, path
        self.token, self.key, self.user, self.known_hosts = token, key, user, known_hosts

    def document(self, code: LocalStorage) -> dict[str, Any]:
        """What is registered of a flow whose code is here. Raises FlowBuildError unless the repository has all of it, as it is here."""
        with tempfile.TemporaryDirectory(prefix="appliance-git-") as folder:
            repository = Repository(Path(folder), self.url, self._credentials())
            try:
                commit = _head(code.path.parent) if self.ref is None else repository.commit_of(self.ref)
                above = self._above(code)
                document = self._described(code, commit, above)
                repository.fetch(commit)
                _compare(repository, document, commit)
            except LoadError as error:
                raise FlowBuildError(str(error)) from None
        return document

    @classmethod
    def fetch(cls, document: dict[str, Any], folder: Path, access: Access) -> None:
        """Write the version's files, as the commit has them, into the empty folder."""
        code = decoded(document, GitCode)
        credentials = Credentials(
            code.user,
            "" if code.token is None else access.secret(code.token),
            "" if code.key is None else access.secret(code.key),
            code.known_hosts,
        )
        with tempfile.TemporaryDirectory(prefix="appliance-git-") as place:
            repository = Repository(Path(place), code.url, credentials)
            repository.fetch(code.commit)
            written(repository.files(code.commit, [code.path, *code.files]), code, folder)

    def _credentials(self) -> Credentials:
        """Those that this machine has for the secrets; otherwise git signs in as the user may."""
        try:
            token, key = (name and in_environment(name) for name in (self.token, self.key))
        except SecretError as error:
            raise FlowBuildError(str(error)) from None
        return Credentials(self.user, token or "", key or "", self.known_hosts)

    def _above(self, code: LocalStorage) -> PurePosixPath:
        """The folder in the repository from which the flow is imported."""
        inner = code.path.relative_to(code.sources.root)
        if self.path is None:
            top, root = _top(code.path.parent), code.sources.root
            if not root.is_relative_to(top):
                raise FlowBuildError(
                    f"The flow's package lies above the checkout in {top}; register it from a checkout that has all of it."
                )
            return PurePosixPath(root.relative_to(top).as_posix())
        path = PurePosixPath(self.path)
        if path.parts[-len(inner.parts) :] != inner.parts:
            raise FlowBuildError(
                f"path must end in {inner.as_posix()}, which the flow's file is called where it is imported."
            )
        return PurePosixPath(*path.parts[: -len(inner.parts)])

    def _described(self, code: LocalStorage, commit: str, above: PurePosixPath) -> dict[str, Any]:
        fields = {
            "type": "git",
            "url": self.url,
            "commit": commit,
            "ref": self.ref or "",
            "user": self.user,
            "token": self.token,
            "key": self.key,
            "known_hosts": self.known_hosts,
            "path": str(above / code.path.relative_to(code.sources.root).as_posix()),
            "flow": code.flow,
            "sha256": code.sha256,
            "module": code.module,
            "files": {str(above / name): sha256 for name, sha256 in code.sources.files.items()},
        }
        document = {name: value for name, value in fields.items() if value not in (None, "", {})}
        try:
            storages.decode(document)
        except ValueError as error:
            raise FlowBuildError(str(error)) from None
        return document


def _compare(repository: Repository, document: dict[str, Any], commit: str) -> None:
    expected = {document["path"]: document["sha256"], **document.get("files", {})}
    for name, content in repository.files(commit, expected):
        if flow_source.digest(content) != expected[name]:
            raise FlowBuildError(
                f"The file {name} of commit {commit[:12]} is not as it is here: commit and push it, and then register the flow."
            )


def _head(folder: Path) -> str:
    commit = _ask(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not code_addresses.is_commit(commit):
        raise FlowBuildError(
            f"The flow in {folder} is not in a checkout that has a commit; name a branch, a tag or a commit as ref."
        )
    return commit


def _top(folder: Path) -> Path:
    top = _ask(folder, "rev-parse", "--show-toplevel")
    if not top:
        raise FlowBuildError(
            f"The flow in {folder} is not in a checkout; say with path= where its file is in the repository."
        )
    return Path(top).resolve()


def _ask(folder: Path, *question: str) -> str:
    """What git says of the author's own checkout, with the author's own configuration; empty if nothing."""
    if not git_program.is_installed():
        raise FlowBuildError("The program git is not installed on this machine; install it, or choose another storage.")
    environ = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    done = subprocess.run(
        ["git", *question], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout.strip() if done.returncode == 0 else ""
