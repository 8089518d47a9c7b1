"""Replays recorded conversations byte for byte: the server gives the recorded answers, clients send the recorded requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.compatibility import exchange, record
from tests.compatibility.conversations import CONVERSATIONS, Speaker
from tests.compatibility.exchange import Exchange
from tests.compatibility.site import Stage, new_stage, site

NAMES = sorted(CONVERSATIONS)
HINT = "if only the wording changed, run `python -m tests.compatibility.record --sentences`"


class Response:
    """A recorded answer, as the client's transport sees it."""

    def __init__(self, exchange: Exchange) -> None:
        self.status_code = exchange.status
        self.content = exchange.answer.encode()
        self.headers: dict[str, str] = {}

    def iter_bytes(self) -> list[bytes]:
        return [self.content]


class Playback:
    """An HTTP client that expects the recorded requests in order and returns the recorded answers."""

    def __init__(self, exchanges: list[Exchange], stage: Stage) -> None:
        self.remaining = list(exchanges)
        self._stage = stage

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        content: Iterable[bytes] | None,
        params: Any,
        headers: dict[str, str],
        extensions: Any,  # as in Recording
    ) -> Iterator[Response]:
        assert not params, "query parameters are not recorded; put them into the path"
        expected = self.remaining.pop(0)
        assert (method, path) == (expected.method, expected.path)
        assert b"".join(content or ()) == expected.request.encode(), HINT
        assert headers.get("Authorization", "") == expected.authorization
        self._stage.time = expected.time
        yield Response(expected)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_requests_get_the_recorded_answers(name: str, tmp_path: Path) -> None:
    with new_stage() as stage, site(tmp_path) as http:
        for number, expected in enumerate(exchange.read(name)):
            stage.time = expected.time
            stage.next_exchange()
            headers = {"Authorization": expected.authorization, "Content-Type": "application/json"}
            answer = http.request(expected.method, expected.path, content=expected.request.encode(), headers=headers)
            where = f"exchange {number}: {expected.method} {expected.path}; {HINT}"
            assert (answer.status_code, answer.content) == (expected.status, expected.answer.encode()), where


@pytest.mark.parametrize("name", NAMES)
def test_clients_send_the_recorded_requests(name: str) -> None:
    with new_stage() as stage:
        playback = Playback(exchange.read(name), stage)
        CONVERSATIONS[name](Speaker(playback, stage))
        assert playback.remaining == []


def test_the_recordings_contain_every_message_of_both_protocols() -> None:
    messages = {
        (parts[3], parts[-1], one.status)
        for name in NAMES
        for one in exchange.read(name)
        for parts in [one.path.partition("?")[0].split("/")]
    }
    expected = {
        ("flow-runs", "begin", 200),
        ("flow-runs", "report", 200),
        ("flow-runs", "report", 409),
        ("flow-runs", "slots", 200),
        ("agents", "agents", 201),
        ("agents", "claim", 200),
        ("agents", "claim", 401),
        ("agents", "claim", 404),
        ("agents", "report", 200),
    }
    assert expected <= messages
    codes = "".join(one.answer for name in NAMES for one in exchange.read(name) if one.status == 409)
    assert '"code":"sequence_gap"' in codes and '"code":"stale_attempt"' in codes


def test_the_recorder_accepts_reworded_text_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "EXCHANGES", tmp_path)
    recordings = {name: record.record(conversation) for name, conversation in CONVERSATIONS.items()}
    for name, exchanges in recordings.items():
        reworded = [
            replace(one, answer=re.sub(r'"message":"(?!")', '"message":"Once: ', one.answer)) for one in exchanges
        ]
        assert reworded != exchanges
        exchange.write(name, reworded)
    assert record.main(["--sentences"]) == 0
    assert exchange.read("run_protocol") == recordings["run_protocol"]
    altered = [replace(one, answer=one.answer.replace('"acked"', '"stored"')) for one in recordings["run_protocol"]]
    exchange.write("run_protocol", altered)
    assert record.main(["--sentences"]) == 1
    assert exchange.read("run_protocol") == altered
