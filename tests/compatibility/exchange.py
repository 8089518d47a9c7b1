"""A request with its answer, as sent over the wire, and the files that hold recorded conversations."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

EXCHANGES = Path(__file__).parent / "exchanges"
_SENTENCES = ("message", "reason", "state_message", "wait_reason")


@dataclass(frozen=True)
class Exchange:
    """Bodies are stored as text, which is lossless since all of them are UTF-8, and makes a diff readable."""

    at: str
    """The time on the client and the server, as ISO 8601."""
    method: str
    path: str
    authorization: str
    request: str
    status: int
    answer: str

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.at)


def read(name: str) -> list[Exchange]:
    """A recorded conversation."""
    return [Exchange(**document) for document in json.loads(_file(name).read_text())]


def write(name: str, exchanges: list[Exchange]) -> None:
    """Store a conversation."""
    documents = [asdict(exchange) for exchange in exchanges]
    EXCHANGES.mkdir(exist_ok=True)
    _file(name).write_text(json.dumps(documents, indent=1, ensure_ascii=False) + "\n")


def without_sentences(exchange: Exchange) -> Exchange:
    """The same exchange without the text meant for people, which may be reworded without breaking a client."""
    return replace(exchange, request=_without_text(exchange.request), answer=_without_text(exchange.answer))


def _without_text(body: str) -> str:
    return json.dumps(_blank(json.loads(body))) if body else body


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "..." if key in _SENTENCES and isinstance(item, str) and item else _blank(item)
            for key, item in value.items()
        }
    return [_blank(item) for item in value] if isinstance(value, list) else value


def _file(name: str) -> Path:
    return EXCHANGES / f"{name}.json"
