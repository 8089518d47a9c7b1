"""Redis, and servers with its protocol such as Valkey: set and get values, and execute commands."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from appliance.core.secrets import Secret
from appliance.tasks.catalogue import require

require("redis")

from appliance.tasks.library.arguments import (  # noqa: E402 - says what to install
    credential,
    defaults_from_attrs,
    needed,
    revealed,
)
from appliance.tasks.library.errors import (  # noqa: E402
    AccessDenied,
    ConnectionLost,
    Refused,
    TaskLibraryError,
    Unreachable,
    first_line,
)
from appliance.tasks.library.interruption import in_thread, interruptible  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions, task_options  # noqa: E402

if TYPE_CHECKING:
    import redis

__all__ = ["RedisExecute", "RedisGet", "RedisSet"]

_PATIENCE = 10.0
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_TRY_AGAIN = ("BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN")
"""What Redis answers instead of executing a command."""
Value = str | bytes | int | float
T = TypeVar("T")


class RedisOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    user: str | None
    password: Secret | None
    redis_connection_params: Mapping[str, Any] | None
    request_timeout: float | None
    binary: bool


class _RedisTask(LibraryTask):
    """`request_timeout` is how many seconds an answer may take; None for commands that wait longer. With `binary`, texts that Redis answers are bytes.
    `redis_connection_params` are further keywords of `redis.Redis`, such as `ssl` and `ssl_ca_certs`."""

    def __init__(self, host: str | None, port: int, db: int, **options: Unpack[RedisOptions]) -> None:
        user, password = options.pop("user", None), options.pop("password", None)
        parameters = options.pop("redis_connection_params", None)
        timeout, binary = options.pop("request_timeout", 60.0), options.pop("binary", False)
        super().__init__(password, **task_options(options))
        if "password" in (parameters or {}):
            raise ValueError(
                "redis_connection_params must not have the password, which would be stored with the flow; set password=Secret('NAME')."
            )
        self.host, self.port, self.db, self.user = host, port, db, user
        self.password, self.request_timeout, self.binary = credential("password", password), timeout, binary
        self.redis_connection_params = parameters

    def ask(self, password: str | Secret | None, harmless: bool, do: Callable[[Any], T]) -> T:
        """The result of `do` with a client. `harmless` says that it may be repeated. Raises errors of the library."""
        host, text = needed(self, "host", self.host), revealed(self.password if password is None else password)
        place, stopped = f"{host}:{self.port}", threading.Event()
        clients: list[Any] = []

        def connect() -> redis.Redis:
            client = self._connected(host, text)
            clients.append(client)
            if stopped.is_set():
                client.close()
            return client

        def stop() -> None:
            stopped.set()
            for client in clients:
                if client.connection is not None:
                    client.connection.disconnect()

        with interruptible(self, stop):
            try:
                with _sentences(place, harmless=True):
                    client = in_thread(connect, stopped)
                with _sentences(place, harmless):
                    return do(client)
            finally:
                for client in clients:
                    client.close()

    def _connected(self, host: str, password: str | None) -> redis.Redis:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        options: dict[str, Any] = {
            "db": self.db,
            "username": self.user,
            "password": password,
            "socket_connect_timeout": _PATIENCE,
            "socket_timeout": self.request_timeout,
            "socket_keepalive": True,
            "socket_keepalive_options": {
                getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)
            },
            "retry": Retry(NoBackoff(), 0),  # whether a command may be repeated is not the client's decision
            "decode_responses": not self.binary,
            **(self.redis_connection_params or {}),
        }
        return redis.Redis(host, self.port, single_connection_client=True, **options)


class RedisSet(_RedisTask):
    """Sets the value of a key, which expires after `ex` seconds or `px` milliseconds if one of them is given.

    `nx` sets it only if there is no such key, `xx` only if there is one. The result says if it was set.
    """

    def __init__(
        self,
        host: str | None = "localhost",
        port: int = 6379,
        db: int = 0,
        redis_key: str | bytes | None = None,
        redis_val: Value | None = None,
        ex: int | None = None,
        px: int | None = None,
        nx: bool = False,
        xx: bool = False,
        **options: Unpack[RedisOptions],
    ) -> None:
        """Takes `user`, `password`, `redis_connection_params`, `request_timeout`, and the options of Task, too."""
        super().__init__(host, port, db, **options)
        self.redis_key, self.redis_val, self.ex, self.px, self.nx, self.xx = redis_key, redis_val, ex, px, nx, xx

    @defaults_from_attrs("redis_key", "redis_val", "ex", "px", "nx", "xx")
    def run(
        self,
        redis_key: str | bytes | None = None,
        redis_val: Value | None = None,
        ex: int | None = None,
        px: int | None = None,
        nx: bool | None = None,
        xx: bool | None = None,
        password: str | Secret | None = None,
    ) -> bool:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        key, value = needed(self, "redis_key", redis_key), needed(self, "redis_val", redis_val)
        options: dict[str, Any] = {"ex": ex, "px": px, "nx": nx, "xx": xx}
        return self.ask(password, not nx, lambda client: bool(client.set(key, value, **options)))


class RedisGet(_RedisTask):
    """The value of a key, as text, or as bytes with `binary`; None if there is no such key."""

    def __init__(
        self,
        host: str | None = "localhost",
        port: int = 6379,
        db: int = 0,
        redis_key: str | bytes | None = None,
        **options: Unpack[RedisOptions],
    ) -> None:
        """Takes `user`, `password`, `redis_connection_params`, `request_timeout`, `binary`, and the options of Task, too."""
        super().__init__(host, port, db, **options)
        self.redis_key = redis_key

    @defaults_from_attrs("redis_key")
    def run(self, redis_key: str | bytes | None = None, password: str | Secret | None = None) -> Any:
        """Raises Unreachable, AccessDenied or Refused."""
        key = needed(self, "redis_key", redis_key)
        return self.ask(password, True, lambda client: client.get(key))


class RedisExecute(_RedisTask):
    """Executes a command, such as `"INCR visits"`, which is cut at its spaces, or `["SET", "motto", "two words"]`. The result is what Redis answers.

    It isn't retried if the connection breaks: Redis may have executed it.
    """

    def __init__(
        self,
        host: str | None = "localhost",
        port: int = 6379,
        db: int = 0,
        redis_cmd: str | Sequence[Value] | None = None,
        **options: Unpack[RedisOptions],
    ) -> None:
        """Takes `user`, `password`, `redis_connection_params`, `request_timeout`, `binary`, and the options of Task, too."""
        super().__init__(host, port, db, **options)
        self.redis_cmd = redis_cmd

    @defaults_from_attrs("redis_cmd")
    def run(self, redis_cmd: str | Sequence[Value] | None = None, password: str | Secret | None = None) -> Any:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        command = needed(self, "redis_cmd", redis_cmd)
        words = command.split() if isinstance(command, str) else list(command)
        if not words:
            raise Refused("redis_cmd is empty.")
        return self.ask(password, False, lambda client: client.execute_command(*words))


@contextmanager
def _sentences(place: str, harmless: bool) -> Iterator[None]:
    """Errors of the client, as sentences. `harmless` says that the block may be repeated."""
    import redis

    try:
        yield
    except TaskLibraryError:
        raise
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise AccessDenied(f"{place} denies access: {first_line(error)}.") from None
    except redis.BusyLoadingError as error:
        raise Unreachable(f"{place} is starting: {first_line(error)}.") from None
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        kind = Unreachable if harmless else ConnectionLost
        raise kind(f"{place} can't be reached, or the connection broke: {first_line(error)}.") from None
    except redis.ResponseError as error:
        raise _problem(place, first_line(error), error.status_code) from None
    except redis.RedisError as error:
        raise Refused(f"{place} can't be used: {first_line(error)}.") from None


def _problem(place: str, said: str, code: str | None) -> TaskLibraryError:
    """What Redis answered with a code, which is the first word of the answer if the client doesn't know it."""
    first = said.partition(" ")[0]
    code = code or (first if first.isupper() else None)
    if code in _TRY_AGAIN:
        return Unreachable(f"{place} was busy, and did nothing: {said}.")
    return Refused(f"{place} answered: {said}.", code)
