"""The environments of an agent: for each Python and list of packages that flows ask for, a virtual environment, built once where it stays, and kept while
it is used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from appliance.agents import environment_folder as folders
from appliance.agents import own_sdk, pythons
from appliance.agents.environment_folder import Environment, IsWanted, Record, Tell
from appliance.agents.installers import Installer, InstallFailed
from appliance.agents.package_index import IndexClosed, IndexUnreachable, PackageIndex
from appliance.agents.pythons import Interpreter, NoPython
from appliance.agents.run_users import Account
from appliance.config import Settings
from appliance.kit import clock, crash
from appliance.kit.backoff import delays
from appliance.kit.distribution import DISTRIBUTION
from appliance.kit.plurals import counted
from appliance.kit.version import VERSION
from appliance.protocol.environments import constraint_of, pin_of, python_problem, requirements_problem

MOST = 50
"""Environments that are kept; of more, those that were not used for longest are removed."""
_LEFTOVERS = timedelta(days=1)
_PATIENCE = 60.0
"""How long an agent retries while the index can't be reached, in seconds."""
_FIRST_REST, _LONGEST_REST = 5.0, 600.0
"""Before what failed is built again, in seconds."""


class EnvironmentFailed(Exception):
    """A run can't get its environment. The message is a sentence for the run's page, `detail` the end of what an installer said."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class EnvironmentRules:
    """What an agent's administrator has decided: whether flows may ask for environments, from which index, whether packages may be built from their
    sources, and which interpreters flows may name by path. `most_bytes` is how much all environments together may take on the disk."""

    allowed: bool
    index_url: str
    builds: bool = False
    pythons: tuple[str, ...] = ()
    most_bytes: int = 10 * 1024**3
    token: str = field(default="", repr=False)
    """That of the agent, for the appliance's own index."""

    @classmethod
    def of(cls, settings: Settings, url: str, token: str, *, default: bool) -> EnvironmentRules:
        """Those of the settings, for an agent of the server at this URL. `default` applies where they don't say whether flows may ask."""
        return cls(
            allowed=default if settings.agent_environments is None else settings.agent_environments,
            index_url=settings.agent_index_url or f"{url}/simple",
            builds=settings.agent_builds,
            pythons=settings.open_pythons,
            most_bytes=settings.agent_environments_bytes,
            token="" if settings.agent_index_url else token,
        )


NO_ENVIRONMENTS = EnvironmentRules(allowed=False, index_url="")
"""Of an agent whose administrator has said nothing."""


@dataclass(frozen=True)
class _Order:
    """An environment to be built, and whom to tell about it."""

    interpreter: Interpreter
    lines: list[str]
    account: Account | None
    tell: Tell
    is_wanted: IsWanted


class Environments:
    """All of one agent. Safe to use from many threads, and from many processes with the same folder."""

    def __init__(self, folder: Path, rules: EnvironmentRules, *, tool: str = "", patience: float = _PATIENCE) -> None:
        """`tool` is uv or pip, by default what is installed."""
        self._folder = folder.resolve()
        self._rules = rules
        self._tool = tool
        self._patience = patience
        self._index = PackageIndex(rules.index_url, rules.token)

    def obtain(
        self,
        python: str | None,
        requirements: Sequence[str],
        tell: Tell = lambda _line: None,
        is_wanted: IsWanted = lambda: True,
        account: Account | None = None,
    ) -> Environment:
        """The environment for a flow, which is built if it is not there. The caller releases it. `tell` takes lines for the run's log. With an `account`,
        it is one of its own, and the installer works as that.

        Raises EnvironmentFailed, or Stopped once it `is_wanted` no more.
        """
        problem = python_problem(python) or requirements_problem(requirements)
        if problem:
            raise EnvironmentFailed(problem)
        if not self._rules.allowed:
            raise EnvironmentFailed(
                "This agent makes no environments for flows. To allow it, set APPLIANCE_AGENT_ENVIRONMENTS=true and restart the agent, or remove python, "
                "requirements, and lock from the flow's run config, and install its packages where the agent is installed."
            )
        try:
            interpreter = pythons.find(python, self._rules.pythons)
        except NoPython as error:
            raise EnvironmentFailed(str(error)) from error
        lines = sorted(
            line for line in requirements if pin_of(line)[0] != DISTRIBUTION
        )  # always of the agent's version
        folder = self._folder / _key(interpreter, lines, self._rules.builds, account)
        environment = folders.ready(folder)
        if environment is not None:
            return environment
        try:
            environment = self._built(folder, _Order(interpreter, lines, account, tell, is_wanted))
        except OSError as error:
            raise EnvironmentFailed(f"The environment could not be built: {error.strerror or error}.") from error
        self.sweep()
        return environment

    def pythons(self) -> list[str]:
        """What flows may ask for here as `python`; none if it makes no environments. The first call may take seconds."""
        return pythons.known(self._rules.pythons) if self._rules.allowed else []

    def own_python(self) -> list[str]:
        """The one of those that is known without looking."""
        return [pythons.OWN_VERSION] if self._rules.allowed else []

    def records(self) -> list[tuple[Record, datetime, bool]]:
        """The complete environments, each with its last use, and whether a process runs in it; those used last come first."""
        return [(record, used, folders.is_used(folder)) for folder, record, used in self._complete()]

    def remove(self, key: str) -> bool:
        """Remove an environment, or what is known of its failed builds. False if it is used, or there is none."""
        folder = self._folder / Path(key).name
        return folder in self._folders() and folders.remove(folder)

    def sweep(self) -> int:
        """Remove what was used least recently beyond what may be kept, and what builds have left behind. Returns how many."""
        complete = self._complete()
        total, removed = 0, 0
        for number, (folder, record, _used) in enumerate(complete):
            total += record.size
            if number >= MOST or total > self._rules.most_bytes:
                removed += folders.remove(folder)
        for folder in {*self._folders()} - {folder for folder, _record, _used in complete}:
            if clock.now() - folders.used_at(folder) > _LEFTOVERS:
                removed += folders.remove(folder)
        return removed

    def _folders(self) -> list[Path]:
        try:
            return [place for place in self._folder.iterdir() if place.is_dir() and not place.is_symlink()]
        except OSError:  # nothing has been built yet
            return []

    def _complete(self) -> list[tuple[Path, Record, datetime]]:
        records = ((folder, folders.record_of(folder)) for folder in self._folders())
        complete = [(folder, record, folders.used_at(folder)) for folder, record in records if record is not None]
        return sorted(complete, key=lambda each: each[2], reverse=True)

    # --- building

    def _built(self, folder: Path, order: _Order) -> Environment:
        """The environment once it is there: built alone, whoever else wants it. Raises EnvironmentFailed, Stopped, or OSError."""
        is_told = False
        while (environment := folders.ready(folder)) is None:
            lock = folders.alone(folder)
            if lock is None:
                if not is_told:
                    order.tell(f"Environment {folder.name} is being built for another run; waiting for it ...")
                    is_told = True
                folders.pause(order.is_wanted)
                continue
            try:
                if folders.record_of(folder) is None:
                    _refuse_early(folder)
                    folders.clear(folder)
                    self._fill(folder, lock, order)
            finally:
                os.close(lock)
        return environment

    def _fill(self, folder: Path, lock: int, order: _Order) -> None:
        interpreter, lines, tell = order.interpreter, order.lines, order.tell
        started = clock.monotonic()
        tell(
            f"Building environment {folder.name}: Python {interpreter.version}, {counted(len(lines), 'requirement')} ..."
        )
        address = self._index.url
        try:
            linked = not self._has_sdk(tell, order.is_wanted)
            with self._index.address() as address:
                installer = self._installer(folder, lock, address, order)
                self._install(installer, order, linked)
        except IndexUnreachable as error:
            raise EnvironmentFailed(f"The environment could not be built: {error}") from error
        except (InstallFailed, IndexClosed) as error:
            reason, detail = (
                self._reason(error, lines),
                getattr(error, "detail", "").replace(address, self._index.shown),
            )
            folders.fail(folder, reason, detail)
            raise EnvironmentFailed(f"The environment could not be built: {reason}", detail) from error
        record = Record(
            key=folder.name,
            python=interpreter.version,
            prefix=interpreter.prefix,
            requirements=[line.partition(" --hash=")[0] for line in lines],
            sdk=VERSION,
            linked=linked,
            packages=len(list(installer.packages().glob("*.dist-info"))),
            size=folders.size_of(folder),
            built_at=clock.now(),
        )
        crash.point("agent.environment_filled")
        folders.complete(folder, record)
        tell(f"Built environment {record} in {clock.monotonic() - started:.1f} s.")

    def _installer(self, folder: Path, lock: int, address: str, order: _Order) -> Installer:
        return Installer(
            folder,
            address,
            builds=self._rules.builds,
            lock=lock,
            is_wanted=order.is_wanted,
            tool=self._tool,
            account=order.account,
        )

    def _install(self, installer: Installer, order: _Order, linked: bool) -> None:
        """The flow's packages and the SDK in one go, so that they fit each other; but with hashes the flow's own first, since the SDK has none. It is
        `linked` if the index does not have it."""
        interpreter, lines = order.interpreter, order.lines
        if linked and not (own_sdk.is_known() and interpreter.takes_ours):
            raise InstallFailed(
                f"The package index {self._index.shown} has no wheel of {DISTRIBUTION} {VERSION}, which every environment needs. Put it there, with those of "
                "its dependencies for this Python, as the page Install says."
            )
        sdk = [] if linked else [f"{DISTRIBUTION}=={VERSION}"]
        installer.create(interpreter.path, interpreter.prefix)
        if any("--hash=" in line for line in lines):
            installer.install(lines)
            if sdk:
                installer.install(sdk, constraints=[constraint_of(line) for line in lines])
        elif lines or sdk:
            installer.install([*lines, *sdk], constraints=own_sdk.needs() if linked else [])
        if linked:
            installer.link()
            installer.check()
        installer.tidy()

    def _has_sdk(self, tell: Tell, is_wanted: IsWanted) -> bool:
        """Whether the index has our SDK. Retries for a while if it does not answer."""
        deadline = clock.monotonic() + self._patience
        pauses = delays(0.2, 5.0)
        is_told = False
        while True:
            try:
                return self._index.has(DISTRIBUTION, VERSION)
            except IndexUnreachable as error:
                if clock.monotonic() > deadline:
                    raise
                if not is_told:
                    tell(f"{error} Trying again ...")
                    is_told = True
            folders.pause(is_wanted, next(pauses))

    def _reason(self, error: InstallFailed | IndexClosed, lines: list[str]) -> str:
        """Why a build has failed: what the index lacks, or else what the error says."""
        with suppress(IndexClosed, IndexUnreachable):
            missing = self._index.missing(pin_of(line) for line in lines)
            if missing:
                return (
                    f"The package index {self._index.shown} has no wheel of {', '.join(missing)}. Put it there, or change the flow's requirements, and "
                    "run the flow again."
                )
        return str(error)


def _key(interpreter: Interpreter, lines: list[str], builds: bool, account: Account | None) -> str:
    parts = [interpreter.path, interpreter.version, interpreter.platform, VERSION, *lines]
    parts += ["built from sources"] if builds else []
    parts += [] if account is None else [f"user {account.name} {account.ids.uid}"]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _refuse_early(folder: Path) -> None:
    """Don't build what has just failed. Raises EnvironmentFailed."""
    failure = folders.failure_of(folder)
    if failure is None:
        return
    rest = min(_FIRST_REST * 2 ** min(failure.count - 1, 16), _LONGEST_REST)
    since = (clock.now() - failure.at).total_seconds()
    if 0 <= since < rest:
        raise EnvironmentFailed(
            f"The environment could not be built {since:.0f} s ago: {failure.reason} (A run tries it again in {rest - since:.0f} s, or after "
            f"`appliance agent environments remove {folder.name}`.)",
            failure.detail,
        )
