"""The subjects of the task library, as places of the suite."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from appliance.core.secrets import Secret
from appliance.tasks.chat import SlackTask
from appliance.tasks.docker import ListContainers, RunContainer
from appliance.tasks.email import EmailTask
from appliance.tasks.files import Copy, Hash
from appliance.tasks.git import GitClone
from appliance.tasks.http import Bearer, HttpRequest
from appliance.tasks.library.errors import Unreachable
from appliance.tasks.object_stores import S3List
from appliance.tasks.postgres import PostgresFetch
from appliance.tasks.prometheus import PushGaugeToGateway
from appliance.tasks.rss import ParseRSSFeed
from appliance.tasks.sftp import SftpDownload
from appliance.tasks.shell import ShellTask
from appliance.tasks.sql import SqlExecute, SqlFetch
from appliance.tasks.sqlite import SQLiteQuery, SQLiteScript
from appliance.tasks.ssh import SshTask
from appliance.tasks.templates import JinjaTemplate
from tests import docker_images
from tests.chaos.proxy import HOLE, Proxy
from tests.conformance.git_servers import TOKEN, GitOverHttp
from tests.conformance.sftp_server import PASSWORD as SSH_PASSWORD
from tests.conformance.sftp_server import USER, Sftp
from tests.conformance.task_daemon_places import DAEMONS
from tests.conformance.task_data_places import DATA
from tests.conformance.task_place import SECRET, VALUE, WRONG, Make, Place
from tests.conformance.task_servers import Mail, PasswordDatabase, Web, bare_repository, moto
from tests.e2e.appliance_process import free_port

IMAGE = docker_images.BASE_IMAGE


class Shell(Place):
    subject = "shell"

    def good(self) -> Make:
        return lambda **options: ShellTask(
            "echo $PASSWORD; echo $PASSWORD >&2", env={"PASSWORD": Secret(SECRET)}, **options
        )()

    def slow(self) -> Make:
        """Its child ignores SIGTERM."""
        command = f"bash -c 'trap \"\" TERM; echo $BASHPID > {self.folder}/pid; sleep 3600 & wait; sleep 3600' & wait"
        return lambda **options: ShellTask(command, **options)()

    def is_busy(self) -> bool:
        file = self.folder / "pid"
        return file.exists() and Path(f"/proc/{file.read_text().strip() or '0'}").exists()


class Http(Place):
    subject = "http"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.web = Web(VALUE)
        self.target = self.web.port

    def close(self) -> None:
        self.web.close()

    def good(self) -> Make:
        return self.through(self.web.port)

    def slow(self) -> Make:
        return lambda **options: HttpRequest(f"{self.web.url}/slow", auth=Bearer(Secret(SECRET)), **options)()

    def is_busy(self) -> bool:
        return self.web.waiting > 0

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        url, auth = f"http://127.0.0.1:{port}/echo", Bearer(Secret(SECRET))
        return lambda **options: HttpRequest(url, auth=auth, **options)()


class Postgres(Place):
    subject = "postgres"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.database = PasswordDatabase(request.getfixturevalue("postgres_server"), VALUE)
        self.target = self.database.socket

    def close(self) -> None:
        self.database.close()

    def fetch(self, host: str, port: int, query: str) -> Make:
        where = {"db_name": "postgres", "user": self.database.user, "host": host, "port": port}
        return lambda **options: PostgresFetch(query=query, **where, password=Secret(SECRET), **options)()

    def good(self) -> Make:
        return self.fetch(self.database.folder, 5432, "select 1")

    def slow(self) -> Make:
        return self.fetch(self.database.folder, 5432, "select pg_sleep(3600)")

    def is_busy(self) -> bool:
        return self.database.is_busy()

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.fetch("127.0.0.1", free_port(), "select 1")

    def through(self, port: int) -> Make:
        return self.fetch("127.0.0.1", port, "select 1")


class Sql(Postgres):
    subject = "sql"

    def fetch(self, host: str, port: int, query: str) -> Make:
        where = f"/postgres?host={host}&port={port}" if host.startswith("/") else f"{host}:{port}/postgres"
        url = f"postgresql+psycopg://{self.database.user}@{where}"
        return lambda **options: SqlFetch(query, url=url, password=Secret(SECRET), **options)()


class Sqlite(Place):
    subject = "sqlite"

    def good(self) -> Make:
        return lambda **options: SQLiteQuery(self.folder / "data.db", "select 1", **options)()

    def slow(self) -> Make:
        """While it runs, the file has an open transaction, so that it is locked."""
        SQLiteScript(self.folder / "data.db", "create table if not exists t (n)").run()
        query = (
            "with recursive x(n) as (select 1 union all select n + 1 from x) insert into t select n from x where n < 0"
        )
        return lambda **options: SQLiteQuery(self.folder / "data.db", query, **options)()

    def is_busy(self) -> bool:
        url = f"sqlite:///{self.folder / 'data.db'}"
        try:
            return SqlExecute("insert into t values (1)", url=url, connect_args={"timeout": 0}).run() != 1
        except Unreachable:
            return True


class Files(Place):
    subject = "files"

    def good(self) -> Make:
        (self.folder / "a").write_text("a")
        return lambda **options: Copy(self.folder / "a", self.folder / "b", **options)()

    def slow(self) -> Make:
        with (self.folder / "sparse").open("wb") as file:
            file.truncate(10**13)
        return lambda **options: Hash(self.folder / "sparse", **options)()

    def is_busy(self) -> bool:
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if str(link.readlink()) == str(self.folder / "sparse"):
                    return True
        return False


class Email(Place):
    subject = "email"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.mail = Mail("ada", VALUE)
        self.target = self.mail.port

    def close(self) -> None:
        self.mail.close()

    def good(self) -> Make:
        return self.through(self.mail.port)

    def slow(self) -> Make:
        self.mail.is_silent = True
        return self.good()

    def is_busy(self) -> bool:
        return self.mail.waiting > 0

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        """Nothing has been sent before the server greets."""
        words = {"subject": "s", "msg_plain": "m", "email_to": "b@example.org", "email_from": "a@example.org"}
        where: Any = {"smtp_server": "127.0.0.1", "smtp_port": port, "smtp_type": "INSECURE", **words}
        return lambda **options: EmailTask(username="ada", password=Secret(SECRET), **where, **options)()


class Chat(Place):
    subject = "chat"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.web = Web("unused")
        self.value = f"{self.web.url}/open/hook/{VALUE}"
        self.wrong = f"{self.web.url}/hook/{WRONG}?key={WRONG}"

    def close(self) -> None:
        self.web.close()

    def good(self) -> Make:
        return lambda **options: SlackTask("hello", webhook_secret=SECRET, **options)()

    def slow(self) -> Make:
        self.value = f"{self.web.url}/open/slow/{VALUE}"
        return self.good()

    def is_busy(self) -> bool:
        return self.web.waiting > 0

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        self.value = f"http://127.0.0.1:{free_port()}/open/hook/{VALUE}"
        return self.good()


class Prometheus(Http):
    subject = "prometheus"

    def push(self, url: str) -> Make:
        return lambda **options: PushGaugeToGateway(url, "rows", auth=Bearer(Secret(SECRET)), **options)([1])

    def good(self) -> Make:
        return self.push(f"{self.web.url}/push")

    def slow(self) -> Make:
        return self.push(f"{self.web.url}/open/slow")

    def through(self, port: int) -> Make:
        return self.push(f"http://127.0.0.1:{port}/push")


class Rss(Http):
    subject = "rss"

    def parse(self, url: str) -> Make:
        return lambda **options: ParseRSSFeed(url, auth=Bearer(Secret(SECRET)), **options)()

    def slow(self) -> Make:
        return self.parse(f"{self.web.url}/open/slow/")

    def through(self, port: int) -> Make:
        return self.parse(f"http://127.0.0.1:{port}/feed.xml")


class Templates(Place):
    subject = "templates"

    def good(self) -> Make:
        return lambda **options: JinjaTemplate("{{ n }}", **options)(n=1)


class Git(Place):
    subject = "git"
    value = TOKEN

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        bare_repository(folder, "notes")
        self.forge = GitOverHttp(folder / "served")
        self.silent = Web("unused")
        self.target = int(self.forge.url.rpartition(":")[2])

    def close(self) -> None:
        self.forge.close()
        self.silent.close()

    def clone(self, url: str) -> Make:
        return lambda **options: GitClone(url, self.folder / "clone", token=Secret(SECRET), **options)()

    def good(self) -> Make:
        return self.clone(f"{self.forge.url}/notes.git")

    def slow(self) -> Make:
        return self.clone(f"{self.silent.url}/open/slow/notes.git")

    def is_busy(self) -> bool:
        return self.silent.waiting > 0

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        return self.clone(f"http://127.0.0.1:{port}/notes.git")


class Docker(Place):
    subject = "docker"

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        if docker_images.missing():
            pytest.skip(docker_images.missing())
        self.name = f"appliance-tasks-{uuid4().hex[:12]}"
        self.target = "/var/run/docker.sock"

    def close(self) -> None:
        subprocess.run(["docker", "rm", "--force", self.name], capture_output=True, check=False)

    def good(self) -> Make:
        command = ["sh", "-c", "echo $PASSWORD; echo $PASSWORD >&2"]
        return lambda **options: RunContainer(IMAGE, command, {"PASSWORD": Secret(SECRET)}, **options)()

    def slow(self) -> Make:
        return lambda **options: RunContainer(IMAGE, ["sleep", "3600"], container_name=self.name, **options)()

    def is_busy(self) -> bool:
        command = ["docker", "ps", "--quiet", "--filter", f"name={self.name}"]
        return bool(subprocess.run(command, capture_output=True, check=True).stdout)

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        return lambda **options: ListContainers(docker_server_url=f"tcp://127.0.0.1:{port}", **options)()


class ObjectStores(Place):
    subject = "object_stores"
    value = json.dumps({"ACCESS_KEY": "a", "SECRET_ACCESS_KEY": VALUE})
    wrong = json.dumps({"ACCESS_KEY": "a", "SECRET_ACCESS_KEY": WRONG})

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        self.url = moto("box")
        self.web = Web("unused")
        self.target = int(self.url.rpartition(":")[2])

    def close(self) -> None:
        self.web.close()

    def list(self, url: str) -> Make:
        config = {"endpoint": url, "region": "us-east-1"}
        hangs = {"read_timeout": "5s"}
        return lambda **options: S3List(
            "box", credentials=Secret(SECRET), config=config, client_options=hangs, **options
        )()

    def good(self) -> Make:
        return self.list(self.url)

    def slow(self) -> Make:
        return self.list(f"{self.web.url}/open/slow")

    def is_busy(self) -> bool:
        return self.web.waiting > 0

    def denied(self) -> Make:
        """moto takes any credentials."""
        return self.list(self.web.url)

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        return self.list(f"http://127.0.0.1:{port}")


class Ssh(Place):
    subject = "ssh"
    value = SSH_PASSWORD

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__(folder, request)
        (folder / "remote").mkdir()
        (folder / "remote" / "a.txt").write_text("a")
        self.host = Sftp(folder / "remote", folder)
        self.target = self.host.port
        self.known = folder / "known"

    def close(self) -> None:
        self.host.close()

    def where(self, port: int) -> dict[str, Any]:
        """The host, whose key is known on any port."""
        _, kind, key = self.host.known_hosts.read_text().split()
        self.known.write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
        return {"host": "127.0.0.1", "port": port, "user": USER, "password": Secret(SECRET), "known_hosts": self.known}

    def execute(self, command: str, port: int) -> Make:
        where = self.where(port)
        return lambda **options: SshTask(command=command, env={"P": Secret(SECRET)}, **where, **options)()

    def good(self) -> Make:
        return self.execute("echo $P; echo $P >&2", self.host.port)

    def slow(self) -> Make:
        return self.execute(f"echo $$ > {self.folder}/pid; trap '' TERM; sleep 3600 & wait; sleep 3600", self.host.port)

    def is_busy(self) -> bool:
        file = self.folder / "pid"
        return file.exists() and Path(f"/proc/{file.read_text().strip() or '0'}").exists()

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.execute("true", free_port())

    def through(self, port: int) -> Make:
        """Nothing has been sent before the host says who it is."""
        return self.execute("true", port)


class SftpFiles(Ssh):
    subject = "sftp"

    def execute(self, command: str, port: int) -> Make:
        where = self.where(port)
        remote, local = str(self.folder / "remote" / "a.txt"), self.folder / "b.txt"
        return lambda **options: SftpDownload(remote_path=remote, local_path=local, **where, **options)()

    def slow(self) -> Make:
        self.proxy = Proxy(self.host.port)
        self.proxy.set(HOLE)
        return self.execute("", self.proxy.port)

    def is_busy(self) -> bool:
        return bool(self.proxy._open)


PLACES: list[type[Place]] = [
    *(Shell, Http, Sql, Postgres, Sqlite, Files, Email, Chat, Prometheus, Rss, Templates, Git, Docker, ObjectStores),
    *(Ssh, SftpFiles),
    *DATA,
    *DAEMONS,
]
