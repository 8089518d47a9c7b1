"""Maps the address of a place to its backend, and provides the site's default place for all runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from appliance.core.errors import ResultError
from appliance.core.results import Result
from appliance.kit import env, options

_FORMS = (
    "appliance:, file:///folder, shared+file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix "
    "or sftp://user@host/folder"
)


def result_from_url(url: str) -> Result:
    """The backend for an address such as `s3://bucket/prefix`. Raises ResultError for an invalid address."""
    options.require("url", url, str, f"a string: {_FORMS}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ResultError(f"The address of the results is not valid; write it as {_FORMS}.") from None
    if parts.password is not None or parts.query or parts.fragment:
        raise ResultError(
            "The address of the results must not contain a password or options, because it is shown to people; "
            "set credentials in the environment variables of the service."
        )
    path = unquote(parts.path)
    if url.strip() == "appliance:":
        from appliance.engine.results.appliance import ApplianceResult

        return ApplianceResult()
    if parts.scheme in ("file", "shared+file") and parts.netloc in ("", "localhost") and len(path) > 1:
        from appliance.engine.results.local import LocalResult

        return LocalResult(path, shared=parts.scheme == "shared+file")
    if parts.scheme == "sftp" and parts.hostname and len(path) > 1:
        from appliance.engine.results.sftp import SFTPResult

        return SFTPResult(parts.hostname, path, port=port or 22, username=parts.username)
    if parts.scheme in ("s3", "gs", "az") and parts.netloc:
        return _bucket(parts, path)
    raise ResultError(f"The address of the results, {url!r}, is not valid; write it as {_FORMS}.")


def default_result(environ: Mapping[str, str] | None = None) -> Result | None:
    """The place in APPLIANCE_RESULTS_URL, marked as one that no author chose. Raises ResultError."""
    url = _settings(environ).get("results_url")
    if not url:
        return None
    result = result_from_url(url)
    result.optional = True
    return result


def checkpointing(environ: Mapping[str, str] | None = None) -> bool:
    """Does APPLIANCE_CHECKPOINTING request storing results wherever there is a place?"""
    return _settings(environ).get("checkpointing", "").strip().lower() in ("1", "true", "yes", "on")


def _settings(environ: Mapping[str, str] | None) -> dict[str, str]:
    try:
        return env.read(os.environ if environ is None else environ, "APPLIANCE", ("results_url", "checkpointing"))
    except ValueError as error:
        raise ResultError(str(error)) from None


def _bucket(parts: SplitResult, prefix: str) -> Result:
    from appliance.engine.results.object_stores import AzureResult, GCSResult, S3Result

    if parts.scheme == "s3":
        return S3Result(parts.netloc, prefix)
    return GCSResult(parts.netloc, prefix) if parts.scheme == "gs" else AzureResult(parts.netloc, prefix)
