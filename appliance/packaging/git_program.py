"""Runs git on what others have written: without its configuration, hooks, filters, submodules and prompts, and with one protocol.

Nothing is ever checked out. A commit is fetched into an empty bare repository, and single files are read out of it.
"""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from appliance.core import flow_source
from appliance.kit import clock
from appliance.packaging.storage import CodeMissing, LoadError, Unreachable
from appliance.protocol import code_addresses

SECONDS = 300.0
"""How long one call of git may take."""
MOST_FETCHED = 1024**3
"""Bytes of one commit, packed."""
_POLL = 0.2
_KEPT = frozenset(
    "PATH TZ TMPDIR SSL_CERT_FILE SSL_CERT_DIR GIT_SSL_CAINFO HTTPS_PROXY https_proxy http_proxy ALL_PROXY all_proxy NO_PROXY no_proxy "
    "SSH_AUTH_SOCK".split()
)
_CLOSED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_SSH_VARIANT": "ssh",
    "LC_ALL": "C",
}
_CONFIG = {
    "protocol.allow": "never",
    "core.hooksPath": os.devnull,
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "core.bigFileThreshold": "5m",  # larger files are never held in memory
    "credential.helper": "",
    "http.followRedirects": "false",  # credentials go to no other host
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "30",
    "fetch.unpackLimit": "1",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_PASSING = (
    "could not resolve host",
    "couldn't connect",
    "failed to connect",
    "connection refused",
    "connection reset",
    "connection closed by",
    "connection timed out",
    "operation timed out",
    "timed out",
    "no route to host",
    "network is unreachable",
    "temporary failure in name resolution",
    "could not resolve hostname",
    "returned error: 5",
    "returned error: 429",
    "operation too slow",
    "empty reply from server",
    "early eof",
)
_OF_SSH = ("host key verification failed", "permission denied", "no such identity", "error in libcrypto")


@dataclass(frozen=True, repr=False)
class Credentials:
    """How git signs in: with a token over HTTPS, or with a private key over SSH; without, as the user who runs it may. `known_hosts`: the lines of the
    hosts that are trusted over SSH; empty: those that this user trusts."""

    user: str = "git"
    token: str = ""
    key: str = ""
    known_hosts: str = ""


def is_installed() -> bool:
    """Whether there is a git to run."""
    return shutil.which("git") is not None


class Repository:
    """An empty repository in an empty folder that belongs to nobody else."""

    def __init__(self, folder: Path, url: str, credentials: Credentials) -> None:
        """Raises LoadError for an address that git does not get."""
        problem = code_addresses.git_problem(url)
        if not problem and (credentials.token or credentials.key) and not code_addresses.may_carry_credentials(url):
            problem = "Credentials are sent to a repository over https or ssh alone; use such an address."
        if problem:
            raise LoadError(problem)
        self._folder, self._url, self._credentials = folder, url, credentials
        self._here: list[str] = []
        self._environ = self._closed()
        if urlsplit(url).scheme == "file":
            self._trust(urlsplit(url).path)

    def commit_of(self, ref: str) -> str:
        """The commit that a branch or a tag is now. Raises CodeMissing if there is none, and Unreachable."""
        if problem := code_addresses.ref_problem(ref):
            raise LoadError(problem)
        if code_addresses.is_commit(ref):
            return ref
        lines = self._git(
            ["ls-remote", "--quiet", *self._here, "--end-of-options", self._url, ref, f"{ref}^{{}}"]
        ).splitlines()
        commits = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
        for name in (ref, f"refs/tags/{ref}", f"refs/heads/{ref}"):
            commit = commits.get(f"{name}^{{}}") or commits.get(name)
            if commit is not None and code_addresses.is_commit(commit):
                return commit
        raise CodeMissing(f"The repository {self._url} has no branch or tag {ref}: push it, or name another one.")

    def fetch(self, commit: str) -> None:
        """Fetch one commit, without its history. Raises CodeMissing if the repository has it no more, and Unreachable."""
        if not code_addresses.is_commit(commit):
            raise LoadError("A commit is its whole hash.")
        form = ["--object-format=sha256"] if len(commit) == 64 else []
        self._git(["init", "--quiet", "--bare", "--template=", *form, "--", "."])
        options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"]
        options += self._here
        try:
            self._git(["fetch", *options, "--depth=1", "--end-of-options", self._url, commit])
        except CodeMissing as error:
            if "not our ref" in str(error):
                raise self._without(commit) from None
            if "unadvertised object" not in str(error):
                raise
            every = [
                "+refs/heads/*:refs/heads/*",
                "+refs/tags/*:refs/tags/*",
            ]  # it hands out no commits by their hashes
            self._git(["fetch", *options, "--end-of-options", self._url, *every])
        try:
            self._git(["rev-parse", "--quiet", "--verify", "--end-of-options", f"{commit}^{{commit}}"])
        except CodeMissing:
            raise self._without(commit) from None

    def files(self, commit: str, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The content of files of the commit. Raises CodeMissing for the first that it doesn't have, or that is too large for a version."""
        names = list(names)
        if any("\n" in name for name in names):
            raise LoadError("A file with a line break in its name can't be read from a repository.")
        questions = self._folder / "questions"
        questions.write_bytes("".join(f"{commit}:{name}\n" for name in names).encode())
        with questions.open("rb") as given:
            process = self._start(["cat-file", "--batch"], given, subprocess.PIPE, subprocess.DEVNULL)
        assert process.stdout is not None
        try:
            for name in names:
                yield name, _next(process.stdout, name, commit)
        finally:
            _end(process)
            process.stdout.close()

    def _git(self, arguments: Sequence[str]) -> str:
        """What git prints. Raises CodeMissing or Unreachable with the reason that it names."""
        output, errors = self._folder / "output", self._folder / "errors"
        with output.open("wb") as out, errors.open("wb") as err:
            process = self._start(arguments, subprocess.DEVNULL, out, err)
        deadline = clock.monotonic() + SECONDS
        try:
            while process.poll() is None:
                with_time = clock.monotonic() < deadline
                if not with_time or _size(self._folder) > MOST_FETCHED:
                    what = (
                        f"is larger than {MOST_FETCHED // 1024**2} MB"
                        if with_time
                        else f"took longer than {SECONDS:.0f} s"
                    )
                    raise (LoadError if with_time else Unreachable)(
                        f"Fetching from {self._url} was given up: it {what}."
                    )
                try:
                    process.wait(_POLL)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            _end(process)
        if process.returncode == 0:
            return output.read_text(encoding="utf-8", errors="replace")
        why = self._why(errors.read_text(encoding="utf-8", errors="replace"))
        passing = any(part in why.lower() for part in _PASSING)
        raise (Unreachable if passing else CodeMissing)(f"The repository {self._url} can't be read: {why}.")

    def _start(
        self, arguments: Sequence[str], given: IO[bytes] | int, output: IO[bytes] | int, errors: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                ["git", *arguments],
                cwd=self._folder,
                env=self._environ,
                stdin=given,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise CodeMissing(
                "The program git is not installed on this machine, which the storage of the flow needs."
            ) from None

    def _closed(self) -> dict[str, str]:
        scheme = urlsplit(self._url).scheme
        config = {**_CONFIG, f"protocol.{scheme}.allow": "always"}
        if self._credentials.token and scheme in ("http", "https"):
            pair = base64.b64encode(f"{self._credentials.user}:{self._credentials.token}".encode()).decode()
            config["http.extraHeader"] = f"Authorization: Basic {pair}"
        environ = {name: value for name, value in os.environ.items() if name in _KEPT}
        environ |= {**_CLOSED, "HOME": str(self._folder), "GIT_CEILING_DIRECTORIES": str(self._folder.parent)}
        environ["GIT_ALLOW_PROTOCOL"] = scheme
        if scheme == "ssh":
            environ["GIT_SSH_COMMAND"] = shlex.join(self._ssh())
        return environ | _as_variables(config)

    def _trust(self, path: str) -> None:
        """A repository on this disk may belong to another user, since the administrator has opened its folder; it fetches nothing from anywhere
        itself."""
        config = self._folder / "config-of-user"
        config.write_text(f'[safe]\ndirectory = "{path.rstrip("/")}"\n', encoding="utf-8")
        self._environ["GIT_CONFIG_GLOBAL"] = str(config)
        self._here = ["--upload-pack=env GIT_ALLOW_PROTOCOL= git upload-pack"]

    def _ssh(self) -> list[str]:
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20", "ServerAliveInterval=15"]
        options += ["ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no", "ClearAllForwardings=yes"]
        command = ["ssh"]
        if self._credentials.known_hosts:
            hosts = _private(self._folder / "known_hosts", self._credentials.known_hosts)
            options += [f'UserKnownHostsFile="{hosts}"', f"GlobalKnownHostsFile={os.devnull}"]
        if self._credentials.key:
            key = _private(self._folder / "key", self._credentials.key)
            command += ["-F", os.devnull, "-i", str(key)]
            options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
        return [*command, *(part for option in options for part in ("-o", option))]

    def _without(self, commit: str) -> CodeMissing:
        return CodeMissing(
            f"The repository {self._url} has no commit {commit[:12]}: push it, or register the flow again."
        )

    def _why(self, text: str) -> str:
        """The reason in git's own words, on one line and without credentials."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        reasons = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
        others = [line for line in lines if any(part in line.lower() for part in (*_OF_SSH, *_PASSING))]
        line = next(iter([*others, *reasons]), "git failed without a word")
        for secret in (self._credentials.token, self._credentials.key):
            line = line.replace(secret, "***") if secret else line
        words = line.removeprefix("fatal: ").removeprefix("error: ").removeprefix("remote: ")
        return "".join(character for character in words if character.isprintable())[:300].rstrip(". ")


def _end(process: subprocess.Popen[bytes]) -> None:
    """With what it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _next(output: IO[bytes], name: str, commit: str) -> bytes:
    header = output.readline(10_000).split()
    if len(header) != 3 or header[1] != b"blob" or not header[2].isdigit():
        raise CodeMissing(f"Commit {commit[:12]} of the repository has no file {name}: register the flow again.")
    size = int(header[2])
    if size > flow_source.MOST_BYTES:
        raise CodeMissing(
            f"The file {name} is larger than {flow_source.MOST_BYTES // 1024**2} MB: register the flow again."
        )
    content = output.read(size)
    if len(content) != size or output.read(1) != b"\n":
        raise Unreachable(f"The file {name} could not be read whole from the repository.")
    return content


def _as_variables(config: Mapping[str, str]) -> dict[str, str]:
    """Configuration as variables: what is on a command line, every user of the machine can see."""
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _private(path: Path, content: str) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content.replace("\r\n", "\n").rstrip("\n") + "\n")
    return path


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:  # git has moved it meanwhile
                continue
    return total
