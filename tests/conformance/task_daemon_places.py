"""Subjects of the task library that the suite tries on real servers of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.core.secrets import Secret
from appliance.tasks.mqtt import MqttPublish
from appliance.tasks.mysql import MySQLFetch
from appliance.tasks.redis import RedisExecute, RedisGet
from tests.chaos.proxy import HOLE, Proxy
from tests.conformance import task_daemons
from tests.conformance.task_place import SECRET, VALUE, Make, Place
from tests.e2e.appliance_process import free_port


class Redis(Place):
    subject = "redis"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.server = task_daemons.Redis(folder, VALUE)
        self.target = self.server.port

    def close(self) -> None:
        self.server.close()

    def good(self) -> Make:
        return self.through(self.server.port)

    def slow(self) -> Make:
        where: Any = {"port": self.server.port, "password": Secret(SECRET), "request_timeout": None}
        return lambda **options: RedisExecute(redis_cmd=["BLPOP", "empty", 3600], **where, **options)()

    def is_busy(self) -> bool:
        return self.server.is_busy()

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        return lambda **options: RedisGet("127.0.0.1", port, 0, "key", password=Secret(SECRET), **options)()


class MySQL(Place):
    subject = "mysql"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.user = task_daemons.MariaDBUser(request.getfixturevalue("mariadb"), VALUE)
        self.target = self.user.server.port

    def close(self) -> None:
        self.user.close()

    def fetch(self, port: int, query: str) -> Make:
        where: Any = {"db_name": self.user.name, "user": self.user.name, "host": "127.0.0.1", "port": port}
        return lambda **options: MySQLFetch(query=query, password=Secret(SECRET), **where, **options)()

    def good(self) -> Make:
        return self.through(self.user.server.port)

    def slow(self) -> Make:
        return self.fetch(self.user.server.port, "select sleep(3600)")

    def is_busy(self) -> bool:
        return self.user.is_busy()

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        return self.fetch(port, "select 1")


class Mqtt(Place):
    subject = "mqtt"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.broker = task_daemons.Mosquitto(folder, "ada", VALUE)
        self.target = self.broker.port
        self.hole = Proxy(self.broker.port)
        self.hole.set(HOLE)

    def close(self) -> None:
        self.hole.close()
        self.broker.close()

    def good(self) -> Make:
        return self.through(self.broker.port)

    def slow(self) -> Make:
        """The broker doesn't answer, though not for an hour."""
        return self.through(self.hole.port)

    def is_busy(self) -> bool:
        return bool(self.hole._open)

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        """Nothing has been published before the broker accepts the connection."""
        where: Any = {"port": port, "user": "ada", "password": Secret(SECRET)}
        return lambda **options: MqttPublish("127.0.0.1", "topic", "hello", **where, **options)()


DAEMONS: list[type[Place]] = [Redis, MySQL, Mqtt]
