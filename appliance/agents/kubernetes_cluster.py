"""A Kubernetes cluster, as an agent uses it: the only module that imports its client. Every call ends in time, and fails with a sentence.

Objects are what the API has as JSON. The client's own classes would be a second model of them, and drop the fields that they don't know.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import config as configs
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject

from appliance.kit.places import PlaceAway, PlaceRefused

TIMEOUT = 30.0
"""Seconds without a byte of an answer."""
WATCH_SECONDS = 240
"""After which the cluster ends a watch in order, and another begins where it was."""
JOBS, PODS, SECRETS, EVENTS, METRICS = "jobs", "pods", "secrets", "events", "pods.metrics"
_GROUPS = {JOBS: "/apis/batch/v1", METRICS: "/apis/metrics.k8s.io/v1beta1"}
_TRIES, _LONGEST_PAUSE = 4, 10.0
_LONGEST = 500
_LONGEST_OUTPUT = 256 * 1024
_NO_PERMISSION = re.compile(
    r'cannot (?P<verb>\w+) resource "(?P<resource>[\w/.]+)".*?(?:in the namespace "(?P<namespace>[^"]+)"|$)'
)
Manifest = dict[str, Any]


class ClusterAway(PlaceAway):
    """The cluster's API can't be reached, or doesn't answer."""


class ClusterRefused(PlaceRefused):
    """The cluster has refused a request. `reason` is its word for it, such as AlreadyExists."""

    def __init__(self, message: str, status: int, reason: str = "") -> None:
        super().__init__(message, status)
        self.reason = reason

    @property
    def is_quota(self) -> bool:
        """Whether a quota of the namespace is used up."""
        return self.status == 403 and "exceeded quota" in str(self)

    @property
    def passes(self) -> bool:
        return self.is_quota or super().passes


class Cluster:
    """The cluster in which this process is a pod, or else that of KUBECONFIG and its context. Usable from several threads."""

    def __init__(self, context: str = "") -> None:
        self._context = context
        self._lock = threading.Lock()
        self._opened: tuple[Configuration, urllib3.PoolManager] | None = None
        self._closing = threading.Event()

    def check(self) -> str:
        """The version of the cluster. Raises ClusterAway or ClusterRefused."""
        return str(self._json("GET", "/version").get("gitVersion", ""))

    def create(self, kind: str, namespace: str, manifest: Mapping[str, Any]) -> Manifest:
        """Create an object. Raises ClusterRefused, with status 409 if there is one of its name."""
        return self._json("POST", _path(kind, namespace), manifest)

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """An object; None if it is not there."""
        try:
            return self._json("GET", _path(kind, namespace, name))
        except ClusterRefused as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str, **query: str) -> tuple[list[Manifest], str]:
        """The objects that labelSelector, fieldSelector and limit leave, and the version from which a watch goes on."""
        answer = self._json("GET", _path(kind, namespace), query=query)
        return list(answer.get("items") or []), str(answer["metadata"].get("resourceVersion", ""))

    def patch(self, kind: str, namespace: str, name: str, change: Mapping[str, Any]) -> Manifest:
        """Merge a change into an object."""
        return self._json("PATCH", _path(kind, namespace, name), change, content_type="application/merge-patch+json")

    def delete(self, kind: str, namespace: str, name: str, propagation: str) -> None:
        """Delete an object, if it is there, and what it owns: first with Foreground, afterwards with Background."""
        try:
            self._json("DELETE", _path(kind, namespace, name), {"propagationPolicy": propagation})
        except ClusterRefused as error:
            if error.status != 404:
                raise

    def output(self, namespace: str, pod: str, container: str, lines: int) -> bytes:
        """The last lines that a container has written; none where they can't be read."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(_LONGEST_OUTPUT)}
        try:
            with self._answer("GET", f"{_path(PODS, namespace, pod)}/log", query=query) as answer:
                return bytes(answer.read(_LONGEST_OUTPUT))
        except ClusterRefused:
            return b""

    def watch(self, kind: str, namespace: str, selector: str, version: str) -> Iterator[Manifest]:
        """What happens to objects after a version: their events, until the cluster ends the watch. Raises ClusterRefused, with status 410 if the
        version is too old."""
        query = {
            "labelSelector": selector,
            "resourceVersion": version,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        with self._answer("GET", _path(kind, namespace), query=query, timeout=WATCH_SECONDS + TIMEOUT) as answer:
            for line in _lines(answer):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    raise _refusal(event.get("object") or {}, 500)
                yield event

    def close(self) -> None:
        """Wait for nothing any more."""
        self._closing.set()

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None, **options: Any) -> Manifest:
        with self._answer(method, path, body, **options) as answer:
            content: Manifest = json.loads(answer.read())
            return content

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = TIMEOUT,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Raises ClusterAway or ClusterRefused, also while the answer is read."""
        try:
            configuration, pool = self._client()
            url = f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
            headers = {"Accept": "application/json, */*", "Content-Type": content_type, **_credentials(configuration)}
            data = None if body is None else json.dumps(body).encode()
            for number in range(_TRIES):
                answer = pool.request(
                    method,
                    url,
                    body=data,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=TIMEOUT / 3, read=timeout),
                    retries=False,
                    preload_content=False,
                )
                if answer.status != 429 or number == _TRIES - 1 or self._closing.wait(_pause(answer)):
                    break
                answer.drain_conn()
            try:
                if answer.status >= 300:
                    raise _refusal(_status_of(answer.read(64 * 1024)), answer.status)
                yield answer
            finally:
                answer.close()  # also a watch that is given up
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError, configs.ConfigException) as error:
            raise ClusterAway(f"The Kubernetes API can't be reached: {_cause(error)}") from error

    def _client(self) -> tuple[Configuration, urllib3.PoolManager]:
        with self._lock:
            if self._opened is None:
                configuration = Configuration()
                try:
                    if self._context:
                        raise configs.ConfigException
                    configs.load_incluster_config(client_configuration=configuration)
                except configs.ConfigException:
                    configs.load_kube_config(
                        os.environ.get("KUBECONFIG"), self._context or None, client_configuration=configuration
                    )
                configuration.connection_pool_maxsize = 32
                self._opened = configuration, RESTClientObject(configuration).pool_manager
            return self._opened


def _path(kind: str, namespace: str, name: str = "") -> str:
    resource = kind.partition(".")[0]
    return f"{_GROUPS.get(kind, '/api/v1')}/namespaces/{namespace}/{resource}" + (f"/{name}" if name else "")


def _credentials(configuration: Configuration) -> dict[str, str]:
    """The headers with the token, which is read again before it expires."""
    return {each["key"]: each["value"] for each in configuration.auth_settings().values() if each["in"] == "header"}


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    left = b""
    for chunk in answer.stream(64 * 1024):
        *lines, left = (left + chunk).split(b"\n")
        yield from filter(None, lines)


def _pause(answer: urllib3.BaseHTTPResponse) -> float:
    """How long a cluster with too much to do wants to be left alone."""
    said = answer.headers.get("Retry-After", "1")
    return min(float(said), _LONGEST_PAUSE) if said.isdecimal() else 1.0


def _status_of(content: bytes) -> Manifest:
    """The object that says why a request was refused; something else may answer in place of the API."""
    try:
        status = json.loads(content)
    except ValueError:
        status = None
    return status if isinstance(status, dict) else {"message": content.decode("utf-8", "replace")}


def _refusal(status: Manifest, code: int) -> ClusterRefused:
    code = int(status.get("code") or code)
    message = str(status.get("message") or f"status {code}")
    lacks = _NO_PERMISSION.search(message) if code == 403 else None
    if lacks is not None:
        where = f" in namespace {lacks['namespace']}" if lacks["namespace"] else ""
        message = (
            f"the agent's account lacks the permission to {lacks['verb']} {lacks['resource']}{where}; apply the role that "
            "`appliance agent install kubernetes` prints"
        )
    elif code == 401:
        message = "the cluster does not accept the agent's credentials; renew them in its kubeconfig, or give its pod a service account"
    return ClusterRefused(_sentence(message), code, str(status.get("reason") or ""))


def _cause(error: BaseException) -> str:
    """The error at the bottom of those of the libraries, as a sentence with what to do."""
    if isinstance(error, configs.ConfigException):
        return f"{_sentence(str(error))} Run the agent in a pod of the cluster, or set KUBECONFIG."
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return f"{inner.strerror}."
        inner = inner.__cause__ or inner.__context__
    return _sentence(str(error))


def _sentence(text: str) -> str:
    said = " ".join(text.split())[:_LONGEST].removesuffix(".")
    return f"{said[:1].upper()}{said[1:]}."
