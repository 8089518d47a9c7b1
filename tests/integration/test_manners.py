"""HTTP as monitors, proxies, browsers and scripts expect it: HEAD, probes, unknown addresses, charsets, compression, cut-off requests."""

from __future__ import annotations

import logging
import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from appliance.kit import clock
from appliance.server.api.gate import handlers
from appliance.server.web import ui
from appliance.server.web.files import accepts
from tests.integration import builders
from tests.integration.lasting import database, site, started
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

ID = "5a1c2b7e-0f6d-4c53-9a55-1d2f3b4c5d6e"
ROUTER = Path(__file__).parents[2] / "ui" / "src" / "router.tsx"
NEW_EACH_TIME = {"x-request-id", "date", "content-length"}


@pytest.fixture(scope="module")
def lasting(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The manners are the same on every database. An answer of GraphQL is long enough to be compressed."""
    folder = tmp_path_factory.mktemp("lasting")
    shutil.copy(sqlite_template, folder / "appliance.db")
    with started(f"sqlite:///{folder / 'appliance.db'}", folder, graphql_introspection=True) as site:
        yield site


@pytest.fixture
def url(site: Site, lasting_address: str) -> str:
    """The same appliance on a port."""
    return lasting_address


def readable(site: Site) -> list[str]:
    """Every address that answers GET, with an id that doesn't exist. The stream is left out: in this process it never ends."""
    found = {path for handler in handlers(site.app) if "GET" in handler.http_methods for path in _paths(site, handler)}
    return sorted(found - {"/api/v1/events"})


def _paths(site: Site, handler: Any) -> list[str]:
    routes = [route for route in site.app.routes if handler in getattr(route, "route_handlers", ())]
    return [re.sub(r"\{[^}]*uuid\}", "00000000-0000-0000-0000-000000000007", route.path_format) for route in routes]


def test_head_is_get_without_a_body(site: Site) -> None:
    paths = [*readable(site), "/runs", "/nothing", "/api/v1/nothing", "/api/v1/flow-runs?limit=0"]
    assert len(paths) > 25
    for path in paths:
        get = site.get(path, "admin", follow_redirects=False)
        head = site.client.head(path, headers=site.headers("admin"), follow_redirects=False)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert set(head.headers) == set(get.headers), path
        for name in set(get.headers) - NEW_EACH_TIME:
            assert head.headers[name] == get.headers[name], (path, name)


def test_head_needs_the_permission_of_get_and_is_refused_where_there_is_no_get(site: Site) -> None:
    assert site.client.head("/api/v1/me").status_code == 401
    assert site.client.head("/api/v1/users", headers=site.headers("viewer")).status_code == 403
    refused = site.client.head("/api/v1/login")
    assert (refused.status_code, refused.headers["allow"]) == (405, site.client.get("/api/v1/login").headers["allow"])


@pytest.mark.parametrize(
    "path", ["/livez", "/runs", "/metrics", "/graphql", "/docs/", "/api/v1/flows", "/api/v1/login"]
)
def test_a_wrong_method_is_told_the_right_ones(site: Site, path: str) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    answers = {method: site.client.request(method, path, headers=site.headers("admin")) for method in methods}
    right = {method for method, answer in answers.items() if answer.status_code != 405}
    for answer in answers.values():
        if answer.status_code == 405:
            assert set(answer.headers["allow"].split(", ")) == right


def test_head_of_a_stream_ends_at_once(site: Site, url: str) -> None:
    run = builders.begun(site.database)[0]
    for path in ("/api/v1/events", f"/api/v1/flow-runs/{run}/logs/download"):
        head, _, body = _exchange(url, _request("HEAD", path, site.tokens["viewer"])).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), path
        assert body == b""


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
def test_the_process_is_alive(site: Site, path: str) -> None:
    assert site.client.get(path).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/api",
            "/api/",
            "/api/v1",
            "/api/v1/nothing",
            "/api/v2/flows",
            "/api/v1/flows/x/y",
            "/apis",
            "/API/v1/users",
        ),
        *(
            "/health",
            "/healthy",
            "/healthz/x",
            "/health/live",
            "/HEALTHZ",
            "/readyz/",
            "/ready",
            "/livez/x",
            "/live",
            "/ping",
        ),
        *("/graphql/", "/graphql/x", "/graphiql", "/graphqls", "/metrics/", "/metrics/x", "/metric", "/assets/x.js"),
        *("/wp-login.php", "/.env", "/runs.json", "//api//v1//nothing", "/api;/v1/flows", "/apı"),
    ],
)
def test_an_unknown_address_is_404_in_the_shape_of_our_errors(site: Site, path: str) -> None:
    if path in ("/readyz/", "/graphql/", "/metrics/"):  # a final slash changes nothing
        assert site.client.get(path).status_code in (200, 405)
        return
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = site.client.request(method, path, headers=site.headers("admin") | {"Accept": "*/*"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json"), method
        assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/api/v1/x", "/healthy", "/graphqlx", "/metricsx", "/ready", "/live"])
def test_where_programs_ask_not_even_a_browser_gets_the_page(site: Site, path: str) -> None:
    answer = site.client.get(path, headers={"Accept": "text/html,application/xhtml+xml"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


def test_a_browser_at_an_unknown_address_gets_the_page_which_says_so(site: Site) -> None:
    answer = site.client.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("former", "address"),
    [
        (f"/flow-run/{ID}", f"../runs/{ID}"),
        (f"/default/flow-run/{ID}/?logs=", f"../../../runs/{ID}"),
        (f"/acme/flow/{ID}", f"../../flows/{ID}"),
        ("/default/agents", "../agents"),
        ("/default/concurrency", "../limits"),
        ("/default/flow-run/calm-otter", None),
        (f"/a/b/flow-run/{ID}", None),
        (f"/api/flow-run/{ID}", None),
    ],
)
def test_a_link_of_the_ancestor_leads_to_the_same_page(site: Site, former: str, address: str | None) -> None:
    answer = site.client.get(former, headers={"Accept": "text/html"}, follow_redirects=False)
    assert answer.status_code == (404 if address is None else 301)
    assert answer.headers.get("location") == address


def test_the_server_knows_every_page_of_the_ui() -> None:
    paths = re.findall(r'^\s*path: "/([^"/$]*)', ROUTER.read_text(), re.M)
    assert set(paths) <= ui.PAGES
    assert ui.PAGES - {"index.html"} <= set(paths)


def test_there_is_one_charset(site: Site) -> None:
    for path in [*readable(site), "/runs", "/nothing", "/docs/nothing"]:
        kind = site.get(path, "admin").headers.get("content-type", "")
        assert kind == "application/json" or kind.count("charset=utf-8") == kind.startswith("text/"), (path, kind)


# --- compression


def packed(site: Site, path: str, accept: str = "gzip", **options: Any) -> Any:
    headers = site.headers("admin") | {"Accept-Encoding": accept}
    return site.client.request(options.pop("method", "GET"), path, headers=headers, **options)


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        *(
            ("gzip", True),
            ("gzip, deflate, br, zstd", True),
            ("GZIP;q=0.5", True),
            ("br;q=1, *;q=0.1", True),
            ("*", True),
        ),
        *(
            ("", False),
            ("identity", False),
            ("gzip;q=0", False),
            ("gzip; q=0.000", False),
            ("br", False),
            ("*;q=0", False),
        ),
        *(("gzip;q=0, *", False), ("xgzip", False), (",,;", False)),
    ],
)
def test_json_is_compressed_as_accept_encoding_says(site: Site, header: str, allowed: bool) -> None:
    assert accepts(header, "gzip") is allowed
    plain = packed(site, "/api/v1/openapi.json", "identity")
    answer = packed(site, "/api/v1/openapi.json", header)
    assert answer.headers.get("content-encoding") == ("gzip" if allowed else None)
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert answer.content == plain.content
    assert (int(answer.headers["content-length"]) < len(plain.content) // 3) is allowed


def test_graphql_and_metrics_are_compressed_and_small_answers_are_not(site: Site) -> None:
    query = {"query": "{ __schema { types { name description fields { name description } } } }"}
    assert packed(site, "/graphql", method="POST", json=query).headers["content-encoding"] == "gzip"
    assert packed(site, "/metrics").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in packed(site, "/healthz").headers


def test_what_holds_a_secret_is_not_compressed(site: Site) -> None:
    long = "n" * 90
    token = packed(site, "/api/v1/tokens", method="POST", json={"name": long, "username": "viewer"})
    assert token.status_code == 201
    query = (
        "query mutation { __schema { types { name description fields { name description } } } }"  # as a word is enough
    )
    mutation = packed(site, "/graphql", method="POST", json={"query": query})
    assert len(mutation.content) > 1024
    for answer in (token, mutation, packed(site, "/api/v1/me"), packed(site, "/runs")):
        assert "content-encoding" not in answer.headers
    for handler in handlers(site.app):
        if handler.opt["permission"].value == "self" and "GET" in handler.http_methods:
            assert "uncompressed" in handler.opt, handler.paths


def test_a_stream_is_not_compressed(site: Site, url: str) -> None:
    request = _request("GET", "/api/v1/events", site.tokens["viewer"], ["Accept-Encoding: gzip"])
    with _connected(url) as connection:
        connection.sendall(request)
        answer = b""
        while b"event: heartbeat" not in answer:
            answer += connection.recv(4096)
    assert b"content-encoding" not in answer.lower()


# --- requests that are cut off


def test_a_request_that_is_cut_off_is_one_line_and_no_fault(
    site: Site, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    body = ["Content-Type: application/json", "Content-Length: 5000"]
    cut = [
        _request("POST", "/api/v1/flows", site.tokens["operator"], body) + b'{"half":',
        _request("POST", "/graphql", site.tokens["operator"], body) + b'{"query":"',
        _request("POST", "/api/v1/agents/00000000-0000-0000-0000-000000000007/claim", site.tokens["agent"], body)
        + b"{",
        _request("POST", "/api/v1/agents/00000000-0000-0000-0000-000000000007/report", site.tokens["agent"], body),
        _request("PATCH", "/api/v1/schedules/00000000-0000-0000-0000-000000000007", site.tokens["operator"], body)
        + b"{",
    ]
    before = _counts(url)
    for number, request in enumerate(cut, before.get("4xx", 0) + 1):
        caplog.clear()
        with _connected(url) as connection:
            connection.sendall(request)
        assert _until(lambda wanted=number: _counts(url).get("4xx") == wanted), request  # type: ignore[misc]
        lines = [record for record in caplog.records if "closed the connection" in record.getMessage()]
        assert [(line.levelname, line.exc_info) for line in lines] == [("INFO", None)]
        assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert _counts(url).get("5xx") == before.get("5xx")


def test_an_answer_that_is_cut_off_is_one_line(site: Site, url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run = builders.begun(site.database)[0]
    for seq in range(1, 9):  # several chunks, more than sockets buffer
        builders.send(site.database, run, seq, *(builders.line("x" * 6_000) for _ in range(500)))
    with _connected(url) as connection:
        connection.sendall(_request("GET", f"/api/v1/flow-runs/{run}/logs/download", site.tokens["viewer"]))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert _until(lambda: any("during the answer" in text for text in caplog.messages))
    assert {record.levelname for record in caplog.records if "Request" in record.getMessage()} == {"INFO"}
    assert "5xx" not in _counts(url)


@pytest.mark.parametrize(
    "token", [b"\xff\xfe", "Bearer schl\u00fcssel".encode(), b"Bearer ", b"Bearer a b", b"Bearer " + b"x" * 9000]
)
def test_an_odd_token_is_refused_and_not_quoted(url: str, token: bytes, caplog: pytest.LogCaptureFixture) -> None:
    head = b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
    answer = _exchange(url, head + token + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401")
    assert token.removeprefix(b"Bearer ") not in answer or len(token) < 9
    assert token.decode("latin-1") not in caplog.text


def _counts(url: str) -> dict[str, int]:
    """Requests answered so far, by hundreds of the status."""
    text = _exchange(url, _request("GET", "/metrics", "")).decode()
    counts: Counter[str] = Counter()
    for status, count in re.findall(r'appliance_http_requests_total\{.*status="(\w+)"\} ([\d.]+)', text):
        counts[status] += round(float(count))
    return counts


def _until(condition: Any) -> bool:
    end, pause = clock.monotonic() + 10, threading.Event()
    while not condition():
        if clock.monotonic() > end:
            return False
        pause.wait(0.01)
    return True


def _request(method: str, path: str, token: str, headers: list[str] | None = None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Authorization: Bearer {token}",
        *(headers or []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _connected(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), 10)


def _exchange(url: str, request: bytes) -> bytes:
    with _connected(url) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
        return b"".join(parts)
