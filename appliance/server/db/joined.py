"""A database seen from inside one open transaction, so that an action and what belongs to it are committed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from appliance.kit import crash
from appliance.server.db.session import Database


class Joined(Database):
    """The same database; every change and every read through it belongs to the transaction of `session`, which the caller commits."""

    def __init__(self, db: Database, session: Session) -> None:
        self.__dict__.update(vars(db))
        self._open = session
        self._names: list[str] = []

    @contextmanager
    def read(self, *, short: bool = False) -> Iterator[Session]:
        """The open session, which sees what the transaction has changed."""
        yield self._open

    @contextmanager
    def write(self, name: str = "write", *, essential: bool = False) -> Iterator[Session]:
        """The open session; nothing is committed at the end of the block."""
        yield self._open
        crash.point(f"{name}.applied")
        self._open.flush()
        self._names.append(name)

    def committed(self) -> None:
        """Pass the crash points that the blocks would have passed after a commit of their own."""
        for name in self._names:
            crash.point(f"{name}.committed")
