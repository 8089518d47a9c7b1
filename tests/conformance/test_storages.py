"""What every storage of flow code has to do, against real things on loopback. A new storage joins by a line in PLACES.

Google Cloud Storage and Azure have a stand-in of our own, since there is no emulator of them here: the services themselves are not asked.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from appliance.core.errors import FlowBuildError
from appliance.packaging import loading
from appliance.packaging.discover import flows_in
from appliance.packaging.http import Http
from appliance.packaging.object_stores import ObjectStore
from appliance.packaging.sftp import Sftp
from appliance.packaging.storage import CodeMissing, LoadError, Unreachable
from appliance.protocol import storage as storages
from tests.conformance.bucket_places import S3
from tests.conformance.place import CANARY, HELPER, Place
from tests.conformance.storage_places import PLACES, HttpPlace, opened

RUN = """
import json, sys
from appliance.packaging.loading import load_flow
flow = load_flow(json.loads(sys.argv[1]))
state = flow.run()
item = state.result[flow.tasks[0]].result
print(json.dumps([flow.name, type(item).__module__, item.name, item.price, sorted(name for name in sys.modules if name.startswith("shop"))]))
"""


@pytest.fixture(scope="session")  # a worker may run tests of other files in between
def moto() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=list(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if PLACES[request.param] is S3:
        in_moto(request.getfixturevalue("moto"), monkeypatch)
    with opened(request.param, tmp_path, monkeypatch) as place:
        yield place


def in_moto(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    # nothing is left of an earlier test, which may have damaged what has the same name
    for method, path in (("POST", "moto-api/reset"), ("PUT", S3.bucket)):
        urllib.request.urlopen(urllib.request.Request(f"{url}/{path}", method=method)).close()


def test_what_is_registered_is_what_runs(place: Place, tmp_path: Path) -> None:
    document = place.document()
    storages.decode(document)  # as the server does
    there = place.obtained(document, tmp_path / "code")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "APPLIANCE_PROGRESS": "off"}
    command = [sys.executable, "-c", RUN, json.dumps(there)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = ["shop", "shop.flows", "shop.helper"]
    assert json.loads(done.stdout.splitlines()[-1]) == ["two", "shop.helper", "milk", 14, modules]


def test_the_same_content_is_one_version_and_is_uploaded_once(place: Place) -> None:
    first, again = place.registered(), place.registered()
    assert (first.content_hash, first.storage) == (again.content_hash, again.storage)
    assert place.uploads in (0, 1)
    assert place.registered("one").content_hash != first.content_hash


def test_a_changed_helper_is_another_version(place: Place, tmp_path: Path) -> None:
    before = place.registered()
    (place.package / "helper.py").write_text(HELPER.replace("len(name)", "2 * len(name)"))
    after = place.registered()
    assert after.content_hash != before.content_hash
    assert place.obtained(place.document(), tmp_path / "after")


def test_changed_content_is_refused_with_a_sentence(place: Place, tmp_path: Path) -> None:
    document = place.document()
    assert place.obtained(document, tmp_path / "before")
    place.change(document)
    with pytest.raises(LoadError) as caught:
        place.obtained(document, tmp_path / "code")
    assert isinstance(caught.value, CodeMissing) or not place.fetched
    assert any(
        words in str(caught.value)
        for words in ("differs from", "has changed since", "was registered with", "can't be used")
    )
    assert str(caught.value).endswith(".")


def test_gone_content_makes_a_run_wait(place: Place, tmp_path: Path) -> None:
    document = place.document()
    place.remove(document)
    with pytest.raises(LoadError) as caught:
        place.obtained(document, tmp_path / "code")
    assert isinstance(caught.value, CodeMissing) or not place.fetched
    assert str(caught.value).endswith(".")


def test_a_missing_flow_names_those_that_are_there(place: Place, tmp_path: Path) -> None:
    there = place.obtained({**place.document(), "flow": "three"}, tmp_path / "code")
    with pytest.raises(LoadError, match=r"no flow named 'three' .*'one', 'two'"):
        loading.load_flow(there)


def test_secrets_are_in_no_document_line_or_sentence(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    registration = place.registered()
    assert registration.document.get("secrets", []) == list(place.secrets)
    if not place.secrets:  # it needs none, or takes it from the environment of its service
        return
    (name,) = place.secrets
    place.obtained(dict(registration.storage), tmp_path / "code")
    told = [repr(registration), caplog.text]
    place.secrets[name] = f"not-{CANARY}"
    with pytest.raises(LoadError) as caught:
        place.obtained(dict(registration.storage), tmp_path / "again")
    told.append(str(caught.value))
    assert not isinstance(caught.value, Unreachable)
    for value in (CANARY, os.environ[f"APPLIANCE_SECRET_{name}"]):
        assert not [text for text in told if value in text]


@pytest.mark.parametrize(
    "changed",
    [
        {"path": "../flows.py"},
        {"path": "/etc/flows.py"},
        {"path": "shop/flows.txt"},
        {"files": {"shop/../../x.py": "0" * 64}},
        {"files": {"shop/./x.py": "0" * 64}},
        {"files": {"shop/x.py": "not a hash"}},
        {"sha256": "0"},
        {"module": "shop.flows; import os"},
        {"flow": 3},
        {"extra": "field"},
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_hostile_documents_are_refused_by_the_server_and_by_the_agent(
    changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("git", tmp_path, monkeypatch) as place:
        fields = {"path", "flow", "sha256", "files"}
        tree = {name: value for name, value in place.document().items() if name in fields}
    for document in (
        {"type": "git", "url": "https://host/shop.git", "commit": "0" * 40, **tree},
        {"type": "object_store", "url": "s3://bucket/prefix", **tree},
        {"type": "sftp", "url": "sftp://ada@host/folder", **tree},
        {"type": "http", "url": "https://host/folder", **tree},
        {"type": "docker", "image": "shop:1", "id": f"sha256:{'0' * 64}", "folder": "/opt", **tree},
    ):
        storages.decode(document)
        with pytest.raises(ValueError, match=r"\.$"):
            storages.decode(document | changed)
        with pytest.raises(LoadError):
            loading.fetch(document | changed, tmp_path, NoAccess())  # type: ignore[arg-type]


BAD_ADDRESSES = [
    "--upload-pack=touch /tmp/x",
    "-oProxyCommand=touch",
    "ext::sh -c touch% /tmp/x",
    "https://ada:password@host/x",
    "https://token@host/x",
    "https://host/x?token=1",
    "https://host/x#y",
    "https://-host/x",
    "https://host/../x",
    "https://host/%2e%2e/x",
    "https://ho st/x",
    "https://host:port/x",
    "https://host/x\n",
    "ssh://-oProxyCommand=touch@host/x",
    "ssh://-oProxyCommand=touch/x",
    "ssh://host/$(touch x)",
    "sftp://ada:password@host/x",
    "file://host/x",
    "file:///x/../y",
    "file:///",
    "ftp://host/x",
    "s3://bucket/../x",
    "s3:///x",
    "s3://key:secret@bucket/x",
    "git@host:x",
    "/etc",
    "http://[::1/x",
    "https://host/" + "x" * 2_000,
    "https://höst/x",
    "",
]


@pytest.mark.parametrize("address", BAD_ADDRESSES, ids=lambda address: ascii(address[:40]))
@pytest.mark.parametrize("kind", ["git", "object_store", "sftp", "http"])
def test_hostile_addresses_are_refused_everywhere(address: str, kind: str, tmp_path: Path) -> None:
    tree = {"path": "a.py", "flow": "f", "sha256": "0" * 64} | ({"commit": "0" * 40} if kind == "git" else {})
    document = {"type": kind, "url": address, **tree}
    with pytest.raises(ValueError, match=r"\.$") as caught:
        storages.decode(document)
    assert "password" not in str(caught.value)
    with pytest.raises(LoadError):
        loading.fetch(document, tmp_path, NoAccess())  # type: ignore[arg-type]
    author = {"object_store": ObjectStore, "sftp": Sftp, "http": Http}.get(kind)
    if author is not None:
        with pytest.raises(ValueError, match=r"\.$"):
            author(address)


class NoAccess:
    """Hostile documents are refused before a secret is asked for."""

    def secret(self, name: str) -> str:
        raise AssertionError(name)


def test_http_follows_redirects_on_the_same_host_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened("http", tmp_path, monkeypatch) as place:
        assert isinstance(place, HttpPlace)
        document = place.document()
        place.redirect = f"http://localhost:{place.server.server_port}/flows/{place.name(document)}"
        with pytest.raises(CodeMissing, match="redirects to another host"):
            place.obtained(document, tmp_path / "code")
        place.redirect = f"{place.url}/{place.name(document)}"
        with pytest.raises(CodeMissing, match="redirects too often"):
            place.obtained(document, tmp_path / "more")


def test_http_without_upload_needs_the_archive_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened("http", tmp_path, monkeypatch) as place:
        assert isinstance(place, HttpPlace)
        quiet = Http(place.url, upload=False, headers="FILES_HEADERS")
        with pytest.raises(FlowBuildError, match=r"There is no \w+\.zip at"):
            place.registered(storage=quiet)
        assert place.registered().storage == place.registered(storage=quiet).storage


def test_credentials_are_never_sent_in_the_clear() -> None:
    tree = {"path": "a.py", "flow": "f", "sha256": "0" * 64}
    http = {"type": "http", "url": "http://host/flows", "headers": "H", **tree}
    git = {"type": "git", "url": "http://host/x.git", "token": "T", "commit": "0" * 40, **tree}
    for document in (http, git):
        with pytest.raises(ValueError, match="over https, ssh or sftp alone"):
            storages.decode(document)
        storages.decode({**document, "url": "http://127.0.0.1:8080/x"})


def test_an_unknown_kind_of_storage_is_refused() -> None:
    with pytest.raises(LoadError, match="does not know the storage 'tape'"):
        loading.load_flow({"type": "tape"})
    with pytest.raises(LoadError, match="does not know the storage 'tape'"):
        loading.fetch({"type": "tape"}, Path(), NoAccess())  # type: ignore[arg-type]


def test_this_machine_says_which_storages_it_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    every = loading.usable()
    assert {"local", "module", "git", "object_store", "sftp", "http"} <= set(every)
    assert "docker" not in every, "a process here is in no container of an image"
    monkeypatch.setenv("PATH", "")
    assert set(every) - set(loading.usable()) == {"git"}


def test_a_flow_is_found_with_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened("local", tmp_path, monkeypatch) as place:
        (_, storage), *_ = flows_in(place.package / "flows.py")
        assert storage.describe()["files"].keys() == {"shop/__init__.py", "shop/helper.py", "shop/more.json"}
