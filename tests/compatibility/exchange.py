"""One request with its answer, as both sides put them on the wire, and the files in which conversations are kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

EXCHANGES = Path(__file__).parent / "exchanges"


@dataclass(frozen=True)
class Exchange:
    """Bodies are kept as text, since all of them are UTF-8: so a difference can be read in a diff."""

    at: str
    """The time on both sides, as ISO 8601."""
    method: str
    path: str
    authorization: str
    request: str
    status: int
    answer: str

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.at)

    @property
    def is_json(self) -> bool:
        return self.answer.startswith(("{", "["))


def read(name: str) -> list[Exchange]:
    """A recorded conversation."""
    return [Exchange(**document) for document in json.loads(_file(name).read_text())]


def write(name: str, exchanges: list[Exchange]) -> None:
    """Keep a conversation."""
    documents = [asdict(exchange) for exchange in exchanges]
    EXCHANGES.mkdir(exist_ok=True)
    _file(name).write_text(json.dumps(documents, indent=1, ensure_ascii=False) + "\n")


def without_sentences(exchange: Exchange) -> Exchange:
    """The same exchange without what is written for people, which may be worded better without breaking a client."""
    if not exchange.is_json:
        return exchange
    plain = json.dumps(_without_sentences(json.loads(exchange.answer)))
    return Exchange(**{**asdict(exchange), "answer": plain})


def _without_sentences(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "" if key in ("message", "reason") and isinstance(item, str) and item else _without_sentences(item)
            for key, item in value.items()
        }
    return [_without_sentences(item) for item in value] if isinstance(value, list) else value


def _file(name: str) -> Path:
    return EXCHANGES / f"{name}.json"
