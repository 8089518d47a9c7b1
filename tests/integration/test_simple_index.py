"""The package index: what pip asks, as PEP 503, 658, and 691 have it, and who may ask."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from appliance.config import Settings
from appliance.server.app import create_app
from appliance.server.web import simple_index
from appliance.server.web.wheels import Wheels
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

JSON = "application/vnd.pypi.simple.v1+json"
NEW_PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
WHEEL, CONTENT = "My_Pkg-1.0+site-py3-none-any.whl", b"PK" * 300_000
METADATA = b"Metadata-Version: 2.1\nName: My_Pkg\nRequires-Python: >=3.11,<4\n\nText.\n"
DIGEST, METADATA_DIGEST = (hashlib.sha256(content).hexdigest() for content in (CONTENT, METADATA))
QUOTED = "My_Pkg-1.0%2Bsite-py3-none-any.whl"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("all") / "wheels"


@pytest.fixture
def folder(wheels: Path) -> Path:
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir()
    (wheels / WHEEL).write_bytes(CONTENT)
    (wheels / f"{WHEEL}.metadata").write_bytes(METADATA)
    (wheels / "my_pkg-0.9-py3-none-any.whl").write_bytes(b"older")
    (wheels / "zope.interface-7.0-py3-none-any.whl").write_bytes(b"dotted")
    return wheels


@pytest.fixture(scope="module")
def public_index(lasting: Site, wheels: Path) -> Iterator[TestClient[Litestar]]:
    settings = Settings(wheels=str(wheels))
    with TestClient(create_app(settings, lasting.database), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def closed_index(lasting: Site, wheels: Path) -> Iterator[TestClient[Litestar]]:
    settings = Settings(wheels=str(wheels), wheels_public=False)
    with TestClient(create_app(settings, lasting.database), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(site: Site, folder: Path, public_index: TestClient[Litestar]) -> TestClient[Litestar]:
    return public_index


@pytest.fixture
def closed(site: Site, folder: Path, closed_index: TestClient[Litestar]) -> TestClient[Litestar]:
    return closed_index


def page(client: TestClient[Litestar], path: str, accept: str = NEW_PIP) -> Any:
    answer = client.get(path, headers={"Accept": accept}, follow_redirects=False)
    assert answer.status_code == 200, answer.text
    return answer


def test_the_list_of_projects(client: TestClient[Litestar]) -> None:
    answer = page(client, "/simple/")
    assert answer.headers["content-type"] == JSON and answer.headers["vary"] == "Accept"
    projects = [{"name": "my-pkg"}, {"name": "zope-interface"}]
    assert answer.json() == {"meta": {"api-version": "1.1"}, "projects": projects}
    html = page(client, "/simple/", "text/html")
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert '<a href="my-pkg/">my-pkg</a>' in html.text


def test_a_project_in_json(client: TestClient[Litestar]) -> None:
    older = {"filename": "my_pkg-0.9-py3-none-any.whl", "url": "my_pkg-0.9-py3-none-any.whl", "size": 5}
    beside = {"sha256": METADATA_DIGEST}
    assert page(client, "/simple/my-pkg/").json() == {
        "meta": {"api-version": "1.1"},
        "name": "my-pkg",
        "versions": ["0.9", "1.0+site"],
        "files": [
            older | {"hashes": {"sha256": hashlib.sha256(b"older").hexdigest()}},
            {
                "filename": WHEEL,
                "url": QUOTED,
                "size": len(CONTENT),
                "hashes": {"sha256": DIGEST},
                "requires-python": ">=3.11,<4",
                "core-metadata": beside,
            },
        ],
    }


def test_a_project_in_html(client: TestClient[Litestar]) -> None:
    text = page(client, "/simple/my-pkg/", "text/html").text
    assert '<meta name="pypi:repository-version" content="1.1">' in text
    [link] = re.findall(rf'<a href="{re.escape(QUOTED)}#sha256={DIGEST}"([^>]*)>', text)
    assert 'data-requires-python="&gt;=3.11,&lt;4"' in link and f'data-core-metadata="sha256={METADATA_DIGEST}"' in link
    assert f'<a href="my_pkg-0.9-py3-none-any.whl#sha256={hashlib.sha256(b"older").hexdigest()}">' in text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (NEW_PIP, JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("text/html", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
        (f"text/html;q=0.5, {JSON};q=0.4", "text/html; charset=utf-8"),
        ("image/png", "text/html; charset=utf-8"),
        (f"{JSON}, " + "a/b, " * 1000, "text/html; charset=utf-8"),
        (";;q=x,,/", "text/html; charset=utf-8"),
    ],
)
def test_the_client_chooses_the_kind(client: TestClient[Litestar], accept: str, kind: str) -> None:
    assert page(client, "/simple/my-pkg/", accept).headers["content-type"] == kind


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/simple", "/simple/"),
        ("/simple/my-pkg", "/simple/my-pkg/"),
        ("/simple/My.Pkg/", "/simple/my-pkg/"),
        ("/simple/My__Pkg", "/simple/my-pkg/"),
    ],
)
def test_other_spellings_lead_to_the_normalized_one(client: TestClient[Litestar], path: str, target: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 307 and not answer.headers["location"].startswith(("/", "http"))
    assert client.get(path).url.path == target


@pytest.mark.parametrize("file", [QUOTED, WHEEL])
def test_a_wheel_is_sent_as_it_is(client: TestClient[Litestar], file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple_index, "_CHUNK", 100_000)
    answer = client.get(f"/simple/my-pkg/{file}")
    assert answer.content == CONTENT and answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "content-encoding" not in answer.headers and answer.headers["x-content-type-options"] == "nosniff"
    metadata = client.get(f"/simple/my-pkg/{file}.metadata")
    assert metadata.content == METADATA and metadata.headers["content-length"] == str(len(METADATA))


def test_head_and_known_tags_send_nothing(client: TestClient[Litestar], folder: Path) -> None:
    for path in ("/simple/", "/simple/my-pkg/", f"/simple/my-pkg/{QUOTED}", f"/simple/my-pkg/{QUOTED}.metadata"):
        whole = client.get(path)
        head = client.head(path)
        assert head.status_code == 200 and not head.content
        assert head.headers["etag"] == whole.headers["etag"]
        assert head.headers["content-length"] == str(len(whole.content))
        again = client.get(path, headers={"If-None-Match": f'"other", W/{whole.headers["etag"]}'})
        assert again.status_code == 304 and not again.content and again.headers["etag"] == whole.headers["etag"]
    (folder / WHEEL).write_bytes(b"another")
    changed = client.get(f"/simple/my-pkg/{QUOTED}", headers={"If-None-Match": head.headers["etag"]})
    assert changed.content == b"another"


def test_a_file_that_grows_is_cut_off_where_its_length_said(folder: Path) -> None:
    wheels = Wheels([folder])
    [_older, wheel] = wheels.of("my-pkg")
    opened = wheels.open(wheel)
    assert opened is not None
    with wheel.path.open("ab") as file:
        file.write(b"more")

    async def content() -> bytes:
        return b"".join([chunk async for chunk in simple_index._Index(wheels, True)._content(opened)])

    assert asyncio.run(content()) == CONTENT and opened.file.closed


@pytest.mark.parametrize(
    "path",
    [
        "/simple/unknown/",
        "/simple/https:evil.example",
        "/simple/..%2f..%2fetc/passwd",
        "/simple/my-pkg/..%2fsecret",
        "/simple/my-pkg/%2e%2e/secret",
        f"/simple/zope-interface/{QUOTED}",
        "/simple/my-pkg/notes.txt",
        "/simple/my-pkg/my_pkg-0.9-py3-none-any.whl.metadata",
        "/simple/my-pkg/my_pkg-0.9-py3-none-any.whl/more",
        "/simple/my-pkg/my_pkg-0.9-py3-none-any.whl%00",
    ],
)
def test_nothing_else_is_there(client: TestClient[Litestar], folder: Path, path: str) -> None:
    (folder / "notes.txt").write_text("secret")
    (folder.parent / "secret").write_text("secret")
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 404 and answer.json()["code"] == "not_found", answer.text
    assert "secret" not in answer.text and str(folder) not in answer.text


def test_an_unknown_project_says_what_to_do(client: TestClient[Litestar]) -> None:
    sentence = (
        "The package index has no wheel of other; an administrator can put one into a folder of APPLIANCE_WHEELS."
    )
    assert client.get("/simple/other/").json()["message"] == sentence


def test_wheels_that_were_just_added_are_there(client: TestClient[Litestar], folder: Path) -> None:
    assert client.get("/simple/late/").status_code == 404
    (folder / "late-1.0-py3-none-any.whl").write_bytes(b"late")
    assert client.get("/simple/late/late-1.0-py3-none-any.whl").content == b"late"
    (folder / "late-1.0-py3-none-any.whl").unlink()
    assert client.get("/simple/late/").status_code == 404


def test_the_default_folder_is_in_the_data_directory(tmp_path: Path) -> None:
    assert Settings(data_dir=str(tmp_path)).wheel_folders == (tmp_path / "wheels",)
    assert Settings(wheels="/a::/b").wheel_folders == (Path("/a"), Path("/b"))


def test_only_get_and_head_are_answered(client: TestClient[Litestar], site: Site) -> None:
    for path in ("/simple/", "/simple/my-pkg/", f"/simple/my-pkg/{QUOTED}"):
        answer = client.put(path, json={}, headers=site.headers("admin"))
        assert answer.status_code == 405 and answer.headers["allow"] == "GET, HEAD"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize("path", ["/simple/", "/simple/my-pkg/", f"/simple/my-pkg/{QUOTED}", "/simple/unknown/"])
def test_it_can_be_kept_from_the_public(closed: TestClient[Litestar], site: Site, path: str) -> None:
    assert closed.get(path).status_code == 401
    expected = 404 if "unknown" in path else 200
    for principal in ("viewer", "operator", "admin", "agent"):
        for headers in (site.headers(principal), basic("__token__", site.tokens[principal])):
            answer = closed.get(path, headers=headers)
            assert answer.status_code == expected
            assert expected == 404 or answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    "header",
    [
        basic("__token__", "apl_user_unknown")["Authorization"],
        basic("admin", "correct-horse-battery")["Authorization"],
        basic("__token__", "")["Authorization"],
        "Basic !!!",
        "Basic /w==",
        "Basic",
    ],
)
def test_other_passwords_are_refused(closed: TestClient[Litestar], header: str) -> None:
    answer = closed.get("/simple/", headers={"Authorization": header})
    assert answer.status_code == 401 and answer.json()["code"] == "unauthenticated"


def test_nothing_else_takes_a_token_as_a_password(closed: TestClient[Litestar], site: Site) -> None:
    """Browsers send passwords to other addresses too."""
    headers = basic("__token__", site.tokens["admin"])
    assert closed.get("/api/v1/flow-runs", headers=headers).status_code == 401
    assert closed.post("/graphql", json={"query": "{ me { username } }"}, headers=headers).status_code == 401


def test_it_works_before_anybody_has_set_up_the_appliance(empty_site: Site, folder: Path) -> None:
    with TestClient(create_app(Settings(wheels=str(folder)), empty_site.database)) as client:
        assert client.get("/simple/my-pkg/").status_code == 200
    with TestClient(create_app(Settings(wheels=str(folder), wheels_public=False), empty_site.database)) as client:
        assert client.get("/simple/my-pkg/").status_code == 503
