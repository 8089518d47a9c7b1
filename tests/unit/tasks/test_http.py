"""Requests over HTTP: bodies, pages, downloads, busy servers, lost answers, and credentials that stay with their host."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.flow import Flow
from appliance.core.secrets import Secret
from appliance.core.states import TimedOut
from appliance.engine.executors import ThreadExecutor
from appliance.tasks.http import Basic, Bearer, ClientCredentials, HttpDownload, HttpPages, HttpRequest, _place
from appliance.tasks.library.errors import AccessDenied, ConnectionLost, Refused, Unreachable
from tests.conformance.task_servers import REPORT, REPORT_SHA256, Web

TOKEN = "token-of-the-http-test"
AUTH = Bearer(Secret("HTTP_TOKEN"))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("APPLIANCE_SECRET_HTTP_TOKEN", TOKEN)
    web = Web(TOKEN)
    yield web
    web.close()


def test_the_result_is_the_status_or_the_body_in_the_form_that_is_named(web: Web) -> None:
    assert HttpRequest(f"{web.url}/echo", auth=AUTH).run() == 200
    echo = HttpRequest(f"{web.url}/echo?a=1", "POST", json={"x": 1}, auth=AUTH, content="json").run()
    assert (echo["query"], json.loads(echo["body"])) == ({"a": "1"}, {"x": 1})
    text = HttpRequest(params={"b": "2"}, data={"key": Secret("HTTP_TOKEN")}, auth=AUTH, content="text", method="post")
    assert json.loads(text.run(url=f"{web.url}/echo"))["body"] == f"key={TOKEN}"
    assert text.secrets == ("HTTP_TOKEN",)
    assert HttpRequest(f"{web.url}/report.csv", auth=AUTH, content="bytes").run() == REPORT


@pytest.mark.parametrize(
    ("status", "method", "kind"),
    [
        *[(404, "GET", Refused), (403, "GET", AccessDenied), (502, "GET", Unreachable), (502, "POST", Refused)],
        *[(429, "POST", Unreachable), (500, "GET", Refused)],
    ],
)
def test_an_answer_that_is_no_success_is_a_sentence(web: Web, status: int, method: str, kind: type[Exception]) -> None:
    web.answers = [(status, {}, b"see the manual\nplease")]
    with pytest.raises(kind, match=rf"/echo answered with {status} [\w ]+: see the manual please\.$"):
        HttpRequest(f"{web.url}/echo?key=hidden", method, auth=AUTH).run()


def test_a_busy_server_is_asked_again_when_it_says(web: Web) -> None:
    web.answers = [(429, {"retry-after": "0"}, b""), (503, {"retry-after": "0.01"}, b"")]
    assert HttpRequest(f"{web.url}/echo", "POST", auth=AUTH).run() == 200
    web.answers = [(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"")]
    assert HttpDownload(f"{web.url}/report.csv", Path("/dev/null").with_name("shm") / "x", auth=AUTH).run()["bytes"]
    web.answers = [(503, {"retry-after": "86400"}, b"")]
    with pytest.raises(Unreachable, match="503"):
        HttpRequest(f"{web.url}/echo", auth=AUTH).run()


def test_a_lost_answer_is_repeated_only_if_that_is_harmless(web: Web) -> None:
    with pytest.raises(Unreachable, match="broke"):
        HttpRequest(f"{web.url}/drip", auth=AUTH).run()
    with pytest.raises(ConnectionLost, match="broke"):
        HttpRequest(f"{web.url}/drip", "POST", auth=AUTH).run()


@pytest.mark.parametrize(
    "way", [{"page": "page"}, {"next_page": "next.url"}, {"next_page": "next.cursor", "cursor": "cursor"}, {}]
)
def test_all_pages_of_a_list(web: Web, way: dict[str, str], tmp_path: Path) -> None:
    pages = HttpPages(f"{web.url}/orders", items="data", auth=AUTH, per_second=1000, **way)  # type: ignore[arg-type]
    assert pages.run() == [{"id": number} for number in range(1, 7)]
    written = pages.run(path=tmp_path / "orders.jsonl")
    assert isinstance(written, dict) and written["items"] == 6 and written["path"] == str(tmp_path / "orders.jsonl")
    assert [json.loads(line)["id"] for line in (tmp_path / "orders.jsonl").read_text().splitlines()] == [*range(1, 7)]
    with pytest.raises(Refused, match="more than 2 pages; set most_pages"):
        HttpPages(f"{web.url}/orders", items="data", auth=AUTH, most_pages=2, **way).run()  # type: ignore[arg-type]


def test_pages_without_a_list_and_pages_elsewhere_are_refused(web: Web) -> None:
    with pytest.raises(Refused, match="has no list of items; set `items`"):
        HttpPages(f"{web.url}/echo", auth=AUTH).run()
    with pytest.raises(Refused, match="is not JSON: text/csv"):
        HttpPages(f"{web.url}/report.csv", auth=AUTH).run()
    web.answers = [(200, {"link": '<http://other.example/x>; rel="next"'}, b"[1]")]
    with pytest.raises(Refused, match="is on another host, "):
        HttpPages(f"{web.url}/orders", auth=AUTH).run()


def test_a_download_has_its_hash_or_is_not_there(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    download = HttpDownload(f"{web.url}/report.csv", path, auth=AUTH)
    with pytest.raises(Refused, match="has the SHA-256 "):
        download.run(sha256="0" * 64)
    with pytest.raises(Unreachable):
        download.run(url=f"{web.url}/drip")
    assert list(tmp_path.iterdir()) == []
    assert download.run(sha256=REPORT_SHA256.upper()) == {
        "path": str(path),
        "bytes": len(REPORT),
        "sha256": REPORT_SHA256,
    }
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [REPORT]


def test_credentials_do_not_follow_a_redirect_to_another_host(web: Web) -> None:
    other = Web("another")
    try:
        key = {"X-Key": Secret("HTTP_TOKEN"), "X-Plain": "1"}
        ask = HttpRequest(f"{web.url}/elsewhere", params={"to": f"{other.url}/open"}, headers=key, auth=AUTH)
        with pytest.raises(Refused, match="404"):
            ask.run()
        [sent] = other.seen
        assert (
            "authorization" not in sent["headers"]
            and "x-key" not in sent["headers"]
            and sent["headers"]["x-plain"] == "1"
        )
        assert ask.run(params={"to": f"{web.url}/echo"}) == 200
    finally:
        other.close()


def test_client_credentials_get_a_token_that_is_masked(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = ClientCredentials(f"{web.url}/open/token", "warehouse", Secret("HTTP_TOKEN"), scope="read")
    assert HttpRequest(f"{web.url}/echo", auth=auth).run() == 200
    assert web.seen[-1]["headers"]["authorization"] == "Bearer short-lived-token"
    monkeypatch.setenv("APPLIANCE_SECRET_HTTP_TOKEN", "another-token-0815")
    with pytest.raises(AccessDenied, match="invalid_client"):
        HttpRequest(f"{web.url}/echo", auth=auth).run()
    with pytest.raises(TypeError, match="client_secret must be a secret"):
        ClientCredentials("x", "y", "z")  # type: ignore[arg-type]
    assert HttpRequest(f"{web.url}/echo", auth=Basic("warehouse", Secret("HTTP_TOKEN"))).secrets == ("HTTP_TOKEN",)


def test_a_wait_for_a_busy_server_ends_with_the_run(web: Web) -> None:
    web.answers = [(503, {"retry-after": "100"}, b"")]
    with Flow("f") as flow:
        task = HttpRequest(f"{web.url}/echo", auth=AUTH, timeout=0.5)()
    assert isinstance(flow.run(executor=ThreadExecutor(1), progress=False).result[task], TimedOut)
    for thread in threading.enumerate():
        if thread.name == "appliance-timeout":
            thread.join(5)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://h/a/b?key=1#x", "https://h/a/b"),
        ("https://me:pw@h:8/a", "https://h:8/a"),
        ("http://h:9091/job@base64/YQ==", "http://h:9091/***"),
        ("http://me:p/w@h/a", "http://me/***"),
    ],
)
def test_an_error_names_the_host_without_user_and_password(url: str, place: str) -> None:
    assert _place(url) == place
