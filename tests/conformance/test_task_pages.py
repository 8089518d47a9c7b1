"""The examples of the task library's page run, and their types hold under `mypy --strict`."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.tasks.catalogue import SUBJECTS
from appliance.tasks.duckdb import DuckDBFetch
from tests import docker_images
from tests.certificates import Authority, authority
from tests.conformance.git_servers import TOKEN, GitOverHttp
from tests.conformance.sftp_server import PASSWORD as SSH_PASSWORD
from tests.conformance.sftp_server import Sftp
from tests.conformance.task_daemons import MariaDBUser, Mosquitto, Redis, mariadb
from tests.conformance.task_servers import FEED, Mail, PasswordDatabase, Web, bare_repository, moto
from tests.integration.conftest import postgres_server

__all__ = ["mariadb", "postgres_server"]
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "pages" / "tasks.md").read_text()
TEMPLATE = ROOT / "docs" / "dev" / "tasks.md"
EXAMPLES = dict(re.findall(r'```python title="([\w-]+)\.py"\n(.*?)```', PAGE, re.S))
PASSWORD = "sesame-opens-4711"


@dataclass(frozen=True)
class Setting:
    """What an example needs: replacements in its text, the names of secrets, which all have one value, and what it leaves behind."""

    secrets: tuple[str, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    value: str = PASSWORD


@contextmanager
def shell(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    yield Setting(("TOKEN",))


@contextmanager
def http_orders(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(Web(PASSWORD)) as web:
        yield Setting(
            ("API_TOKEN", "WAREHOUSE_SECRET"), {"https://api.example.org": web.url}, ("orders.jsonl", "report.csv")
        )


@contextmanager
def sql_items(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    yield Setting(files=("dear.csv",))


@contextmanager
def postgres_items(_folder: Path, request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(PasswordDatabase(request.getfixturevalue("postgres_server"), PASSWORD)) as database:
        shop = f'"postgres", "{database.user}", "{database.folder}"'
        replaced = {'"shop", "ada", "db.example.org"': shop}
        yield Setting(("SHOP_PASSWORD",), replaced)


@contextmanager
def mysql_items(_folder: Path, request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(MariaDBUser(request.getfixturevalue("mariadb"), PASSWORD)) as user:
        replaced = {'"shop", "ada", "db.example.org", 3306': f'"{user.name}", "{user.name}", "{user.server.socket}", 0'}
        yield Setting(("SHOP_PASSWORD",), replaced)


@contextmanager
def sqlite_items(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    yield Setting(files=("counts.db",))


@contextmanager
def duckdb_orders(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    (folder / "days").mkdir()
    for day in (1, 2):
        (folder / "days" / f"{day}.csv").write_text("country,euro\nNL,9.5\nBE,3\n")
    yield Setting(files=("dear.parquet",))
    rows = DuckDBFetch(query=f"from '{folder}/dear.parquet'").run()
    assert [(country, float(euro)) for country, euro in rows] == [("NL", 19.0)]


@contextmanager
def dataframes_prices(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    (folder / "prices.csv.gz").write_bytes(gzip.compress(b"item,euro\n007,1.5\n008,2\n"))
    yield Setting(files=("prices.parquet",))
    assert (folder / "doubled.csv").read_text() == '"item","euro"\n"007",3\n"008",4\n'


@contextmanager
def redis_visits(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(Redis(folder, PASSWORD)) as server:
        yield Setting(("REDIS_PASSWORD",), {'"redis.example.org", 6379': f'"127.0.0.1", {server.port}'})
        assert server.client.get("visits") == "1"


@contextmanager
def files_report(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    if not hasattr(tarfile, "data_filter"):
        pytest.skip("Pythons before 3.11.4 can't unpack archives safely")
    (folder / "week.csv").write_text("a,b")
    with tarfile.open(folder / "inbox.tar.gz", "w:gz") as archive:
        archive.add(folder / "week.csv", "days/week.csv")
    yield Setting(files=("inbox/days/week.csv", "reports.zip", "archive.zip"))


@contextmanager
def email_report(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    (folder / "report.csv").write_text("a,b")
    trusted, tls = authority(folder, "127.0.0.1")
    with closing(Mail(PASSWORD, PASSWORD, tls, starttls=True)) as mail:
        server = f'smtp_server="127.0.0.1",\n        smtp_port={mail.port},\n        ca_file={str(trusted)!r}'
        yield Setting(("EMAIL_USERNAME", "EMAIL_PASSWORD"), {'smtp_server="mail.example.org"': server})
        assert len(mail.messages) == 1 and b"report.csv" in mail.messages[0]


@contextmanager
def chat_done(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(Web("")) as web:
        yield Setting(("SLACK_WEBHOOK_URL", "FINANCE_TEAMS"), value=f"{web.url}/open/hook/{PASSWORD}")
        assert [json.loads(each["body"]).get("text") for each in web.seen] == ["The report is ready.", None]


@contextmanager
def prometheus_rows(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(Web("")) as web:
        yield Setting(replaced={"http://pushgateway.example.org:9091": f"{web.url}/open/hook"})
        (request,) = web.seen
        assert request["path"] == "/open/hook/metrics/job/nightly"
        assert b'rows_written{table="orders"} 120.0' in request["body"]


@contextmanager
def mqtt_lamp(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    own = Authority(folder)
    trusted = own.file
    with closing(Mosquitto(folder, "ada", PASSWORD, own.issue("127.0.0.1"))) as broker:
        where = {
            '"mqtt.example.org"': '"127.0.0.1"',
            "tls=True": f'port={broker.port}, ca_file="{trusted}", retain=True',
        }
        yield Setting(("MQTT_PASSWORD",), where)
        assert json.loads(broker.retained("hall/lamp", trusted)) == {"on": True, "level": 70}


@contextmanager
def rss_news(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(Web("")) as web:
        web.answers = [(200, {}, FEED)]
        yield Setting(replaced={"https://news.example.org": web.url})
        assert [request["path"] for request in web.seen] == ["/feed.xml"]


@contextmanager
def templates_letter(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    yield Setting()


@contextmanager
def git_notes(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    bare = bare_repository(folder, "notes")
    with closing(GitOverHttp(folder / "served")) as forge:
        yield Setting(("FORGE_TOKEN",), {"https://git.example.org": forge.url}, ("notes/today.txt",), TOKEN)
    log = subprocess.run(["git", "-C", bare, "log", "--format=%an %s"], capture_output=True, text=True, check=True)
    assert log.stdout.splitlines()[0] == "Ada Note the day"


@contextmanager
def docker_report(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    if docker_images.missing():
        pytest.skip(docker_images.missing())
    yield Setting(("REPORT_KEY",), {"registry.example.org/report:2": docker_images.BASE_IMAGE})


@contextmanager
def objects_report(_folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    credentials = json.dumps({"ACCESS_KEY": "a", "SECRET_ACCESS_KEY": PASSWORD})
    yield Setting(("AWS_CREDENTIALS",), {"https://minio.example.org": moto("reports")}, ("january.csv",), credentials)


@contextmanager
def ssh_backup(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    with closing(Sftp(folder, folder)) as host:
        where = f'"127.0.0.1", port={host.port}, user="ada"'
        yield Setting(("BACKUP_PASSWORD",), {'"backup.example.org", user="ada"': where}, value=SSH_PASSWORD)


@contextmanager
def sftp_exchange(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Setting]:
    (folder / "report.csv").write_text("a,b")
    with closing(Sftp(folder, folder)) as host:
        replaced = {
            "files.example.org": "127.0.0.1",
            'user="ada"': f'port={host.port}, user="ada"',
            "/exchange": f"{folder}/exchange",
        }
        yield Setting(("FILES_PASSWORD",), replaced, ("copy.csv", "exchange/report.csv"), SSH_PASSWORD)


_EACH = (
    *(
        shell,
        http_orders,
        sql_items,
        postgres_items,
        mysql_items,
        sqlite_items,
        duckdb_orders,
        redis_visits,
        files_report,
    ),
    *(dataframes_prices, email_report, chat_done),
    *(
        prometheus_rows,
        mqtt_lamp,
        rss_news,
        templates_letter,
        git_notes,
        docker_report,
        objects_report,
        ssh_backup,
        sftp_exchange,
    ),
)
SETTINGS = {setting.__name__: setting for setting in _EACH}


def test_every_subject_has_an_example_and_every_example_is_run() -> None:
    used = set(re.findall(r"from appliance\.tasks\.(\w+) import", "".join(EXAMPLES.values())))
    assert used == {subject.name for subject in SUBJECTS}
    assert set(EXAMPLES) == set(SETTINGS)
    assert PAGE.count("```python") == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with SETTINGS[name](tmp_path, request) as setting:
        text = EXAMPLES[name]
        for old, new in setting.replaced.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / f"{name}.py").write_text(text)
        done = _python(
            tmp_path, f"{name}.py", **{f"APPLIANCE_SECRET_{secret}": setting.value for secret in setting.secrets}
        )
    assert done.returncode == 0, done.stderr
    assert ": Success." in done.stderr, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert not setting.secrets or setting.value not in done.stdout + done.stderr
    assert all((tmp_path / file).exists() for file in setting.files)


def template() -> str:
    [text] = re.findall(r'```python title="greeting.py"\n(.*?)```', TEMPLATE.read_text(), re.S)
    return str(text)


def test_the_template_for_contributors_is_a_task_that_works(tmp_path: Path) -> None:
    (tmp_path / "greeting.py").write_text(template())
    (tmp_path / "use.py").write_text(
        "import socket, threading\nfrom appliance import Flow, Secret\nfrom greeting import GreetingTask\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "def answer():\n    connection, _ = server.accept()\n    connection.sendall(connection.recv(1000))\n"
        "threading.Thread(target=answer, daemon=True).start()\n"
        "with Flow('f') as flow:\n    task = GreetingTask(port=server.getsockname()[1], password=Secret('PW'))(host='127.0.0.1')\n"
        "print(flow.run().result[task].result, task.secrets)\n"
    )
    done = _python(tmp_path, "use.py", APPLIANCE_SECRET_PW=PASSWORD)
    assert done.stdout == f"{len(f'hello {PASSWORD}') + 1} ('PW',)\n", done.stderr


@pytest.mark.slow
def test_types_of_the_examples_hold(tmp_path: Path) -> None:
    for name, text in EXAMPLES.items():
        (tmp_path / f"{name}_example.py").write_text(text)
    (tmp_path / "greeting.py").write_text(template())
    (tmp_path / "mistake.py").write_text(
        "from appliance.tasks.shell import ShellTask\nShellTask(comand='x')\nShellTask(command=1)\nShellTask(max_retries='2')\n"
    )
    done = _python(tmp_path, "-m", "mypy", "--strict", "--config-file", os.devnull, ".", MYPYPATH=str(ROOT))
    wrong = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line.partition(": error:")[0] for line in wrong] == [f"mistake.py:{number}" for number in (2, 3, 4)], (
        done.stdout
    )


def _python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, timeout=170, check=False)
