"""Objects in S3 (and compatible stores), Google Cloud Storage, and Azure Blob Storage, through obstore."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, TypeVar, Unpack

from appliance.core.secrets import Secret
from appliance.kit import ids
from appliance.tasks.catalogue import require

require("object_stores")

from appliance.tasks.library.arguments import credential, defaults_from_attrs, needed  # noqa: E402 - says what to install
from appliance.tasks.library.drafts import draft  # noqa: E402
from appliance.tasks.library.errors import AccessDenied, Refused, TaskLibraryError, Unreachable  # noqa: E402
from appliance.tasks.library.interruption import in_thread, interruptible  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BlobStorageDownload",
    "BlobStorageList",
    "BlobStorageUpload",
    "Fetched",
    "GCSBlobExists",
    "GCSCopy",
    "GCSDownload",
    "GCSList",
    "GCSUpload",
    "S3Copy",
    "S3Delete",
    "S3Download",
    "S3List",
    "S3Upload",
]

T = TypeVar("T")
_PATIENCE: dict[str, Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
_CLIENT: dict[str, Any] = {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "1d"}
_MOST_IN_MEMORY = 10 * 1024 * 1024
_STATUS = re.compile(r"status code: (4\d\d)")
_NAMES: dict[Any, str] = {
    "ACCESS_KEY": "access_key_id",
    "SECRET_ACCESS_KEY": "secret_access_key",
    "SESSION_TOKEN": "session_token",
}
"""What Prefect 1.x calls the keys of credentials."""


class StoreOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    credentials: Secret | None
    config: Mapping[str, Any] | None
    client_options: Mapping[str, Any] | None


class Fetched(TypedDict):
    """What a download has written."""

    path: str
    bytes: int


class _StoreTask(LibraryTask):
    """Credentials come from the service's own environment, or from the secret `credentials`. `config` are obstore's settings of the store, such as
    `{"endpoint": "https://minio.example.org", "region": "eu-west-1"}`, and `client_options` those of its HTTP client."""

    store: ClassVar[str]

    def __init__(self, **options: Unpack[StoreOptions]) -> None:
        credentials, config = options.pop("credentials", None), options.pop("config", None)
        client_options = options.pop("client_options", None)
        rest: Any = options
        super().__init__(credentials, **rest)
        self.credentials = credential("credentials", credentials)
        self.config, self.client_options = config, client_options

    def work(self, bucket: str, do: Callable[[Any, Any, Callable[[], None]], T]) -> T:
        """The result of `do` with obstore, the bucket, and what raises if the task must stop. Raises errors of the library."""
        import obstore.store

        stopped = threading.Event()

        def go() -> None:
            if stopped.is_set():
                raise Refused("The task was stopped.")

        def whole() -> T:
            config = {**dict(self.config or {}), **self._credentials()}
            client = {**_CLIENT, **dict(self.client_options or {})}
            if str(config.get("endpoint", "")).startswith("http://"):
                client["allow_http"] = True
            kind = getattr(obstore.store, self.store)
            return do(obstore, kind(bucket, config=config, client_options=client, retry_config=_PATIENCE), go)

        with _sentences(f"The store of {bucket!r}"), interruptible(self, stopped.set):
            return in_thread(whole, stopped)

    def _credentials(self) -> dict[str, Any]:
        if self.credentials is None:
            return {}
        if self.store == "GCSStore":
            return {"service_account_key": self.credentials.get()}
        values = self.credentials.get(as_json=True)
        if not isinstance(values, dict):
            raise Refused("The secret with the credentials must be a JSON object.")
        return {_NAMES.get(str(key), str(key)): value for key, value in values.items()}

    def download(self, bucket: str, key: str, path: str | Path | None) -> Fetched | str:
        def do(obstore: Any, store: Any, go: Callable[[], None]) -> Fetched | str:
            answer = obstore.get(store, key)
            if path is None:
                if answer.meta["size"] > _MOST_IN_MEMORY:
                    raise Refused(f"{key!r} has {answer.meta['size']} bytes; set path, to which it is to be written.")
                return bytes(answer.bytes()).decode("utf-8", "replace")
            size = 0
            with draft(Path(path)) as file:
                for chunk in answer.stream():
                    go()
                    size += file.write(chunk)
            return {"path": str(path), "bytes": size}

        return self.work(bucket, do)

    def upload(self, bucket: str, data: str | bytes | None, path: str | Path | None, key: str | None) -> str:
        if data is None and path is None:
            needed(self, "data", None)
        name = key or (str(ids.uuid7()) if path is None else Path(path).name)
        content: Any = Path(str(path)) if data is None else data.encode() if isinstance(data, str) else data
        self.work(bucket, lambda obstore, store, _go: obstore.put(store, name, content))
        return name

    def names(self, bucket: str, prefix: str | None, most: int) -> list[str]:
        def do(obstore: Any, store: Any, go: Callable[[], None]) -> list[str]:
            names: list[str] = []
            for batch in obstore.list(store, prefix):
                go()
                names += [item["path"] for item in batch]
                if len(names) >= most:
                    break
            return sorted(names[:most])

        return self.work(bucket, do)


class _Download(_StoreTask):
    def __init__(
        self,
        bucket: str | None = None,
        key: str | None = None,
        path: str | Path | None = None,
        **options: Unpack[StoreOptions],
    ) -> None:
        """Takes `credentials`, `config`, `client_options`, and the options of Task, too."""
        super().__init__(**options)
        self.bucket, self.key, self.path = bucket, key, path

    @defaults_from_attrs("bucket", "key", "path")
    def run(self, bucket: str | None = None, key: str | None = None, path: str | Path | None = None) -> Fetched | str:
        """Raises Unreachable, AccessDenied or Refused."""
        return self.download(needed(self, "bucket", bucket), needed(self, "key", key), path)


class _Upload(_StoreTask):
    def __init__(
        self,
        bucket: str | None = None,
        key: str | None = None,
        path: str | Path | None = None,
        **options: Unpack[StoreOptions],
    ) -> None:
        """Takes `credentials`, `config`, `client_options`, and the options of Task, too."""
        super().__init__(**options)
        self.bucket, self.key, self.path = bucket, key, path

    @defaults_from_attrs("bucket", "key", "path")
    def run(
        self,
        data: str | bytes | None = None,
        key: str | None = None,
        bucket: str | None = None,
        path: str | Path | None = None,
    ) -> str:
        """Raises Unreachable, AccessDenied or Refused."""
        return self.upload(needed(self, "bucket", bucket), data, path, key)


class _List(_StoreTask):
    def __init__(
        self,
        bucket: str | None = None,
        prefix: str | None = None,
        max_items: int = 10_000,
        **options: Unpack[StoreOptions],
    ) -> None:
        """Takes `credentials`, `config`, `client_options`, and the options of Task, too."""
        super().__init__(**options)
        self.bucket, self.prefix, self.max_items = bucket, prefix, max_items

    @defaults_from_attrs("bucket", "prefix")
    def run(self, bucket: str | None = None, prefix: str | None = None) -> list[str]:
        """Raises Unreachable, AccessDenied or Refused."""
        return self.names(needed(self, "bucket", bucket), prefix, self.max_items)


class _Copy(_StoreTask):
    def __init__(
        self,
        bucket: str | None = None,
        source_key: str | None = None,
        target_key: str | None = None,
        **options: Unpack[StoreOptions],
    ) -> None:
        """Takes `credentials`, `config`, `client_options`, and the options of Task, too."""
        super().__init__(**options)
        self.bucket, self.source_key, self.target_key = bucket, source_key, target_key

    @defaults_from_attrs("bucket", "source_key", "target_key")
    def run(self, bucket: str | None = None, source_key: str | None = None, target_key: str | None = None) -> str:
        """Raises Unreachable, AccessDenied or Refused."""
        old, new = needed(self, "source_key", source_key), needed(self, "target_key", target_key)
        self.work(needed(self, "bucket", bucket), lambda obstore, store, _go: obstore.copy(store, old, new))
        return new


class _ObjectTask(_StoreTask):
    """One object."""

    def __init__(self, bucket: str | None = None, key: str | None = None, **options: Unpack[StoreOptions]) -> None:
        """Takes `credentials`, `config`, `client_options`, and the options of Task, too."""
        super().__init__(**options)
        self.bucket, self.key = bucket, key


class S3Download(_Download):
    """Downloads an object of S3 to `path`, and returns the path and the size; without `path`, returns its content as text, up to 10 MB."""

    store = "S3Store"


class S3Upload(_Upload):
    """Uploads `data`, or the file at `path`, to S3. The result is the key, which is made up if neither `key` nor `path` is given."""

    store = "S3Store"


class S3List(_List):
    """The keys of the objects of S3 in the folder `prefix`, sorted."""

    store = "S3Store"


class S3Copy(_Copy):
    """Copies an object within a bucket of S3, and replaces one that is there. The result is the new key."""

    store = "S3Store"


class S3Delete(_ObjectTask):
    """Deletes an object of S3. Nothing happens if there is none. The result is the key."""

    store = "S3Store"

    @defaults_from_attrs("bucket", "key")
    def run(self, bucket: str | None = None, key: str | None = None) -> str:
        """Raises Unreachable, AccessDenied or Refused."""
        name = needed(self, "key", key)
        self.work(needed(self, "bucket", bucket), lambda obstore, store, _go: obstore.delete(store, name))
        return name


class GCSDownload(_Download):
    """Downloads an object of Google Cloud Storage to `path`, and returns the path and the size; without `path`, returns its content as text, up to 10 MB."""

    store = "GCSStore"


class GCSUpload(_Upload):
    """Uploads `data`, or the file at `path`, to Google Cloud Storage. The result is the key, which is made up if neither `key` nor `path` is given."""

    store = "GCSStore"


class GCSList(_List):
    """The keys of the objects of Google Cloud Storage in the folder `prefix`, sorted."""

    store = "GCSStore"


class GCSCopy(_Copy):
    """Copies an object within a bucket of Google Cloud Storage, and replaces one that is there. The result is the new key."""

    store = "GCSStore"


class GCSBlobExists(_ObjectTask):
    """Whether there is an object of Google Cloud Storage."""

    store = "GCSStore"

    @defaults_from_attrs("bucket", "key")
    def run(self, bucket: str | None = None, key: str | None = None) -> bool:
        """Raises Unreachable, AccessDenied or Refused."""
        name = needed(self, "key", key)

        def do(obstore: Any, store: Any, _go: Callable[[], None]) -> bool:
            try:
                obstore.head(store, name)
            except (obstore.exceptions.NotFoundError, FileNotFoundError):
                return False
            return True

        return self.work(needed(self, "bucket", bucket), do)


class BlobStorageDownload(_Download):
    """Downloads a blob of Azure to `path`, and returns the path and the size; without `path`, returns its content as text, up to 10 MB.
    `bucket` is the container."""

    store = "AzureStore"


class BlobStorageUpload(_Upload):
    """Uploads `data`, or the file at `path`, to Azure. The result is the key, which is made up if neither `key` nor `path` is given.
    `bucket` is the container."""

    store = "AzureStore"


class BlobStorageList(_List):
    """The names of the blobs of Azure in the folder `prefix`, sorted. `bucket` is the container."""

    store = "AzureStore"


@contextmanager
def _sentences(place: str) -> Iterator[None]:
    """Errors of obstore, as sentences. Every call may be repeated: an upload replaces what is there by the same."""
    import obstore

    errors = obstore.exceptions
    try:
        yield
    except TaskLibraryError:
        raise
    except (errors.NotFoundError, FileNotFoundError) as error:
        raise Refused(f"{place} has no such object: {_why(error)}.", 404) from None
    except (errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
        raise AccessDenied(f"{place} rejects the credentials: {_why(error)}.") from None
    except (errors.UnknownConfigurationKeyError, errors.InvalidPathError, TypeError, ValueError) as error:
        raise Refused(f"{place} can't be used: {_why(error)}.") from None
    except (errors.BaseError, OSError) as error:
        status = _STATUS.search(str(error))  # lists have no errors of their own for what is denied
        if status is not None and status[1] in ("401", "403"):
            raise AccessDenied(f"{place} rejects the credentials: {_why(error)}.") from None
        if status is not None:
            raise Refused(f"{place} answered: {_why(error)}.", int(status[1])) from None
        raise Unreachable(f"{place} can't be reached, or broke off: {_why(error)}.") from None


def _why(error: Exception) -> str:
    """The first line of the message, without anything that could be a signature or a password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r"//[^/@\s]+@", "//", re.sub(r"\?[^\s\"']+", "", lines[0] if lines else type(error).__name__))
    return text[:300].rstrip(".")
