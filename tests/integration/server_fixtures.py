"""The whole server over a real database: in-process for requests, on a port of its own for streams and long-polls."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import text

from appliance.config import Settings
from appliance.kit import clock, ids
from appliance.protocol.tokens import CreateToken
from appliance.server.actions import tokens
from appliance.server.app import create_app
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.session import Database
from appliance.server.db.writes import users
from appliance.server.web import metrics

ROLES = ("viewer", "operator", "admin")


@dataclass
class Site:
    """A claimed appliance with a user and a token per role and an agent's token."""

    app: Litestar
    client: TestClient[Litestar]
    database: Database
    tokens: dict[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    def headers(self, principal: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[principal]}"}

    def get(self, path: str, principal: str = "viewer", **options: Any) -> Any:
        return self.client.get(path, headers=self.headers(principal), **options)

    def post(self, path: str, body: Any, principal: str = "operator") -> Any:
        return self.client.post(path, json=body, headers=self.headers(principal))

    def graphql(self, query: str, principal: str = "operator", **variables: Any) -> Any:
        answer = self.post("/graphql", {"query": query, "variables": variables}, principal)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def data(self, query: str, principal: str = "operator", **variables: Any) -> Any:
        answer = self.graphql(query, principal, **variables)
        assert "errors" not in answer, answer
        return answer["data"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(site_name="Test site", data_dir=str(tmp_path))


@pytest.fixture
def empty_site(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An appliance that nobody has claimed."""
    monkeypatch.setattr(metrics, "FRESH", 0.0)  # tests ask again at once
    app = create_app(settings, database)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Site(app, client, database, settings=settings)


@pytest.fixture
def site(empty_site: Site) -> Site:
    empty_site.tokens.update(claim(empty_site.database))
    return empty_site


def claim(database: Database) -> dict[str, str]:
    """Add a user per role; a token of each, and one of an agent."""
    given = {}
    for role in ROLES:
        add_user(database, role, role)
        given[role] = add_token(database, role)
    return given | {"agent": add_token(database, "admin", scope="agent")}


def add_user(database: Database, username: str, role: str, password_hash: str | None = None) -> UUID:
    user_id = ids.uuid7()
    with database.write() as session:
        users.add(session, id=user_id, username=username, password_hash=password_hash, role=role, created=clock.now())
    return user_id


def add_token(database: Database, username: str, scope: Any = "user", **fields: Any) -> str:
    request = CreateToken(name=f"{username}'s", scope=scope, username=username)
    now = clock.now()
    if fields.get("expired"):
        now = now - timedelta(days=1)
        request.expires_at = now + timedelta(hours=1)
    made = tokens.create(database, SYSTEM, request, now=now)
    if scope == "agent":  # like one of an earlier release: the tests speak for several agents with it
        with database.write() as session:
            session.execute(text("update api_token set binds = false"))
    if fields.get("revoked"):
        tokens.revoke(database, SYSTEM, made.view.id)
    return made.token


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def listening(app: Litestar) -> Iterator[str]:
    """The app on a free port of the loopback interface; its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(app, log_config=None, proxy_headers=False, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert server.listening.wait(10)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            app.state["stop"]()  # what the signal does first
            server.should_exit = True
            thread.join(10)
