"""Flow code in S3 (and compatible stores), Google Cloud Storage or Azure, through obstore.

Credentials come from each service's own environment, as for results: such as AWS_ACCESS_KEY_ID or an instance's role, of whoever registers the
flow and of the agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from appliance.kit import options
from appliance.kit.distribution import install
from appliance.packaging.archived import MOST_BYTES, ArchivedStorage, Ask, Gone
from appliance.packaging.storage import CodeMissing, Unreachable
from appliance.protocol import code_addresses
from appliance.protocol.code_places import ObjectStoreCode

_PATIENCE: dict[str, Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}


class ObjectStore(ArchivedStorage[ObjectStoreCode]):
    """Archives in a bucket, below the prefix: `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`."""

    code = ObjectStoreCode

    def __init__(self, url: str) -> None:
        """Raises ValueError, with a sentence, for an address of another form."""
        options.text("url", url)
        if problem := code_addresses.bucket_problem(url):
            raise ValueError(problem)
        self.url = url

    def describe(self) -> dict[str, Any]:
        return {"type": "object_store", "url": self.url}

    @classmethod
    def shelf(cls, code: ObjectStoreCode, _ask: Ask) -> Objects:
        return Objects(code.url)


class Objects:
    """The objects below one address."""

    _kinds: ClassVar[dict[str, str]] = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        with self._use() as obstore:
            kind = getattr(obstore.store, self._kinds[parts.scheme])
            prefix = parts.path.strip("/") or None
            self._store = kind(parts.netloc, prefix=prefix, retry_config=_PATIENCE)

    def has(self, name: str) -> bool:
        try:
            self._ask(lambda obstore: obstore.head(self._store, name))
        except Gone:
            return False
        return True

    def put(self, name: str, content: bytes) -> None:
        self._ask(lambda obstore: obstore.put(self._store, name, content))

    def get(self, name: str) -> bytes:
        def read(obstore: Any) -> bytes:
            answer = obstore.get(self._store, name)
            if answer.meta["size"] > MOST_BYTES:
                raise CodeMissing(
                    f"The archive at {self._url} is larger than {MOST_BYTES // 1024**2} MB: register the flow again."
                )
            return bytes(answer.bytes())

        content: bytes = self._ask(read)
        return content

    def _ask(self, work: Callable[[Any], Any]) -> Any:
        with self._use() as obstore:
            return work(obstore)

    @contextmanager
    def _use(self) -> Iterator[Any]:
        try:
            import obstore
            import obstore.store
        except ImportError:
            raise CodeMissing(
                f"Flow code in object stores needs another library on this machine; run: {install('object-stores')}"
            ) from None
        errors = obstore.exceptions
        try:
            yield obstore
        except (errors.NotFoundError, FileNotFoundError):
            raise Gone(f"The code is not at {self._url} any more: register the flow again.") from None
        except (errors.PermissionDeniedError, errors.UnauthenticatedError):
            raise CodeMissing(f"The store at {self._url} rejects the credentials of this machine.") from None
        except (errors.BaseError, OSError, TypeError, ValueError) as error:
            raise Unreachable(f"The store at {self._url} can't be used: {_why(error)}.") from None


def _why(error: Exception) -> str:
    """The first line of the store's message, without anything that could be a signature or a password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r"//[^/@\s]+@", "//", re.sub(r"\?[^\s\"']+", "", lines[0] if lines else type(error).__name__))
    return text[:300].rstrip(".")
