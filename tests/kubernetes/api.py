"""The API of the cluster over HTTP: what is needed of it to list, watch, create, merge, delete, and read output."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from appliance.kit import clock
from tests.kubernetes.store import KINDS, ApiError, Facts, Store, resource

TOKEN = "the-agent"
ACCOUNT = "system:serviceaccount:flows:agent"
BOOKMARK_AFTER = 0.5
"""Seconds of silence. A real cluster sends one a minute."""
_METRICS = re.compile(r"/apis/metrics\.k8s\.io/v1beta1/namespaces/(?P<namespace>[^/]+)/pods")
_PATH = re.compile(
    r"/(?:api/v1|apis/batch/v1)/namespaces/(?P<namespace>[^/]+)/(?P<kind>\w+)(?:/(?P<name>[^/]+)(?P<log>/log)?)?"
)
_VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


class Api(ThreadingHTTPServer):
    """`rules` is what the agent's role permits, as in a manifest; None: everything. `busy`: so many requests are refused with 429.
    `failing`: the next request of each of these verbs and kinds is answered with 500; `losing`: likewise, once it was carried out, if it creates.
    `metrics`: what measures the pods of a namespace; None: nothing does."""

    daemon_threads = True

    def __init__(self, store: Store, output: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store, self.output = store, output
        self.rules: list[Facts] | None = None
        self.busy = 0
        self.failing: list[tuple[str, str]] = []
        self.losing: list[tuple[str, str]] = []
        self.metrics: Callable[[str], list[Facts]] | None = None
        self.closing = threading.Event()
        self.cuts = 0
        self.watches = 0
        self.requests: list[tuple[str, str]] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def kubeconfig(self) -> Facts:
        """What KUBECONFIG has, also as JSON."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "agent", "user": {"token": TOKEN}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "agent"}}],
            "current-context": "fake",
        }

    def cut(self) -> None:
        """Break all watches off in the middle."""
        with self.store.changed:
            self.cuts += 1
            self.store.changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go whenever they like."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.closing.set()
        self.cut()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_arguments: Any) -> None: ...

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query))
        try:
            if self.server.busy > 0:
                self.server.busy -= 1
                raise ApiError(429, "TooManyRequests", "too many requests, please try again later")
            if self.headers.get("Authorization", "").lower() != f"bearer {TOKEN}":
                raise ApiError(401, "Unauthorized", "Unauthorized")
            if split.path == "/version":
                return self._send(200, {"major": "1", "minor": "33", "gitVersion": "v1.33.0-fake"})
            measured = _METRICS.fullmatch(split.path)
            if measured is not None and self.server.metrics is not None:
                return self._measure(measured["namespace"], self.server.metrics, query)
            match = _PATH.fullmatch(split.path)
            if match is None or match["kind"] not in KINDS:
                raise ApiError(404, "NotFound", "the server could not find the requested resource")
            self._carry_out(match, query, json.loads(body) if body else {})
        except ApiError as error:
            self._send(error.code, error.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _carry_out(self, match: re.Match[str], query: Mapping[str, str], body: Facts) -> None:
        namespace, kind, name = match["namespace"], match["kind"], match["name"] or ""
        store = self.server.store
        verb = _VERBS[self.command]
        if verb == "get" and not name:
            verb = "watch" if query.get("watch") else "list"
        self._check(verb, f"{kind}/log" if match["log"] else kind, namespace)
        self.server.requests.append((verb, kind))
        if (verb, kind) in self.server.failing:
            self.server.failing.remove((verb, kind))
            raise ApiError(500, "InternalError", "etcdserver: request timed out")
        if match["log"]:
            output = self.server.output(name, int(query.get("tailLines", 1_000)))
            return self._send_bytes(200, output, "text/plain")
        if verb == "watch":
            return self._watch(kind, namespace, query)
        if verb == "list":
            with store.changed:
                items = [each for each in store.all(kind, namespace) if _selects(each, query)]
                version = str(store.version)
            api, word = KINDS[kind]
            return self._send(
                200,
                {"apiVersion": api, "kind": f"{word}List", "metadata": {"resourceVersion": version}, "items": items},
            )
        if verb == "create":
            created = store.create(kind, namespace, body)
            if (verb, kind) in self.server.losing:
                self.server.losing.remove((verb, kind))
                raise ApiError(500, "InternalError", "etcdserver: request timed out")
            return self._send(201, created)
        if verb == "patch":
            return self._send(200, store.change(kind, namespace, name, lambda facts: _merge(facts, body)))
        if verb == "delete":
            return self._send(200, store.delete(kind, namespace, name, body.get("propagationPolicy", "Background")))
        return self._send(200, store.get(kind, namespace, name))

    def _measure(self, namespace: str, metrics: Callable[[str], list[Facts]], query: Mapping[str, str]) -> None:
        self._check("list", "pods", namespace, "metrics.k8s.io")
        items = [each for each in metrics(namespace) if _selects(each, query)]
        api = {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1"}
        self._send(200, api | {"metadata": {}, "items": items})

    def _check(self, verb: str, what: str, namespace: str, group: str = "") -> None:
        rules = self.server.rules
        group = "batch" if what == "jobs" else group
        if rules is not None and not any(
            verb in rule["verbs"] and what in rule["resources"] and group in rule["apiGroups"] for rule in rules
        ):
            raise ApiError(
                403,
                "Forbidden",
                f'{resource(what)} is forbidden: User "{ACCOUNT}" cannot {verb} resource "{what}" in API group "{group}" in the namespace "{namespace}"',
            )

    def _watch(self, kind: str, namespace: str, query: Mapping[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in self._events(kind, namespace, query):
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _events(self, kind: str, namespace: str, query: Mapping[str, str]) -> Iterator[Facts]:
        store, version, cuts = self.server.store, int(query["resourceVersion"]), self.server.cuts
        until = clock.monotonic() + float(query.get("timeoutSeconds", 60))
        with store.changed:
            self.server.watches += 1
            store.changed.notify_all()
        try:
            while not self.server.closing.is_set() and clock.monotonic() < until:
                for number, type, facts in store.after(kind, version):
                    version = number
                    if facts["metadata"]["namespace"] == namespace and _selects(facts, query):
                        yield {"type": type, "object": facts}
                is_quiet = self._wait(version, cuts)
                if self.server.cuts > cuts:
                    self.close_connection = True
                    with suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)  # in the middle of the answer
                    raise ConnectionResetError
                if is_quiet:
                    version = max(version, store.version)
                    api, word = KINDS[kind]
                    yield {
                        "type": "BOOKMARK",
                        "object": {"apiVersion": api, "kind": word, "metadata": {"resourceVersion": str(version)}},
                    }
        except ApiError as error:
            yield {"type": "ERROR", "object": error.status}

    def _wait(self, version: int, cuts: int) -> bool:
        """Whether nothing has happened for a while."""
        server, store = self.server, self.server.store
        with store.changed:
            return not store.changed.wait_for(lambda: store.version > version or server.cuts > cuts, BOOKMARK_AFTER)

    def _send(self, code: int, answer: Facts) -> None:
        self._send_bytes(code, json.dumps(answer).encode(), "application/json")

    def _send_bytes(self, code: int, content: bytes, type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(content)))
        if code == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)


def _selects(facts: Facts, query: Mapping[str, str]) -> bool:
    labels = facts["metadata"].get("labels") or {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        name, _, value = term.partition("=")
        if labels.get(name) != value:
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        path, _, value = term.partition("=")
        found: Any = facts
        for key in path.split("."):
            found = (found or {}).get(key)
        if found != value:
            return False
    return True


def _merge(facts: Facts, change: Facts) -> None:
    """A merge patch."""
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(facts.get(name), dict):
            _merge(facts[name], value)
        elif value is None:
            facts.pop(name, None)
        else:
            facts[name] = value
