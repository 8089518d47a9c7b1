"""Where code goes when a flow is registered, and what is said when the server doesn't take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.client import bundles
from appliance.client.errors import NotFound, Refused
from appliance.client.transport import Transport
from appliance.core.errors import FlowBuildError
from appliance.core.flow import Flow
from appliance.packaging import register
from appliance.packaging.bundle import Bundle, BundleStorage
from appliance.packaging.local import LocalStorage
from appliance.packaging.site_store import Local, SiteStore
from appliance.protocol.bundles import BundleOffer, PutBundle


class Server:
    """Answers what it was told to, and keeps what it gets."""

    def __init__(self) -> None:
        self.offer: BundleOffer | Exception = BundleOffer(enabled=True, most_bytes=10**6)
        self.kept: list[PutBundle] = []
        self.asked = 0

    def ask(self, _transport: Transport, _project: str, _digest: str = "") -> BundleOffer:
        self.asked += 1
        if isinstance(self.offer, Exception):
            raise self.offer
        return self.offer

    def put(self, _transport: Transport, request: PutBundle) -> None:
        self.kept.append(request)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(bundles, "ask", made.ask)
    monkeypatch.setattr(bundles, "put", made.put)
    return made


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def store(server: Server, lines: list[str]) -> SiteStore:
    return SiteStore(Transport("http://appliance.test"), "p", lines.append)


def local(folder: Path, table: str = "") -> LocalStorage:
    if table:
        (folder / "pyproject.toml").write_text(table)
    (folder / "one.py").write_text("x = 1\n")
    return LocalStorage.of(folder / "one.py", "one")


PROJECT = "[project]\nname = 'p'\n"


def place(store: SiteStore, found: LocalStorage, **options: Any) -> Any:
    return register.place_of(Flow("one", **options), None, found, store)


def test_a_project_s_flows_are_bundles_unless_something_else_is_said(tmp_path: Path, store: SiteStore) -> None:
    assert isinstance(place(store, local(tmp_path)), LocalStorage), "there is no project"
    found = local(tmp_path, PROJECT)
    assert isinstance(place(store, found), BundleStorage)
    assert isinstance(place(store, found, storage=Local()), LocalStorage)
    assert isinstance(register.place_of(Flow("one"), None, found, None), LocalStorage), "no server is known"
    found = local(tmp_path, f"{PROJECT}[tool.appliance]\nstorage = 'local'\n")
    assert isinstance(place(store, found), LocalStorage)
    assert isinstance(place(store, found, storage=Bundle()), BundleStorage)


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (BundleOffer(enabled=False), "keeps no code (APPLIANCE_BUNDLES=false)"),
        (NotFound("not_found", 404, "There is none."), "is of an earlier release"),
        (Refused("method_not_allowed", 405, "No."), "is of an earlier release"),
    ],
)
def test_a_server_that_takes_no_code_is_told_once(
    tmp_path: Path, server: Server, store: SiteStore, lines: list[str], offer: Any, why: str
) -> None:
    server.offer = offer
    found = local(tmp_path, PROJECT)
    for _ in range(2):
        assert place(store, found) is found
    assert lines == [f"The server {why}, so agents read the flow's files where they are now."]
    bundle = place(store, found, storage=Bundle())
    for send in (store.send, store.waiting):
        with pytest.raises(FlowBuildError, match=r"keeps no code, which flow 'one' needs: .*APPLIANCE_BUNDLES=true"):
            send(bundle)


def test_a_bundle_is_sent_once_and_only_if_the_server_lacks_it(
    tmp_path: Path, server: Server, store: SiteStore, lines: list[str]
) -> None:
    bundle = place(store, local(tmp_path, PROJECT))
    assert store.waiting(bundle) == len(bundle.packed())
    for _ in range(2):
        store.send(bundle)
    assert [request.digest for request in server.kept] == [bundle.digest]
    (tmp_path / "requirements.lock").write_bytes(bytes(range(256)) * 5_000)
    other = place(store, local(tmp_path, PROJECT))
    server.offer = BundleOffer(enabled=True, stored=True, most_bytes=1)
    asked = server.asked
    assert store.waiting(other) == 0
    store.send(other)
    assert (server.asked - asked, len(server.kept), lines) == (1, 1, [])


def test_a_bundle_that_is_too_large_is_not_sent(tmp_path: Path, server: Server, store: SiteStore) -> None:
    bundle = place(store, local(tmp_path, PROJECT))
    server.offer = BundleOffer(enabled=True, most_bytes=5)
    for send in (store.send, store.waiting):
        with pytest.raises(FlowBuildError, match=r"bytes, and the server takes 5: leave files out"):
            send(bundle)
    assert server.kept == []
