"""The programs that fill an environment: uv where it is installed, or else pip. Neither reads anybody's configuration, and both ask one index alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from signal import SIGKILL
from typing import IO

from appliance.agents import become, own_sdk
from appliance.agents.run_users import Account
from appliance.kit import clock
from appliance.kit.distribution import install, is_installed

_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_LONGEST_BUILD = 25 * 60.0
"""In seconds; the server waits half an hour for the start of a run."""
_PAUSE = 0.05
_PIP_FOR_312 = (23, 1, 2)
"""Older ones need a module that Python 3.12 no longer has (changelog of pip 23.1.2)."""
_TAIL_LINES, _TAIL_BYTES = 15, 16 * 1024


class InstallFailed(Exception):
    """An installer has failed, or there is none. The message is a sentence, `detail` the end of what the installer said."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Stopped(Exception):
    """The build is not needed any more."""


class Installer:
    """Builds in one folder: `python` becomes a virtual environment there, and what is temporary is in there, too.

    `lock` is a file descriptor that the programs inherit: the lock of the folder, which so outlives the agent while they write. With an `account`, they
    work as that: what they fill is the account's, and the folder itself stays closed to it.
    """

    def __init__(
        self,
        folder: Path,
        index_url: str,
        *,
        builds: bool,
        lock: int,
        is_wanted: Callable[[], bool],
        tool: str = "",
        account: Account | None = None,
    ) -> None:
        self._folder, self._builds, self._lock, self._is_wanted = folder, builds, lock, is_wanted
        self._account, self._base = account, Path(sys.base_prefix)
        self.python = folder / "venv" / "bin" / "python"
        self._tool = tool or preferred()
        self._environ = _environment(os.environ, folder, index_url)

    def create(self, base: str, prefix: str) -> None:
        """Make an empty virtual environment of this interpreter, with its library below a prefix. Raises InstallFailed or Stopped."""
        self._base = Path(prefix)
        for name in ("tmp", "home", "venv"):
            (self._folder / name).mkdir(exist_ok=True)
            if self._account is not None:
                os.chown(self._folder / name, self._account.ids.uid, self._account.ids.gid)
        if self._account is not None:
            self._folder.chmod(0o711)
        self._run(
            [base, "-I", "-m", "venv", "--without-pip", str(self._folder / "venv")],
            f"{base} could not make a virtual environment",
        )

    def install(self, requirements: list[str], *, constraints: Sequence[str] = ()) -> None:
        """Install these, together with what they need. With hashes, everything needs one. Raises InstallFailed or Stopped."""
        listed, limits = self._folder / "requirements.txt", self._folder / "constraints.txt"
        listed.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        limits.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
        for file in (listed, limits):
            file.chmod(0o644)  # accounts read it, too
        options = ["--requirement", str(listed), *(["--constraint", str(limits)] if constraints else [])]
        if any("--hash=" in line for line in requirements):
            options.append("--require-hashes")
        if not self._builds:
            options += ["--only-binary", ":all:"]
        self._run(self._command("install", *options), f"{self._tool} could not install the packages")

    def link(self) -> None:
        """Link the agent's own SDK into the environment. Raises InstallFailed or Stopped."""
        if self._account is None:
            own_sdk.link(self.packages())
            return
        path = {name: value for name, value in os.environ.items() if name == "PYTHONPATH"}
        command = [sys.executable, "-P", "-m", "appliance.agents.own_sdk", str(self.packages())]
        self._run(command, "The SDK of the agent could not be linked", path)

    def check(self) -> None:
        """Look whether the packages fit each other. Raises InstallFailed or Stopped."""
        self._run(self._command("check"), "The packages of the flow and those of the SDK don't fit each other")

    def tidy(self) -> None:
        """Remove what was temporary."""
        for name in ("tmp", "home"):
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def packages(self) -> Path:
        """The folder of the packages of the virtual environment."""
        [folder] = (self._folder / "venv" / "lib").glob("python3*/site-packages")
        return folder

    def _command(self, verb: str, *options: str) -> list[str]:
        if self._tool == "uv":
            return [_uv(), "pip", verb, "--no-config", "--no-cache", "--python", str(self.python), *options]
        if self._tool == "pip":
            self._check_pip()
            return [sys.executable, "-I", "-m", "pip", "--python", str(self.python), verb, *options]
        raise InstallFailed(
            f"This agent has neither uv nor pip to install packages with. Run `{install('environments')}` where it is installed, and restart it."
        )

    def _check_pip(self) -> None:
        """Raises InstallFailed if this pip can't work for the environment's Python."""
        pip, minor = metadata.version("pip"), int(self.packages().parent.name.removeprefix("python3.").rstrip("t"))
        if minor >= 12 and tuple(int(part) for part in pip.split(".")[:3] if part.isdigit()) < _PIP_FOR_312:
            raise InstallFailed(
                f"The agent's pip {pip} is too old for Python 3.{minor}. Run `{install('environments')}` where the agent is installed, and restart it."
            )

    def _run(self, command: list[str], problem: str, more: Mapping[str, str] | None = None) -> None:
        log = self._folder / "output.log"
        with log.open("wb") as output:
            try:
                process = self._started(command, self._environ | dict(more or {}), output)
            except OSError as error:
                raise InstallFailed(f"{problem}: {command[0]} does not start ({error.strerror}).") from error
            try:
                code = self._wait(process)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, SIGKILL)
                    process.wait()
        if code is None:
            raise InstallFailed(f"{problem} within {_LONGEST_BUILD / 60:.0f} minutes.", _end_of(log))
        if code != 0:
            raise InstallFailed(f"{problem}; what it says is in the run's log.", _end_of(log))

    def _started(self, command: list[str], environ: dict[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        if self._account is not None:
            return become.start(
                self._account,
                command,
                environ=environ,
                cwd=self._folder,
                needed=[self._folder, self._base],
                output=output,
                held=[self._lock],
            )
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[self._lock],
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        deadline = clock.monotonic() + _LONGEST_BUILD
        while clock.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_PAUSE)
            if not self._is_wanted():
                raise Stopped
        return None


def preferred() -> str:
    """The installer that is there; empty if there is none."""
    return next((name for name in ("uv", "pip") if is_installed(name)), "")


def _uv() -> str:
    from uv import find_uv_bin

    try:
        return str(find_uv_bin())
    except FileNotFoundError as error:
        raise InstallFailed(
            f"The program of uv is missing; run `{install('environments')}` where the agent is installed."
        ) from error


def _environment(ours: Mapping[str, str], folder: Path, index_url: str) -> dict[str, str]:
    """The variables of an installer: the index, and nothing of the agent's environment that could name another, or is secret."""
    kept = {name: ours[name] for name in _KEPT if name in ours}
    kept |= {name: value for name, value in ours.items() if name.upper() in _PROXIES}
    if index_url.startswith("http://127.0.0.1:"):  # no proxy leads there
        kept |= {name: ",".join(filter(None, [kept.get(name), "127.0.0.1"])) for name in ("NO_PROXY", "no_proxy")}
    return {
        **kept,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "XDG_CONFIG_HOME": str(folder / "home"),
        "UV_DEFAULT_INDEX": index_url,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index_url,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
    }


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(line.rstrip()[:500] for line in lines[-_TAIL_LINES:] if line.strip())
