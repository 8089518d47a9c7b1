"""Commands on other hosts over SSH. The key of a host must be known."""

from __future__ import annotations

import io
import logging
import shlex
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from appliance.core import masking
from appliance.core.secrets import Secret
from appliance.tasks.catalogue import require

require("ssh")

from appliance.tasks.library.arguments import (  # noqa: E402 - says what to install
    credential,
    defaults_from_attrs,
    needed,
    resolved,
    revealed,
)
from appliance.tasks.library.errors import (  # noqa: E402
    AccessDenied,
    CommandFailed,
    ConnectionLost,
    Refused,
    TaskLibraryError,
    Unreachable,
    first_line,
)
from appliance.tasks.library.interruption import in_thread, interruptible  # noqa: E402
from appliance.tasks.library.lines import Lines  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions  # noqa: E402

if TYPE_CHECKING:
    import paramiko

__all__ = ["SshTask"]

_PATIENCE = 20.0
_KEEPALIVE = 15
_LOOK = 0.1
_LAST_LINES = 5
_CHUNK = 65_536
_BOOT = "sh -c 'script=$(dd bs=1 count={size} 2>/dev/null); eval \"$script\"'"
"""The script comes by way of the input, since its variables would be shown to every user of the host if they were arguments."""
_SCRIPT = """{exports}
exec 3<&0
setsid=$(command -v setsid)
$setsid sh -c {command} </dev/null 3<&- &
command=$!
(cat <&3; kill -TERM -$command || kill -TERM $command; sleep 2; kill -KILL -$command || kill -KILL $command) >/dev/null 2>&1 &
guard=$!
wait $command
code=$?
kill $guard
kill -KILL -$command 2>/dev/null
exit $code"""
"""Runs the command, and ends it with its processes when the input ends, which is when the connection does: SSH itself leaves them running."""


class SshOptions(TaskOptions, total=False):
    """The options of all tasks that use SSH."""

    user: str | None
    port: int
    password: Secret | None
    key: Secret | None
    known_hosts: str | Path | None


class SshConnection(LibraryTask):
    """`key` is a private key without a passphrase. Without it and `password`, the keys and the SSH agent of the run's user are tried. `known_hosts`
    is a file with the hosts to trust, by default that of the user."""

    def __init__(self, host: str | None, **options: Unpack[SshOptions]) -> None:
        user, port = options.pop("user", None), options.pop("port", 22)
        password, key = options.pop("password", None), options.pop("key", None)
        known_hosts: str | Path | None = options.pop("known_hosts", None)
        rest: Any = options
        super().__init__(password, key, **rest)
        self.host, self.user, self.port, self.known_hosts = host, user, port, known_hosts
        self.password, self.key = credential("password", password), credential("key", key)

    @contextmanager
    def connection(self, host: str | None, harmless: bool) -> Iterator[paramiko.SSHClient]:
        """A connection, which is closed when the task must stop. `harmless` says that the block may be repeated. Raises errors of the library."""
        import paramiko

        name = needed(self, "host", host)
        place, client, stopped = f"{name}:{self.port}", paramiko.SSHClient(), threading.Event()

        def stop() -> None:
            stopped.set()
            client.close()

        def connect() -> None:
            self._connect(client, name)
            if stopped.is_set():
                client.close()

        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        with interruptible(self, stop):
            try:
                with _sentences(place, harmless=True):
                    in_thread(connect, stopped)
                with _sentences(place, harmless):
                    yield client
            finally:
                client.close()

    def _connect(self, client: paramiko.SSHClient, host: str) -> None:
        if self.known_hosts is None:
            client.load_system_host_keys()
        else:
            client.load_host_keys(str(self.known_hosts))
        alone = self.password is not None or self.key is not None
        client.connect(
            host,
            self.port,
            self.user,
            password=revealed(self.password),
            pkey=None if self.key is None else _private_key(revealed(self.key) or ""),
            allow_agent=not alone,
            look_for_keys=not alone,
            timeout=_PATIENCE,
            banner_timeout=_PATIENCE,
            auth_timeout=_PATIENCE,
        )
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(_KEEPALIVE)


class SshTask(SshConnection):
    """Runs a command on another host, in the shell `sh`. The result is the last line that it wrote to stdout, or with `return_all` a list of all lines;
    both streams go to the run's log. Any other exit code than 0 fails the task with CommandFailed.

    `env` has variables for the command; their values may be secrets. The command is ended when the run is cancelled, the timeout passes, or the
    connection breaks; its whole process group, if the host has the program `setsid`.
    """

    def __init__(
        self,
        host: str | None = None,
        command: str | None = None,
        env: Mapping[str, str | Secret] | None = None,
        return_all: bool = False,
        stream_output: bool = True,
        **options: Unpack[SshOptions],
    ) -> None:
        """Takes `user`, `port`, `password`, `key`, `known_hosts`, and the options of Task, too."""
        super().__init__(host, **options)
        self.secrets = (*self.secrets, *(one.name for one in (env or {}).values() if isinstance(one, Secret)))
        self.command, self.env, self.return_all, self.stream_output = command, env, return_all, stream_output

    @defaults_from_attrs("host", "command", "env")
    def run(
        self, host: str | None = None, command: str | None = None, env: Mapping[str, str | Secret] | None = None
    ) -> str | list[str] | None:
        """Raises CommandFailed, Unreachable, ConnectionLost, AccessDenied or Refused."""
        output: deque[str] = deque(maxlen=None if self.return_all else 1)
        last: deque[str] = deque(maxlen=_LAST_LINES)

        def logged(into: deque[str]) -> Callable[[str], None]:
            def on_line(line: str) -> None:
                if self.stream_output:
                    self.logger.log(logging.INFO, "%s", line)
                into.append(masking.mask(line))

            return on_line

        text = needed(self, "command", command)
        with self.connection(host, harmless=False) as client:
            code = _execute(client, text, resolved(env), Lines(logged(output)), Lines(logged(last)))
        if code != 0:
            said = " / ".join(line.strip() for line in last or output if line.strip())
            raise CommandFailed(f"The command on {host} ended with exit code {code}: {said}", code)
        return list(output) if self.return_all else (output[-1] if output else None)


def _execute(client: paramiko.SSHClient, command: str, env: Mapping[str, str], output: Lines, errors: Lines) -> int:
    transport = client.get_transport()
    if transport is None:
        raise EOFError("the connection was closed")
    channel = transport.open_session(timeout=_PATIENCE)
    exports = "\n".join(f"export {_variable(name)}={shlex.quote(value)}" for name, value in env.items())
    script = _SCRIPT.format(exports=exports, command=shlex.quote(command)).encode()
    boot = _BOOT.format(size=len(script))
    channel.exec_command(boot)  # nosec B601 # the author's own command
    channel.sendall(script)
    channel.settimeout(_LOOK)
    while True:
        read = _read(channel.recv, channel.recv_ready, output) + _read(
            channel.recv_stderr, channel.recv_stderr_ready, errors
        )
        if not read and channel.exit_status_ready() and not channel.recv_ready() and not channel.recv_stderr_ready():
            break
        if not read and channel.closed:
            raise EOFError("the connection was closed")
        if not read:
            channel.status_event.wait(_LOOK)
    output.end()
    errors.end()
    code = channel.recv_exit_status()
    if code < 0:
        raise EOFError("the command ended without an exit code")
    return code


def _read(receive: Callable[[int], bytes], is_ready: Callable[[], bool], lines: Lines) -> int:
    content = receive(_CHUNK) if is_ready() else b""
    lines.feed(content)
    return len(content)


def _variable(name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise Refused(f"{name!r} is not the name of a variable.")
    return name


@contextmanager
def _sentences(place: str, harmless: bool) -> Iterator[None]:
    import paramiko

    try:
        yield
    except TaskLibraryError:
        raise
    except paramiko.AuthenticationException:
        raise AccessDenied(f"{place} rejects the user, the key or the password.") from None
    except paramiko.BadHostKeyException:
        raise Refused(f"The key of {place} is not the one that is known.") from None
    except PermissionError as error:
        raise AccessDenied(f"{place} denies access: {first_line(error)}.") from None
    except FileNotFoundError as error:
        raise Refused(f"{place} has no such file: {first_line(error)}.", 2) from None
    except (OSError, EOFError, paramiko.SSHException) as error:
        if "not found in known_hosts" in str(error):
            raise Refused(f"The key of {place} is not known; set known_hosts.") from None
        if type(error) is OSError and error.errno is None:  # how paramiko passes on what SFTP answers
            raise Refused(f"{place} answered: {first_line(error)}.") from None
        kind = Unreachable if harmless else ConnectionLost
        raise kind(f"{place} can't be reached, or the connection broke: {first_line(error)}.") from None


def _private_key(text: str) -> paramiko.PKey:
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text))
    raise Refused(
        "The secret has no private key that can be used; store it as ssh-keygen writes it, without a passphrase."
    )
