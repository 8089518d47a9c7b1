"""What every resolver of a request receives: the caller, the database, one read session, the batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, cast
from uuid import UUID

from sqlalchemy.orm import Session
from strawberry.types import Info as StrawberryInfo

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.graphql.loaders import Loaders

_REFERENCES = ("id", "project_id", "flow_id", "flow_version_id")
R = TypeVar("R")
T = TypeVar("T")


class Context:
    """One request, in one worker thread. The first read opens the session, which sees a single snapshot of the database."""

    def __init__(self, database: Database, settings: Settings, actor: Actor) -> None:
        self.database, self.settings, self.actor = database, settings, actor
        self._mutations = 0
        self._made: dict[tuple[Callable[..., Any], int], tuple[Any, Any]] = {}
        self._lost: set[UUID] = set()
        self.now: datetime = clock.now()
        self.loaders = Loaders(self.session, self.now)
        self._session: Session | None = None
        self._open = ExitStack()

    def session(self) -> Session:
        """The session to read with."""
        if self._session is None:
            self._session = self._open.enter_context(self.database.read())
        return self._session

    def changed(self) -> None:
        """Discard what was read before an action, so that it is read again."""
        self.close()
        self.loaders = Loaders(self.session, self.now)

    def lose(self, keys: set[UUID]) -> bool:
        """Leave out from now on what refers to these damaged rows; False if it is left out already."""
        if keys <= self._lost:
            return False
        self._lost |= keys
        self.changed()
        return True

    def whole(self, rows: Sequence[R]) -> Sequence[R]:
        """The rows that refer to no damaged row."""
        if not self._lost:
            return rows
        return [row for row in rows if not any(getattr(row, name, None) in self._lost for name in _REFERENCES)]

    def once(self, make: Callable[..., T], row: Any, *more: Any) -> T:
        """What `make` returns for a row, which it is called with once, however many objects refer to it."""
        made = self._made.get((make, id(row)))
        if made is None:
            made = self._made[make, id(row)] = (row, make(row, *more))  # the row is kept so that its id isn't reused
        return cast(T, made[1])

    @contextmanager
    def keyed(self, key: str | None) -> Iterator[None]:
        """For one mutation the actor has its own idempotency key, or else the request's; the second mutation then has `KEY/2`."""
        caller, self._mutations = self.actor, self._mutations + 1
        if key is None and caller.key is not None and self._mutations > 1:
            key = f"{caller.key}/{self._mutations}"
        self.actor = caller if key is None else replace(caller, key=key)
        try:
            yield
        finally:
            self.actor = caller

    def close(self) -> None:
        self._made.clear()
        self.loaders.forget()
        self._session = None
        self._open.close()


Info: TypeAlias = StrawberryInfo[Context, None]
