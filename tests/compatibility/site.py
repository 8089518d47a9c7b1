"""The real app in-process with a stopped clock and counted ids, so that the same requests always get the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from litestar.testing import TestClient

from appliance.config import Settings
from appliance.kit import clock, ids
from appliance.server.actions import setup
from appliance.server.app import create_app
from appliance.server.db import migrate
from appliance.server.db.session import Database
from tests.compatibility.exchange import Exchange

ADMIN_TOKEN = "apl_user_" + "c" * 43
ADDRESS = "http://testserver.local"


class Stage:
    """The current time and the next ids and secrets. Each exchange has its own range of numbers, so that creating one more id
    in an exchange leaves the later ones unchanged."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 8, 0, 0, 123456, tzinfo=UTC)
        self._exchange = 0
        self._numbers = count()

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def next_exchange(self) -> None:
        self._exchange += 1
        self._numbers = count()

    def number(self) -> int:
        return self._exchange << 16 | next(self._numbers)

    def uuid7(self) -> UUID:
        milliseconds = int(self.time.timestamp() * 1000)
        return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | self.number())

    def secret(self, prefix: str) -> str:
        return f"apl_{prefix}_{self.number():043d}"

    def readable_name(self) -> str:
        return f"calm-otter-{self.number()}"


@contextmanager
def new_stage() -> Iterator[Stage]:
    """Replace the sources of time, ids and secrets by those of a stage."""
    stage = Stage()
    with clock.stopped(lambda: stage.time), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "uuid7", stage.uuid7)
        patch.setattr(ids, "secret", stage.secret)
        patch.setattr(ids, "readable_name", stage.readable_name)
        yield stage


@contextmanager
def site(directory: Path) -> Iterator[TestClient[Any]]:
    """The app over a new SQLite database, claimed by an administrator with a known token."""
    url = f"sqlite:///{directory / 'appliance.db'}"
    migrate.upgrade(url)
    database = Database(url)
    setup.ensure_admin(database, "", ADMIN_TOKEN)
    try:
        with TestClient(
            create_app(Settings(site_name="Compatibility"), database), raise_server_exceptions=False
        ) as http:
            yield http
    finally:
        database.dispose()


class Recording:
    """An HTTP client that forwards requests to the app and records every exchange."""

    def __init__(self, http: Any, stage: Stage) -> None:
        self.exchanges: list[Exchange] = []
        self._http, self._stage = http, stage

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        content: Iterable[bytes] | None,
        params: Any,
        headers: dict[str, str],
        extensions: Any,  # see client.library; there is no connection here
    ) -> Iterator[Any]:
        assert not params, "query parameters are not recorded; put them into the path"
        self._stage.next_exchange()
        sent = b"".join(content or ())
        response = self._http.request(method, path, content=sent, headers=headers)
        self.exchanges.append(
            Exchange(
                at=self._stage.time.isoformat(),
                method=method,
                path=path,
                authorization=headers.get("Authorization", ""),
                request=sent.decode(),
                status=response.status_code,
                answer=response.content.decode(),
            )
        )
        yield response
