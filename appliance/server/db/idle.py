"""Connections between two transactions. SQLAlchemy's way from its pool and back costs more than a short read on SQLite."""

from __future__ import annotations

from collections import deque

from sqlalchemy import Connection, Engine

from appliance.server.db import direct

_KEPT = 8
"""A few connections do most of the work; the others go back to the pool."""


class IdleConnections:
    """Of one engine on SQLite. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[Connection] = deque()

    def taken(self) -> _Taken:
        """A connection for a block. Whatever the block has not committed is rolled back; after an error, the connection is closed."""
        return _Taken(self)

    def take(self) -> Connection:
        """One that is idle, or another one of the pool's."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._engine.connect()

    def give_back(self, connection: Connection) -> None:
        """Roll back what is not committed, and keep the connection if there is room."""
        try:
            if connection.in_transaction():
                connection.rollback()
            else:
                direct.driver(connection).rollback()
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < _KEPT:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Return every connection that is idle to the pool."""
        while self._idle:
            self._idle.pop().close()

    def __len__(self) -> int:
        return len(self._idle)


class _Taken:
    """Of a class of its own: a generator takes four times as long, and every request has two."""

    def __init__(self, idle: IdleConnections) -> None:
        self._idle = idle

    def __enter__(self) -> Connection:
        self._connection = self._idle.take()
        return self._connection

    def __exit__(self, kind: object, *_error: object) -> None:
        if kind is None:
            self._idle.give_back(self._connection)
        else:
            self._connection.close()
