"""Stores results in S3 (and compatible stores), Google Cloud Storage and Azure, through obstore.

Credentials come from each service's own environment, such as AWS_ACCESS_KEY_ID or an instance's role.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

from appliance.core.errors import ResultError
from appliance.core.result_serializers import Serializer
from appliance.core.results import Result, Template, check_location
from appliance.kit.distribution import install
from appliance.kit.options import mapping, require

_PATIENCE: dict[str, Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}


class ObjectStoreResult(Result):
    """Objects in one bucket, below `prefix`. `options` and `client_options` are obstore's config and client_options."""

    scheme: ClassVar[str]

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        options: Mapping[str, Any] | None = None,
        client_options: Mapping[str, Any] | None = None,
        location: Template | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(location=location, serializer=serializer)
        self.bucket = require("bucket", bucket, str, "a string")
        self.prefix = require("prefix", prefix, str, "a string").strip("/")
        if self.prefix:
            check_location(self.prefix)
        self._options = mapping("options", options)
        self._client_options = mapping("client_options", client_options)
        self._opened: Any = None

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")

    def put(self, location: str, content: bytes) -> None:
        obstore = _library()

        with self._use("written to", location) as store:
            obstore.put(store, location, content)

    def get(self, location: str) -> memoryview:
        obstore = _library()

        with self._use("read from", location) as store:
            try:
                return memoryview(obstore.get(store, location).bytes())
            except _missing():
                raise self.not_found(location) from None

    def has(self, location: str) -> bool:
        obstore = _library()

        with self._use("looked for at", location) as store:
            try:
                obstore.head(store, location)
            except _missing():
                return False
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_opened": None}  # connections can't be pickled

    @contextmanager
    def _use(self, verb: str, location: str) -> Iterator[Any]:
        """Use obstore's store for a valid location, and turn its exceptions into ResultErrors."""
        check_location(location)
        store = self._store()
        obstore = _library()

        try:
            yield store
        except (obstore.exceptions.BaseError, OSError) as error:
            raise self.trouble(verb, location, _why(error)) from None

    def _store(self) -> Any:
        if self._opened is None:
            obstore = _library()

            try:
                self._opened = self._open(
                    prefix=self.prefix or None,
                    config=self._options,
                    client_options=self._client_options or None,
                    retry_config=_PATIENCE,
                )
            except (obstore.exceptions.BaseError, ValueError, TypeError) as error:
                raise ResultError(f"The place {self.address} can't be opened: {_why(error)}.") from None
        return self._opened

    @abstractmethod
    def _open(self, **options: Any) -> Any:
        """obstore's store for the bucket."""


class S3Result(ObjectStoreResult):
    """A bucket in S3 or a compatible store, whose address is in AWS_ENDPOINT_URL or `options={"endpoint": ...}`."""

    scheme = "s3"

    def _open(self, **options: Any) -> Any:
        from obstore.store import S3Store

        return S3Store(self.bucket, **options)


class GCSResult(ObjectStoreResult):
    """A bucket in Google Cloud Storage."""

    scheme = "gs"

    def _open(self, **options: Any) -> Any:
        from obstore.store import GCSStore

        return GCSStore(self.bucket, **options)


class AzureResult(ObjectStoreResult):
    """A container in Azure Blob Storage. AZURE_STORAGE_ACCOUNT_NAME or `options={"account_name": ...}` is its account."""

    scheme = "az"

    def _open(self, **options: Any) -> Any:
        from obstore.store import AzureStore

        return AzureStore(self.bucket, **options)


def _library() -> Any:
    """obstore, which an extra installs. Raises ResultError without it."""
    try:
        import obstore
    except ImportError:
        raise ResultError(f"Results in object stores need another library; run: {install('object-stores')}") from None
    return obstore


def _missing() -> tuple[type[Exception], ...]:
    return _library().exceptions.NotFoundError, FileNotFoundError


def _why(error: Exception) -> str:
    """The first line of the store's message, without anything that could be a signature or a password."""
    obstore = _library()

    if isinstance(error, obstore.exceptions.PermissionDeniedError | obstore.exceptions.UnauthenticatedError):
        return "the store rejects these credentials"
    if isinstance(error, _missing()):
        return "there is no such bucket"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r"//[^/@\s]+@", "//", re.sub(r"\?[^\s\"']+", "", lines[0] if lines else type(error).__name__))
    return text[:300].rstrip(".")
