"""What every resolver of a request receives: the caller, the database, one read session, the batches."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from typing import TypeAlias

from sqlalchemy.orm import Session
from strawberry.types import Info as StrawberryInfo

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.graphql.loaders import Loaders


class Context:
    """One request, in one worker thread. The first read opens the session, which sees a single snapshot of the database."""

    def __init__(self, database: Database, settings: Settings, actor: Actor) -> None:
        self.database, self.settings, self.actor = database, settings, actor
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

    def close(self) -> None:
        self.loaders.forget()
        self._session = None
        self._open.close()


Info: TypeAlias = StrawberryInfo[Context, None]
