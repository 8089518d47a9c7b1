"""Messages to topics of an MQTT broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Unpack

from appliance.core.secrets import Secret
from appliance.kit import clock
from appliance.tasks.catalogue import require

require("mqtt")

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
from appliance.tasks.library.interruption import Abandoned, interruptible  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions, task_options  # noqa: E402

__all__ = ["MqttPublish"]

_PATIENCE, _LONGEST = 10.0, 60.0
"""Seconds for the broker to accept the connection, and the message."""
_KEEPALIVE = 30
_LOOK = 0.1
_DENIED = ("Bad user name or password", "Not authorized", "Banned", "Bad authentication method")
_TRY_AGAIN = ("Server unavailable", "Server busy", "Quota exceeded", "Connection rate exceeded")
Payload = str | bytes | int | float | Mapping[str, Any] | list[Any]


class MqttOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    user: str | None
    password: Secret | None
    tls: bool
    ca_file: str | Path | None
    client_id: str
    protocol: Literal["5", "3.1.1"]


class MqttPublish(LibraryTask):
    """Publishes a message: a text, bytes, a number, or a dict or list, which becomes JSON. The result is how many bytes it has.

    With a `qos` of 1 or 2, the broker has confirmed the message; with 0, it has only been sent. With `retain`, the broker keeps it for later subscribers.
    With `tls` or a `ca_file`, the connection is encrypted and the broker's certificate verified. The port is 1883 or, encrypted, 8883.
    """

    def __init__(
        self,
        host: str | None = None,
        topic: str | None = None,
        payload: Payload | None = None,
        qos: Literal[0, 1, 2] = 1,
        retain: bool = False,
        port: int | None = None,
        **options: Unpack[MqttOptions],
    ) -> None:
        """Takes `user`, `password`, `tls`, `ca_file`, `client_id`, `protocol`, and the options of Task, too."""
        user, password = options.pop("user", None), options.pop("password", None)
        ca_file: str | Path | None = options.pop("ca_file", None)
        tls = options.pop("tls", ca_file is not None)
        client_id, protocol = options.pop("client_id", ""), options.pop("protocol", "5")
        super().__init__(password, **task_options(options))
        if protocol not in ("5", "3.1.1"):
            raise ValueError(f"protocol must be '5' or '3.1.1', not {protocol!r}.")
        self.host, self.topic, self.payload, self.qos, self.retain = host, topic, payload, qos, retain
        self.port, self.user, self.password = port or (8883 if tls else 1883), user, credential("password", password)
        self.tls, self.ca_file, self.client_id, self.protocol = tls, ca_file, client_id, protocol

    @defaults_from_attrs("host", "topic", "payload")
    def run(
        self,
        host: str | None = None,
        topic: str | None = None,
        payload: Payload | None = None,
        password: str | Secret | None = None,
    ) -> int:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        host, topic = needed(self, "host", host), needed(self, "topic", topic)
        content = _content(needed(self, "payload", payload))  # type: ignore[arg-type]
        place = f"{host}:{self.port}"
        with self._connection(host, place, revealed(self.password if password is None else password)) as connection:
            connection.publish(topic, content, self.qos, self.retain)
        return len(content)

    @contextmanager
    def _connection(self, host: str, place: str, password: str | None) -> Iterator[_Connection]:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        version = MQTTProtocolVersion.MQTTv5 if self.protocol == "5" else MQTTProtocolVersion.MQTTv311
        client = Client(CallbackAPIVersion.VERSION2, self.client_id, protocol=version, reconnect_on_failure=False)
        client.connect_timeout = _PATIENCE
        if self.user is not None:
            client.username_pw_set(self.user, password)
        connection = _Connection(client, place)
        with interruptible(self, connection.stopped.set):
            try:
                with _sentences(place, harmless=True):
                    if self.tls:
                        client.tls_set(None if self.ca_file is None else str(self.ca_file))
                    client.connect(host, self.port, _KEEPALIVE)
                    connection.wait(lambda: connection.accepted, _PATIENCE, Unreachable)
                yield connection
            finally:
                connection.close()


class _Connection:
    """A connection whose loop runs in the thread of the task."""

    def __init__(self, client: Any, place: str) -> None:
        self.stopped = threading.Event()
        self.accepted = False
        self._client, self._place = client, place
        self._problem: TaskLibraryError | None = None
        client.on_connect, client.on_publish = self._on_connect, self._on_publish

    def publish(self, topic: str, content: bytes, qos: int, retain: bool) -> None:
        with _sentences(self._place, harmless=False):
            message = self._client.publish(topic, content, qos, retain)
            self.wait(message.is_published, _LONGEST, ConnectionLost)

    def wait(self, is_done: Callable[[], bool], seconds: float, kind: type[TaskLibraryError]) -> None:
        """Let the client work until something has happened. Raises errors of the library."""
        deadline = clock.monotonic() + seconds
        while self._problem is None and not is_done():
            if self.stopped.is_set():
                raise Abandoned
            code = self._client.loop(_LOOK)
            if code != 0 and self._problem is None and not is_done():
                raise kind(f"The connection to {self._place} broke: {code.name}.")
            if clock.monotonic() > deadline:
                raise kind(f"{self._place} hasn't answered for {seconds:g} s.")
        if self._problem is not None:
            raise self._problem

    def close(self) -> None:
        with suppress(Exception):  # the outcome is known
            self._client.disconnect()
        with suppress(Exception):
            self._client.socket().close()

    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._judge(code, "doesn't accept the connection")
        self.accepted = self._problem is None

    def _on_publish(self, _client: Any, _userdata: Any, _number: int, code: Any, _properties: Any) -> None:
        self._judge(code, "doesn't accept the message")

    def _judge(self, code: Any, sentence: str) -> None:
        if code.is_failure:
            said = code.getName()
            text = f"{self._place} {sentence}: {said}."
            kind = AccessDenied if said in _DENIED else Unreachable if said in _TRY_AGAIN else None
            self._problem = Refused(text, code.value) if kind is None else kind(text)


def _content(payload: Payload) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return (payload if isinstance(payload, str) else json.dumps(payload)).encode()


@contextmanager
def _sentences(place: str, harmless: bool) -> Iterator[None]:
    try:
        yield
    except TaskLibraryError:
        raise
    except OSError as error:
        kind = Unreachable if harmless else ConnectionLost
        raise kind(f"{place} can't be reached, or the connection broke: {first_line(error)}.") from None
    except (ValueError, RuntimeError) as error:
        raise Refused(f"The message can't be sent: {first_line(error)}.") from None
