"""The edge as browsers, agents and monitoring meet it: headers, errors, files, health, the live stream, the long-poll."""

from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.api.answers import SECURITY_HEADERS, add_headers
from appliance.server.app import BODY_LIMIT, create_app
from appliance.server.auth import passwords
from appliance.server.auth.sessions import COOKIE
from appliance.server.db.session import Database
from appliance.server.graphql.handler import Later
from appliance.server.web import docs, health, ui
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site, add_user, listening

__all__ = ["database", "site"]

ERROR_FIELDS = {"code", "message", "request_id", "details"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/healthz", 200),
        ("GET", "/api/v1/me", 401),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/graphql", 405),
        ("GET", "/api/v1/flow-runs/not-a-uuid", 404),
        ("GET", "/assets/..%2f..%2fapp.py", 404),
        ("DELETE", "/api/v1/users", 405),
        ("OPTIONS", "/api/v1/users", 405),
        ("TRACE", "/api/v1/users", 405),
        ("GET", "/api//v1/users", 401),
        ("GET", "/API/v1/users", 404),
    ],
)
def test_every_answer_bears_the_headers(site: Site, method: str, path: str, status: int) -> None:
    answer = site.client.request(method, path)
    assert answer.status_code == status
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["x-request-id"]
    if status >= 400:
        assert set(answer.json()) == ERROR_FIELDS
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_usable_request_id_is_kept_and_another_replaced(site: Site) -> None:
    given = "my-trace-0123456789"
    assert site.client.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"] == given
    for bad in ("short", "a b c d e f g h", "<script>alert(1)", "x" * 65):
        assert site.client.get("/healthz", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_large_bodies_and_other_types_are_refused(site: Site) -> None:
    headers = site.headers("operator") | {"Content-Type": "application/json"}
    large = site.client.post("/api/v1/flow-runs", content=b" " * (BODY_LIMIT + 1), headers=headers)
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        sent = site.headers("operator") | {"Content-Type": kind}
        assert site.client.post("/graphql", content=b'{"query":"{me{role}}"}', headers=sent).status_code == 415


def test_a_fault_of_ours_shows_only_the_request_id(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: Any) -> None:
        raise ZeroDivisionError("select secret from /root")

    monkeypatch.setattr("appliance.server.db.reads.flows.page", fail)
    answer = site.get("/api/v1/flows")
    assert answer.status_code == 500 and answer.json()["code"] == "internal"
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert answer.json()["request_id"] in caplog.text and "ZeroDivisionError" in caplog.text


def _built(root: Path) -> Path:
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text('<!doctype html><head><!--boot--><link href="./assets/app-1a2b.js"></head>')
    (root / "assets" / "app-1a2b.js").write_text("console.log(1)")
    (root / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(b"console.log(1)"))
    (root / "icon.svg").write_text("<svg/>")
    return root


def _ui(database: Database, root: Path, site_name: str = "</script><b>") -> TestClient[Litestar]:
    from appliance.server.app import create_app

    app = create_app(Settings(site_name=site_name), database)
    alone = Litestar(
        [ui.router(root), docs.router(_built(root / "site"))],
        dependencies=app.dependencies,
        before_send=app.before_send,
        openapi_config=None,
    )
    return TestClient(alone)


def test_the_built_ui_is_served(database: Database, tmp_path: Path) -> None:
    with _ui(database, _built(tmp_path / "ui")) as client:
        script = client.get("/assets/app-1a2b.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert script.headers["content-encoding"] == "gzip" and script.text == "console.log(1)"
        assert script.headers["content-type"].startswith("text/javascript")
        plain = client.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers and plain.text == "console.log(1)"
        assert client.get("/assets/none.js").status_code == 404
        assert client.get("/icon.svg").headers["content-type"].startswith("image/svg+xml")
        for path in ("/", "/runs", "/runs/0190/logs", "/index.html"):
            page = client.get(path)
            assert page.headers["cache-control"] == "no-cache" and "<!doctype html>" in page.text
        assert client.get("/docs").text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("path", "script"),
    [
        ("/", "./assets/app-1a2b.js"),
        ("/runs", "./assets/app-1a2b.js"),
        ("/runs/", "../assets/app-1a2b.js"),
        ("/runs/0190/logs?at=/a/b", "../../assets/app-1a2b.js"),
        ("/runs/a%2Fb", "../assets/app-1a2b.js"),
    ],
)
def test_the_page_finds_its_files_from_every_address_under_any_prefix(
    database: Database, tmp_path: Path, path: str, script: str
) -> None:
    with _ui(database, _built(tmp_path / "ui")) as client:
        assert f'href="{script}"' in client.get(path).text
    for prefix in ("", "/appliance", "/tools/appliance"):
        assert (
            urljoin(f"https://example.org{prefix}{path}", script) == f"https://example.org{prefix}/assets/app-1a2b.js"
        )


def test_graphql_is_loaded_when_somebody_opens_the_ui(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Later] = []
    monkeypatch.setattr(Later, "begin", lambda later: begun.append(later))
    with TestClient(create_app(Settings(), database)) as client:
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/me", "/api/v1/nothing", "/nothing"):
            client.get(path)
        assert not begun, "agents, runs and monitoring don't use it"
        client.get("/runs")
        assert begun


def test_the_page_bears_the_boot_facts(database: Database, tmp_path: Path) -> None:
    def boot(client: TestClient[Litestar], **headers: str) -> Any:
        text = client.get("/", headers=headers).text
        start, end = '<script type="application/json" id="boot">', "</script>"
        assert text.count(end) == 1  # the site's name can't end the element
        return msgspec.json.decode(text.partition(start)[2].partition(end)[0])

    with _ui(database, _built(tmp_path / "ui")) as client:
        facts = boot(client)
        assert facts["setupRequired"] is True and facts["me"] is None and facts["siteName"] == "</script><b>"
        add_user(database, "alice", "viewer", passwords.hash_password("correct horse battery"))
    site = TestClient(whole(database))
    with site:
        login = site.post("/api/v1/login", json={"username": "alice", "password": "correct horse battery"})
        cookie = f"{COOKIE}={site.cookies[COOKIE]}"
    with _ui(database, _built(tmp_path / "ui2")) as client:
        me = boot(client, Cookie=cookie)["me"]
        assert (
            me["username"] == "alice" and me["csrfToken"] == login.json()["csrf_token"] and "read" in me["permissions"]
        )
        assert me["mustChangePassword"] is False
        with database.write() as session:
            session.execute(builders.text('update "user" set must_change_password = true'))
        me = boot(client, Cookie=cookie)["me"]
        assert (me["permissions"], me["mustChangePassword"]) == (["self"], True)
        assert boot(client, Cookie=f"{COOKIE}=gone")["me"] is None


def test_the_docs_bear_a_policy_that_names_their_inline_scripts(database: Database, tmp_path: Path) -> None:
    script, data = "let a = '<b>&amp;';\n", '{"base": "."}'
    site = tmp_path / "ui" / "site"
    with _ui(database, _built(tmp_path / "ui")) as client:
        assert "'self';" in client.get("/docs/").headers["content-security-policy"].partition("script-src ")[2]
    (site / "guide").mkdir(parents=True)
    (site / "other.html").write_text("<script>another</script>")
    page = f'<script src="a.js"></script><script type="application/json">{data}</script><script>{script}</script>'
    (site / "guide" / "index.html").write_text(page)
    with TestClient(Litestar([docs.router(site)], before_send=[add_headers], openapi_config=None)) as client:
        moved = client.get("/docs/guide", follow_redirects=False)  # its relative addresses need the slash
        assert (moved.status_code, moved.headers["location"]) == (307, "guide/")
        assert client.get("/docs/guide").url.path == "/docs/guide/"
        answer = client.get("/docs/guide/")
        assert answer.text == page and answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
    named = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{named}';" in policy and policy.count("sha256-") == 1
    assert "require-trusted-types-for" not in policy and "frame-ancestors 'none'" in policy


def whole(database: Database) -> Litestar:
    from appliance.server.app import create_app

    return create_app(Settings(), database)


def test_readiness_names_what_is_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.client.get("/readyz").json() == {"status": "ready"}
    now = clock.now()
    _tick(site.database, now - timedelta(minutes=5))
    behind = site.client.get("/readyz")
    assert behind.status_code == 503 and "scheduler" in behind.json()["reasons"][0]
    _tick(site.database, now)
    assert site.client.get("/readyz").status_code == 200
    monkeypatch.setattr(health.revisions, "head", lambda: "another")
    assert "tables" in site.client.get("/readyz").json()["reasons"][0]
    assert site.client.get("/healthz").status_code == 200


def _tick(database: Database, at: Any) -> None:
    with database.write() as session:
        session.execute(builders.text("delete from lease where name = 'scheduler'"))
        session.execute(
            builders.text(
                "insert into lease (name, holder, epoch, expires, last_run_at, last_counts) values (:n, 'x', 1, :t, :t, '')"
            ),
            {"n": "scheduler", "t": at.replace(tzinfo=None) if database.dialect == "sqlite" else at},
        )


class Stream:
    """Reads server-sent events in a thread."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.events: list[dict[str, str]] = []
        self.changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(url, headers), daemon=True)
        self._thread.start()

    def _read(self, url: str, headers: dict[str, str]) -> None:
        with httpx2.Client(timeout=20) as client, client.stream("GET", url, headers=headers) as answer:
            assert answer.status_code == 200
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif event:
                    with self.changed:
                        self.events.append(event)
                        self.changed.notify_all()
                    event = {}

    def wait_for(self, kind: str, number: int = 1) -> list[dict[str, str]]:
        def found() -> list[dict[str, str]]:
            return [event for event in self.events if event.get("event") == kind]

        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= number, 10), self.events
        return found()

    def is_open(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> bool:
        self._thread.join(10)
        return not self._thread.is_alive()


def test_the_live_stream_tells_of_changes_resumes_and_ends_with_the_server(site: Site) -> None:
    app = whole(site.database)
    with listening(app) as url:
        stream = Stream(f"{url}/api/v1/events?topic=flow_run", site.headers("viewer"))
        stream.wait_for("heartbeat")
        run = builders.create(site.database, builders.register(site.database).flow_id)
        change = stream.wait_for("change")[0]
        assert msgspec.json.decode(change["data"]) == {
            "topic": "flow_run",
            "id": str(run),
            "kind": "flow_run.state",
            "version": 1,
        }
        missed = builders.create(site.database, builders.register(site.database).flow_id)
        again = Stream(f"{url}/api/v1/events?topic=flow_run", site.headers("viewer") | {"Last-Event-ID": change["id"]})
        told = 2 if site.database.dialect == "postgresql" else 1  # on Postgres the last ones are told again
        replayed = again.wait_for("change", told)[-1]
        assert msgspec.json.decode(replayed["data"])["id"] == str(missed) and int(replayed["id"]) > int(change["id"])
    assert stream.join() and again.join()


def _claim(url: str, site: Site, agent: Any, wait: float) -> Any:
    body = {"free_slots": 1, "wait_s": wait}
    with httpx2.Client(timeout=30) as client:
        answer = client.post(f"{url}/api/v1/agents/{agent}/claim", json=body, headers=site.headers("agent"))
    return clock.monotonic(), answer.json()


def waiting(pool: ThreadPoolExecutor, app: Litestar, url: str, site: Site, agent: Any) -> Future[Any]:
    """A claim that is known to wait: the server looked once and found nothing."""
    from appliance.server.actions import agents

    looked = threading.Event()
    original = agents.claim_due

    def claim(*arguments: Any, **options: Any) -> Any:
        found = original(*arguments, **options)
        looked.set()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents, "claim_due", claim)
        future = pool.submit(_claim, url, site, agent, 20.0)
        assert looked.wait(10)
    return future


def test_a_waiting_claim_wakes_up_when_work_is_created(site: Site) -> None:
    agent = builders.enrol(site.database)
    flow = builders.register(site.database).flow_id
    app = whole(site.database)
    with listening(app) as url, ThreadPoolExecutor(1) as pool:
        future = waiting(pool, app, url, site, agent)
        run = builders.create(site.database, flow)
        created = clock.monotonic()
        answered, claimed = future.result(15)
        assert [work["flow_run_id"] for work in claimed["work"]] == [str(run)]
        assert answered - created < 1.0  # some milliseconds on a quiet machine; far below the poll's 20 s on any


def test_a_waiting_claim_is_answered_at_the_stop(site: Site) -> None:
    agent = builders.enrol(site.database)
    app = whole(site.database)
    with ThreadPoolExecutor(1) as pool:
        with listening(app) as url:
            future = waiting(pool, app, url, site, agent)
            app.state["stop"]()
            _answered, claimed = future.result(10)
        assert (claimed["work"], claimed["stop"]) == ([], [])


def test_a_server_that_knows_its_name_answers_to_no_other(database: Database) -> None:
    app = create_app(Settings(public_url="https://appliance.example.org"), database)
    with TestClient(app) as client:
        for host in ("appliance.example.org", "127.0.0.1:4200", "localhost"):
            assert client.get("/healthz", headers={"Host": host}).status_code == 200
        for path in ("/healthz", "/api/v1/info", "/docs", "/"):
            refused = client.get(
                path, headers={"Host": "evil.example.org", "X-Forwarded-Host": "appliance.example.org"}
            )
            assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
            assert "APPLIANCE_PUBLIC_URL" in refused.json()["message"] and refused.headers["x-request-id"]
