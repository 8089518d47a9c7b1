"""Real servers from this machine's packages (`deploy/ci/servers`), each with its data in a folder of its own, on loopback."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql
import pytest
import redis
from paho.mqtt import subscribe

from tests import process_guard
from tests.e2e.appliance_process import free_port, until


def skip_without(program: str) -> str:
    """Its path. Debian keeps servers where not every user's PATH leads."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed; run deploy/ci/servers")
    return path


class Daemon:
    """A server in the foreground, until `close()`. Skips the test where its program is missing."""

    def __init__(self, command: list[str], log: Path, is_ready: Callable[[], bool]) -> None:
        command = [skip_without(command[0]), *command[1:]]
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)

        def has_started() -> bool:
            assert self._process.poll() is None, log.read_text()
            return is_ready()

        try:
            until(f"{command[0]} is ready", has_started)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
            self._process.wait()


class Redis:
    """Redis with a password."""

    def __init__(self, folder: Path, password: str) -> None:
        self.port = free_port()
        self.client = redis.Redis("127.0.0.1", self.port, password=password, decode_responses=True)
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        command = ["redis-server", *where, "--requirepass", password, "--save", "", "--appendonly", "no"]
        self._daemon = Daemon(command, folder / "redis.log", self._answers)

    def close(self) -> None:
        self.client.close()
        self._daemon.close()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def is_busy(self) -> bool:
        return bool(self.client.info("clients")["blocked_clients"])


class MariaDB:
    """MariaDB, whose root has no password."""

    def __init__(self, folder: Path) -> None:
        self.port, self.socket = free_port(), str(folder / "socket")
        own = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
        (folder / "tmp").mkdir()
        own.append(f"--tmpdir={folder / 'tmp'}")  # from a shared one, servers remove each other's tables
        install = ["mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db"]
        skip_without(install[0])
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        where = ["--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.socket}"]
        small = [
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        self._daemon = Daemon(["mariadbd", *own, *where, *small], folder / "mariadb.log", self._answers)

    def close(self) -> None:
        self._daemon.close()

    def _answers(self) -> bool:
        try:
            return self.ask("select 1") == [1]
        except pymysql.OperationalError:
            return False

    def ask(self, *queries: str) -> list[Any]:
        """The first column of what the last query found."""
        with closing(pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)) as connection:
            cursor = connection.cursor()
            for query in queries:
                cursor.execute(query)
            return [row[0] for row in cursor.fetchall()]


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """One server for all tests of a process: to set one up takes seconds."""
    folder = process_guard.marked_directory("appliance-mariadb-")
    try:
        with closing(MariaDB(folder)) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class MariaDBUser:
    """A user, who needs a password, with a database of the same name."""

    def __init__(self, server: MariaDB, password: str) -> None:
        self.server, self.name = server, f"zebra_{uuid4().hex[:12]}"
        user = f"'{self.name}'@'%'"
        self.server.ask(
            f"create database {self.name}",
            f"create user {user} identified by '{password}'",
            f"grant all on {self.name}.* to {user}",
        )

    def close(self) -> None:
        for number in self._connections():
            with suppress(pymysql.OperationalError):  # it has ended
                self.server.ask(f"kill {number}")
        self.server.ask(f"drop database {self.name}", f"drop user '{self.name}'@'%'")

    def is_busy(self) -> bool:
        return bool(self._connections("and command = 'Query'"))

    def _connections(self, which: str = "") -> list[int]:
        return self.server.ask(f"select id from information_schema.processlist where user = '{self.name}' {which}")


class Mosquitto:
    """An MQTT broker with one user, who may use the topics below `hall` and `topic`."""

    def __init__(self, folder: Path, user: str, password: str, certificate: Path | None = None) -> None:
        self.port, self.user, self.password = free_port(), user, password
        users, rules, config = folder / "users", folder / "rules", folder / "mosquitto.conf"
        users.touch(0o600)
        subprocess.run([skip_without("mosquitto_passwd"), "-b", users, user, password], check=True, capture_output=True)
        rules.write_text(f"user {user}\ntopic readwrite hall/#\ntopic readwrite topic\n")
        rules.chmod(0o600)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {users}",
            f"acl_file {rules}",
        ]
        if certificate is not None:
            lines += [f"certfile {certificate}", f"keyfile {certificate}"]
        config.write_text("\n".join([*lines, f"user {getpass.getuser()}", "persistence false"]) + "\n")
        self._daemon = Daemon(["mosquitto", "-c", str(config)], folder / "mosquitto.log", self._listens)

    def close(self) -> None:
        self._daemon.close()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def retained(self, topic: str, trusted: Path | None = None) -> bytes:
        """The message that the broker keeps for a topic."""
        auth: Any = {"username": self.user, "password": self.password}
        verified: Any = None if trusted is None else {"ca_certs": str(trusted)}
        message = subscribe.simple(topic, hostname="127.0.0.1", port=self.port, auth=auth, tls=verified, keepalive=10)
        return bytes(message.payload)
