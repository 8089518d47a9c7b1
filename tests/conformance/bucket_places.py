"""Storages under test that are buckets, as obstore finds them by the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import obstore.store

from appliance.packaging.object_stores import ObjectStore
from tests.conformance.blob_server import BUCKET, Blobs
from tests.conformance.place import Archived


class Objects(Archived):
    """A bucket, as obstore finds it by the environment."""

    scheme: ClassVar[str]
    bucket: ClassVar[str]
    store: ClassVar[Any]

    def author(self) -> Any:
        return ObjectStore(f"{self.scheme}://{self.bucket}/flows")

    def read(self, name: str) -> bytes:
        return bytes(obstore.get(self._store(), name).bytes())

    def write(self, name: str, content: bytes) -> None:
        obstore.put(self._store(), name, content)

    def delete(self, name: str) -> None:
        obstore.delete(self._store(), name)

    def _store(self) -> Any:
        return self.store(self.bucket, prefix="flows")


class S3(Objects):
    """moto's server, whose address is in AWS_ENDPOINT_URL."""

    scheme, bucket, store = "s3", "code", obstore.store.S3Store


class InBlobs(Objects):
    """A stand-in for the services, which have never been asked themselves."""

    bucket = BUCKET

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.server = Blobs()
        self.environ = self.server.environ(self.scheme)

    def delete(self, name: str) -> None:
        self.server.remove(f"/{name}")

    def close(self) -> None:
        self.server.close()


class Google(InBlobs):
    scheme, store = "gs", obstore.store.GCSStore


class Azure(InBlobs):
    scheme, store = "az", obstore.store.AzureStore
