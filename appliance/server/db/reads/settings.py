"""Reads of the installation's own settings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.tables import metadata
from appliance.server.errors import DamagedRow

_setting = metadata.tables["setting"]
_ONE = Prepared(select(_setting.c.value).where(_setting.c.name == bindparam("name")))
_SEVERAL = select(_setting.c.name, _setting.c.value).where(_setting.c.name.in_(bindparam("names", expanding=True)))

T = TypeVar("T")


class Stored(Generic[T]):
    """A setting whose value is the JSON of a type. A damaged one is set aside: it counts as not set."""

    def __init__(self, name: str, kind: type[T]) -> None:
        self.name = name
        self._decode = msgspec.json.Decoder(kind).decode

    def find(self, session: Session) -> T | None:
        return self.decoded(get(session, self.name))

    def decoded(self, text: str | None) -> T | None:
        """The same from the stored text."""
        if text is None:
            return None
        with readable.set_aside():
            return self.checked(text)
        return None

    def checked(self, text: str) -> T:
        """The same; raises DamagedRow."""
        try:
            return self._decode(text)
        except msgspec.MsgspecError as error:
            raise DamagedRow("A setting can't be read.", fault=f"not what is stored as {self.name!r}") from error


def get(session: Session, name: str) -> str | None:
    return next((row.value for row in readable.every(session, _ONE, {"name": name})), None)


def several(session: Session, names: Collection[str]) -> dict[str, str]:
    """The values of those of these settings that are stored and can be read."""
    return {name: value for name, value in readable.every(session, _SEVERAL, {"names": list(names)})}
