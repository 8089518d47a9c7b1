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
from appliance.packaging.bundle import BundleStorage
from appliance.packaging.git_program import Credentials, Repository
from appliance.packaging.local import LocalStorage
from appliance.packaging.placed import PlacedStorage, decoded, documented, written
from appliance.packaging.storage import Access, LoadError
from appliance.protocol import code_addresses
from appliance.protocol.code_places import GitCode


class Git:
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

    def describe(self) -> dict[str, Any]:
        return {"type": "git", "url": self.url}

    def at(self, code: LocalStorage) -> PlacedStorage:
        """What is registered of a flow whose code is here. Raises FlowBuildError unless the repository has all of it, as it is here."""
        try:
            bundle = BundleStorage.of(code)
            with tempfile.TemporaryDirectory(prefix="appliance-git-") as folder:
                repository = Repository(Path(folder), self.url, self._credentials())
                commit = _head(code.path.parent) if self.ref is None else repository.commit_of(self.ref)
                document = self._described(bundle, commit)
                repository.fetch(commit)
                _compare(repository, document, commit)
        except LoadError as error:
            raise FlowBuildError(str(error)) from None
        return PlacedStorage(document, code.path)

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

    def _described(self, bundle: BundleStorage, commit: str) -> dict[str, Any]:
        above = self._above(bundle)
        hashes = {str(above / name): flow_source.digest(content) for name, content in sorted(bundle.files.items())}
        path = str(above / bundle.path)
        fields = {
            "type": "git",
            "url": self.url,
            "commit": commit,
            "ref": self.ref,
            "user": self.user,
            "token": self.token,
            "key": self.key,
            "known_hosts": self.known_hosts,
            "path": path,
            "flow": bundle.flow,
            "sha256": hashes.pop(path),
            "module": bundle.module,
            "files": hashes,
        }
        return documented(fields)

    def _above(self, bundle: BundleStorage) -> PurePosixPath:
        """The folder in the repository that has the tree."""
        inner = PurePosixPath(bundle.path)
        if self.path is not None:
            path = PurePosixPath(self.path)
            if path.parts[-len(inner.parts) :] != inner.parts:
                raise FlowBuildError(f"path must end in {inner}, which is the path of the flow's file in its project.")
            return PurePosixPath(*path.parts[: -len(inner.parts)])
        top, root = _top(bundle.source.parent), bundle.source.parents[len(inner.parts) - 1]
        if not root.is_relative_to(top):
            raise FlowBuildError(
                f"The flow's project lies above the checkout in {top}; register it from a checkout that has all of it."
            )
        return PurePosixPath(root.relative_to(top).as_posix())


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
