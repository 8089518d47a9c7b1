"""The subjects of the task library. `appliance tasks list` and the reference are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.kit import distribution


@dataclass(frozen=True)
class Subject:
    """One module of the library."""

    name: str
    """The module is `appliance.tasks.<name>`."""
    about: str
    tasks: tuple[str, ...]
    extra: str | None = None
    """The extra of the package with the libraries that it needs."""
    libraries: tuple[str, ...] = ()
    """Their modules."""

    @property
    def module(self) -> str:
        return f"appliance.tasks.{self.name}"

    def is_installed(self) -> bool:
        return all(map(distribution.is_installed, self.libraries))

    def require(self) -> None:
        """Raise MissingExtra unless its libraries are installed."""
        if self.extra is not None:
            distribution.require_extra(self.module, self.extra, *self.libraries)


SUBJECTS = (
    Subject("shell", "Run commands in a shell.", ("ShellTask",)),
    Subject(
        "http",
        "Send requests, read lists page by page, and download files.",
        ("HttpRequest", "HttpPages", "HttpDownload"),
    ),
    Subject(
        "sql",
        "Execute, fetch, and load in any database that SQLAlchemy knows.",
        ("SqlExecute", "SqlExecuteMany", "SqlFetch", "SqlLoad"),
        extra="sql",
        libraries=("sqlalchemy",),
    ),
    Subject(
        "postgres",
        "Execute, fetch, and load by COPY in Postgres.",
        ("PostgresExecute", "PostgresExecuteMany", "PostgresFetch", "PostgresLoad"),
        extra="postgres",
        libraries=("psycopg", "sqlalchemy"),
    ),
    Subject(
        "mysql",
        "Execute, fetch, and load in MySQL and MariaDB.",
        ("MySQLExecute", "MySQLFetch", "MySQLLoad"),
        extra="mysql",
        libraries=("pymysql", "sqlalchemy"),
    ),
    Subject(
        "sqlite",
        "Query files of SQLite.",
        ("SQLiteQuery", "SQLiteScript"),
        extra="sql",
        libraries=("sqlalchemy",),
    ),
    Subject(
        "duckdb",
        "Query databases of DuckDB and files, and load files into tables.",
        ("DuckDBExecute", "DuckDBFetch", "DuckDBLoad"),
        extra="duckdb",
        libraries=("duckdb",),
    ),
    Subject(
        "dataframes",
        "Read, write, and convert Parquet and CSV files.",
        ("ReadDataFrame", "WriteDataFrame", "ConvertDataFrame"),
        extra="dataframes",
        libraries=("pyarrow",),
    ),
    Subject(
        "redis",
        "Set and get values, and execute commands.",
        ("RedisSet", "RedisGet", "RedisExecute"),
        extra="redis",
        libraries=("redis",),
    ),
    Subject(
        "files",
        "Copy, move, remove, find, pack, unpack, and hash files, and wait for them.",
        ("Copy", "Move", "Remove", "Glob", "Zip", "Unzip", "Tar", "Untar", "Hash", "WaitUntilStable"),
    ),
    Subject("email", "Send emails with attachments.", ("EmailTask",)),
    Subject(
        "chat",
        "Send messages to Slack, Teams, Mattermost, and other webhooks.",
        ("SlackTask", "TeamsTask", "MattermostTask", "WebhookTask"),
    ),
    Subject(
        "prometheus",
        "Push gauges to a Pushgateway.",
        ("PushGaugeToGateway", "PushAddGaugeToGateway"),
        extra="prometheus",
        libraries=("prometheus_client",),
    ),
    Subject("mqtt", "Publish messages to topics.", ("MqttPublish",), extra="mqtt", libraries=("paho",)),
    Subject("rss", "Read feeds in RSS and Atom.", ("ParseRSSFeed",), extra="rss", libraries=("feedparser",)),
    Subject(
        "templates",
        "Fill in format strings and Jinja templates.",
        ("StringFormatter", "JinjaTemplate"),
        extra="templates",
        libraries=("jinja2",),
    ),
    Subject("git", "Clone, pull, commit, and push.", ("GitClone", "GitPull", "GitCommit", "GitPush")),
    Subject(
        "docker",
        "Run containers, and manage containers and images.",
        (
            *(
                "RunContainer",
                "CreateContainer",
                "StartContainer",
                "StopContainer",
                "WaitOnContainer",
                "GetContainerLogs",
            ),
            *("RemoveContainer", "ListContainers", "ListImages", "PullImage", "TagImage", "RemoveImage"),
        ),
        extra="docker",
        libraries=("docker",),
    ),
    Subject(
        "object_stores",
        "Upload, download, list, and copy objects in S3, Google Cloud Storage, and Azure.",
        (
            *("S3Download", "S3Upload", "S3List", "S3Copy", "S3Delete"),
            *("GCSDownload", "GCSUpload", "GCSList", "GCSCopy", "GCSBlobExists"),
            *("BlobStorageDownload", "BlobStorageUpload", "BlobStorageList"),
        ),
        extra="object-stores",
        libraries=("obstore",),
    ),
    Subject("ssh", "Run commands on other hosts.", ("SshTask",), extra="ssh", libraries=("paramiko",)),
    Subject(
        "sftp",
        "Upload, download, and list files on other hosts.",
        ("SftpUpload", "SftpDownload", "SftpList"),
        extra="sftp",
        libraries=("paramiko",),
    ),
)
BY_NAME = {subject.name: subject for subject in SUBJECTS}


def require(name: str) -> None:
    """Called by the module of a subject before anything else. Raises MissingExtra."""
    BY_NAME[name].require()
