"""All settings, in one frozen object that is built once and passed along.

Values come, in order of precedence, from `APPLIANCE_*` environment variables (each also available as `APPLIANCE_*_FILE`), from
the TOML file that `APPLIANCE_CONFIG` names, and from the defaults below. An unknown key is an error in the file, which is the
appliance's own; in the environment it is a warning, since others set variables there too.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from appliance.kit import env, environment_names, profiles

PREFIX = "APPLIANCE"
_OTHER_VARIABLES = (
    *("url", "token", "config", "checkpointing", "progress", "crash", "secrets_dir", "bundle_key", "host_label"),
    *(
        "run_id",
        "run_attempt",
        "run_token",
        "run_dir",
        "run_code",
        "run_code_dir",
        "run_hidden",
        "run_limits",
    ),  # set by agents for the processes that they start
)
_SECRETS = "secret_"
_SERVICE_LINK = re.compile(r"(.+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_PUBLIC_URL = re.compile(r"https?://(?P<host>[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?(/[^\s?#@]*)?")
_TARGET = re.compile(r"unix:/[^\s,]+|(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

_logger = logging.getLogger("appliance.config")

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Days = Annotated[float, msgspec.Meta(ge=0, le=36_500)]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Bytes = Annotated[int, msgspec.Meta(ge=0)]


_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50, "OFF": 1000}


class SettingsError(ValueError):
    """A setting is invalid. The message is one sentence that names it."""


class RunLogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs send to their logs. Agents pass these settings on to the runs that they start; a flow may set its own."""

    run_log_stdout: bool = True
    run_log_level: Literal["", "DEBUG", "INFO", "WARNING", "ERROR"] = ""
    run_loggers: str = ""
    run_log_rate: Annotated[int, msgspec.Meta(ge=0)] = 1000
    run_log_bytes: Bytes = 100 * 1024**2

    @property
    def logger_levels(self) -> dict[str, int]:
        """The levels by logger name in `run_loggers`. Raises SettingsError."""
        levels: dict[str, int] = {}
        for item in filter(None, (item.strip() for item in self.run_loggers.split(","))):
            name, _, level = (part.strip() for part in item.partition("="))
            if not name or level.upper() not in _LEVELS:
                raise SettingsError(
                    f"{PREFIX}_RUN_LOGGERS can't contain {item!r}; write it as mylib=DEBUG,other=ERROR, with the levels "
                    f"{', '.join(_LEVELS)}."
                )
            levels[name] = _LEVELS[level.upper()]
        return levels

    def run_environ(self) -> dict[str, str]:
        """The settings that differ from the defaults, as variables for the processes of runs."""
        changed = {name: getattr(self, name) for name in RunLogSettings.__struct_fields__}
        default = RunLogSettings()
        return {
            f"{PREFIX}_{name.upper()}": str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in changed.items()
            if value != getattr(default, name)
        }


_S = TypeVar("_S", bound=RunLogSettings)


class Settings(RunLogSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The appliance's settings. Durations are in seconds unless the name says otherwise."""

    data_dir: str = "./data"
    database_url: str = ""
    host: str = "127.0.0.1"
    port: Port = 4200
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    site_name: str = "Appliance"
    admin_password: str = ""
    admin_token: str = ""
    change_preset_password: bool = False
    development: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["plain", "json"] = "plain"
    trusted_proxies: str = ""
    public_url: str = ""
    metrics_public: bool = True
    metrics_from: str = ""
    wheels: str = ""
    wheels_public: bool = True
    graphql_introspection: bool = False
    secure_cookies: bool = False
    session_hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 365)] = 24 * 7.0
    session_idle_hours: Annotated[float, msgspec.Meta(ge=0, le=24 * 365)] = 24.0
    token_days: Days = 90.0
    longest_token_days: Days = 400.0
    scheduler_interval: Seconds = 5.0
    scheduled_runs_ahead: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    repair_interval: Seconds = 15.0
    hold_overdue_above: Annotated[int, msgspec.Meta(ge=0)] = 1000
    run_lease: Seconds = 90.0
    heartbeat_interval: Seconds = 10.0
    cancel_grace: Seconds = 10.0
    start_deadline: Seconds = 1_800.0
    run_timeout: Annotated[float, msgspec.Meta(ge=0, le=31_536_000)] = 0.0
    flow_tasks: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 5_000
    run_log_bytes_per_minute: Bytes = 64 * 1024**2
    mapped_children: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] = 250_000
    task_run_states: Annotated[int, msgspec.Meta(ge=100, le=2**31 - 1)] = 10_000
    flow_run_states: Annotated[int, msgspec.Meta(ge=100, le=2**31 - 1)] = 10_000
    run_report_bytes: Bytes = 1024**3
    project_open_runs: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 100_000
    project_rows: Annotated[int, msgspec.Meta(ge=0, le=2**50)] = 200_000_000
    project_bytes: Bytes = 200 * 1024**3
    project_secrets: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 1_000
    bundles: bool = True
    bundle_bytes: Annotated[int, msgspec.Meta(ge=1, le=40 * 1024**2)] = 20 * 1024**2
    late_after: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    longest_wait: Seconds = 600.0
    agent_capacity: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 8
    agent_name: str = "embedded"
    agent_labels: str = ""
    agent_projects: str = ""
    agent_roots: str = ""
    agent_env_names: str = ""
    agent_environments: bool | None = None
    agent_index_url: str = ""
    agent_builds: bool = False
    agent_pythons: str = ""
    agent_environments_bytes: Bytes = 10 * 1024**3
    agent_user: str = ""
    agent_users: str = ""
    server_user: str = ""
    results_url: str = ""
    results_door: bool = True
    results_door_object_bytes: Annotated[int, msgspec.Meta(ge=1, le=40 * 1024**2)] = 8 * 1024**2
    results_door_run_bytes: Bytes = 1024**3
    run_artifacts: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1_000
    artifact_bytes: Annotated[int, msgspec.Meta(ge=1, le=40 * 1024**2)] = 10 * 1024**2
    run_artifacts_bytes: Bytes = 256 * 1024**2
    secrets_key_file: str = ""
    retention_interval: Seconds = 30.0
    retention_runs_days: Days = 90
    retention_logs_days: Days = 30
    retention_events_days: Days = 30
    retention_rollups_days: Days = 730
    retention_runs_bytes: Bytes = 0
    retention_logs_bytes: Bytes = 10 * 1024**3
    retention_events_bytes: Bytes = 2 * 1024**3
    mail_server: str = ""
    mail_from: str = ""
    mail_user: str = ""
    mail_password: str = ""
    mail_security: Literal["starttls", "tls", "none"] = "starttls"
    automation_targets: str = ""
    disk_reserve_bytes: Bytes = 64 * 1024**2
    disk_least_free_bytes: Bytes = 16 * 1024**2
    disk_budget_bytes: Bytes = 0

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks in `trusted_proxies`. Raises SettingsError."""
        return _networks("TRUSTED_PROXIES", self.trusted_proxies)

    @property
    def metrics_networks(self) -> tuple[Network, ...]:
        """The networks in `metrics_from`. Raises SettingsError."""
        return _networks("METRICS_FROM", self.metrics_from)

    @property
    def open_env_names(self) -> tuple[str, ...]:
        """The patterns in `agent_env_names`. Raises SettingsError."""
        try:
            return environment_names.patterns_in(self.agent_env_names)
        except ValueError as error:
            raise SettingsError(f"{PREFIX}_AGENT_ENV_NAMES {error}.") from error

    @property
    def open_pythons(self) -> tuple[str, ...]:
        """The interpreters in `agent_pythons`, which flows may name by their paths. Raises SettingsError."""
        paths = tuple(path.strip() for path in self.agent_pythons.split(os.pathsep) if path.strip())
        for path in paths:
            if not path.startswith("/"):
                raise SettingsError(
                    f"{PREFIX}_AGENT_PYTHONS can't contain {path[:80]!r}; write absolute paths of interpreters, with colons in between."
                )
        return paths

    @property
    def public_hosts(self) -> frozenset[str]:
        """The host names in `public_url`, in lower case. Raises SettingsError."""
        hosts: set[str] = set()
        for item in filter(None, (item.strip() for item in self.public_url.split(","))):
            match = _PUBLIC_URL.fullmatch(item.lower())
            if match is None:
                raise SettingsError(
                    f"{PREFIX}_PUBLIC_URL can't contain {item[:80]!r}; write it as https://appliance.example.org."
                )
            hosts.add(match["host"].strip("[]").removesuffix("."))
        return frozenset(hosts)

    @property
    def open_targets(self) -> frozenset[str]:
        """The addresses in `automation_targets`, to which automations may send although they are of this machine. Raises SettingsError."""
        targets: set[str] = set()
        for item in filter(None, (item.strip() for item in self.automation_targets.split(","))):
            if not _TARGET.fullmatch(item):
                raise SettingsError(
                    f"{PREFIX}_AUTOMATION_TARGETS can't contain {item[:80]!r}; write it as 127.0.0.1:9093,localhost:8065,unix:/dev/log."
                )
            targets.add(item.lower() if not item.startswith("unix:") else item)
        return frozenset(targets)

    def without_secrets(self) -> Settings:
        """For processes that don't use the database."""
        return msgspec.structs.replace(self, admin_password="", admin_token="", database_url="", mail_password="")

    @property
    def data_path(self) -> Path:
        """The absolute path of the data directory."""
        return Path(self.data_dir).expanduser().resolve()

    @property
    def database(self) -> str:
        """The database's SQLAlchemy URL: `database_url`, or `appliance.db` in the data directory."""
        return self.database_url or f"sqlite:///{self.data_path / 'appliance.db'}"

    @property
    def results(self) -> str:
        """Where the embedded agent's runs store results: `results_url`, or `results` in the data directory."""
        return self.results_url or (self.data_path / "results").as_uri()

    @property
    def wheel_folders(self) -> tuple[Path, ...]:
        """The folders in `wheels`, whose wheels the package index has, or `wheels` in the data directory."""
        folders = [folder for folder in self.wheels.split(os.pathsep) if folder]
        return tuple(Path(folder).expanduser().absolute() for folder in folders) or (self.data_path / "wheels",)

    @property
    def secrets_key_path(self) -> Path:
        """Where the keys of secrets are: `secrets_key_file`, or `secrets.key` in the data directory."""
        return (
            Path(self.secrets_key_file).expanduser().resolve()
            if self.secrets_key_file
            else self.data_path / "secrets.key"
        )

    @property
    def local_url(self) -> str:
        """The URL at which a client on this machine reaches the server."""
        return f"http://{_in_url(self.local_host)}:{self.port}"

    @property
    def local_host(self) -> str:
        """The address at which a client on this machine reaches the server."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound

    @property
    def address(self) -> str:
        """Where the server listens, as host:port."""
        return f"{_in_url(self.host)}:{self.port}"


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Build the settings. `overrides` (command-line options) take precedence where they are not None.

    Raises SettingsError for an unknown key in the file, a wrong type, or an unreadable file.
    """
    environ = os.environ if environ is None else environ
    known = Settings.__struct_fields__
    links = {variable for variable, value in environ.items() if _is_service_link(variable, value)}
    environ = {variable: value for variable, value in environ.items() if variable not in links}
    _warn_of_strangers(links, environ, known)
    values: dict[str, Any] = _from_file(environ.get(f"{PREFIX}_CONFIG"))
    try:
        values.update(env.read(environ, PREFIX, known))
    except ValueError as error:
        raise SettingsError(str(error)) from error
    values.update({key: value for key, value in overrides.items() if value is not None})
    if isinstance(host := values.get("host"), str):
        values["host"] = host.strip().removeprefix("[").removesuffix("]")
    return _convert(values, Settings, {key: _origin(key, environ, overrides) for key in values})


def run_log(environ: Mapping[str, str]) -> RunLogSettings:
    """The settings of a run's log, in the run's process. Raises SettingsError."""
    try:
        values = env.read(environ, PREFIX, RunLogSettings.__struct_fields__)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return _convert(values, RunLogSettings, {key: _origin(key, environ, {}) for key in values})


def _origin(key: str, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> str:
    """Where a setting was written, in the words of the person who wrote it: a variable, an option, or a key of the file."""
    if overrides.get(key) is not None:
        return f"--{key.replace('_', '-')}"
    return env.written_as(environ, PREFIX, key) or f"{key} in the file that {PREFIX}_CONFIG names"


def _convert(values: Mapping[str, Any], kind: type[_S], origins: Mapping[str, str]) -> _S:
    try:
        settings = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        if place:
            raise SettingsError(f"{origins[place.rstrip('`')]} is not valid: {_in_words(problem)}.") from error
        raise SettingsError(f"Invalid setting: {error}.") from error
    settings.logger_levels  # noqa: B018 - these raise SettingsError
    if isinstance(settings, Settings):
        settings.proxies, settings.public_hosts, settings.metrics_networks, settings.open_env_names  # noqa: B018
        settings.open_pythons, settings.open_targets  # noqa: B018
        if settings.agent_index_url and not settings.agent_index_url.startswith(("https://", "http://")):
            raise SettingsError(
                f"{PREFIX}_AGENT_INDEX_URL must be the address of a package index, as in https://packages.example.org/simple."
            )
    return settings


def _networks(name: str, text: str) -> tuple[Network, ...]:
    networks: list[Network] = []
    for item in filter(None, (item.strip() for item in text.split(","))):
        try:
            networks.append(ipaddress.ip_network(item, strict=False))
        except ValueError as error:
            raise SettingsError(
                f"{PREFIX}_{name} can't contain {item[:80]!r}; write addresses or networks, as in 10.0.0.5,192.168.7.0/24."
            ) from error
    return tuple(networks)


def client_address(environ: Mapping[str, str] | None = None, url: str | None = None) -> tuple[str, str]:
    """The server's URL and the bearer token for clients: `url` or APPLIANCE_URL and APPLIANCE_TOKEN (or APPLIANCE_TOKEN_FILE),
    otherwise those of the profile in use. The token of a profile is sent to its own server only."""
    environ = os.environ if environ is None else environ
    try:
        values = env.read(environ, PREFIX, ("url", "token"))
        profile = profiles.load(environ).in_use if len(values) < 2 else None
    except ValueError as error:
        raise SettingsError(str(error)) from error
    known = "" if profile is None else profile.url
    url = (url or values.get("url", known or "http://127.0.0.1:4200")).rstrip("/")
    token = profile.token if profile is not None and url == known else ""
    return url, values.get("token", token)


def host_name(environ: Mapping[str, str] | None = None) -> str:
    """The name of this host, for code that is on it alone: APPLIANCE_HOST_LABEL, or what the system calls it."""
    try:
        own = env.read(os.environ if environ is None else environ, PREFIX, ("host_label",))
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return own.get("host_label", "").strip() or socket.gethostname()


_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_EXPECTED = re.compile(r"Expected `(?P<kind>int|float|bool)(?: \| null)?`(?P<bound>(?: [<>]=? [-\d.]+)?)")


def _in_words(problem: str) -> str:
    """What msgspec says of a value, without the names of Python's types: "Expected `int` <= 9, got `str`"."""
    expected = _EXPECTED.match(problem)
    return problem if expected is None else f"it must be {_KINDS[expected['kind']]}{expected['bound']}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The file that {PREFIX}_CONFIG names can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file that {PREFIX}_CONFIG names is not valid TOML: {error}.") from error
    for key in values:
        if key not in Settings.__struct_fields__:
            raise SettingsError(
                f"Unknown setting {key!r} in the settings file{_suggest(key, Settings.__struct_fields__)}."
            )
    return values


def _is_service_link(variable: str, value: str) -> bool:
    """Is this a variable that Kubernetes sets in every pod for a service named appliance, such as APPLIANCE_PORT=tcp://10.0.0.1:80?"""
    name = variable.removeprefix(f"{PREFIX}_")
    if name == variable or name.lower().startswith(_SECRETS):
        return False
    return _SERVICE_LINK.fullmatch(name) is not None or (name.endswith("PORT") and _ADDRESS.match(value) is not None)


def _warn_of_strangers(links: set[str], environ: Mapping[str, str], known: tuple[str, ...]) -> None:
    if links:
        _logger.warning(
            "Ignoring %s, which Kubernetes sets for a service of that name; enableServiceLinks: false in the pod removes them.",
            ", ".join(sorted(links)),
        )
    ours = (*known, *_OTHER_VARIABLES)
    for variable in environ:
        whole = variable.removeprefix(f"{PREFIX}_").lower()
        name = whole if whole in ours else whole.removesuffix("_file")
        if variable.startswith(f"{PREFIX}_") and name not in ours and not name.startswith(_SECRETS):
            _logger.warning(
                "Ignoring %s: there is no such setting%s", variable, _suggest(name, ours, PREFIX + "_") or "."
            )


def _suggest(name: str, known: tuple[str, ...], prefix: str = "") -> str:
    close = get_close_matches(name, known, 1)
    if not close:
        return ""
    return f"; did you mean {prefix + close[0].upper() if prefix else close[0]}?"
