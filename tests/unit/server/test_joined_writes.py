"""What is written in one turn of the event loop is sent together, in order, and before the connection closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from appliance.server.web.connections import _MOST_HELD, _Joined


class Transport:
    def __init__(self) -> None:
        self.calls: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def close(self) -> None:
        self.calls.append("close")

    def is_closing(self) -> bool:
        return "close" in self.calls


def sent(work: Callable[[Any], object]) -> list[bytes | str]:
    async def main() -> list[bytes | str]:
        transport = Transport()
        work(_Joined(cast(asyncio.Transport, transport)))
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)  # after what `work` has left for the next turn
        await turn
        return transport.calls

    return asyncio.run(main())


def test_a_head_and_its_body_are_one_write() -> None:
    def work(joined: Any) -> None:
        joined.write(b"head")
        joined.write(b"body")

    assert sent(work) == [b"headbody"]


def test_one_part_is_passed_on_as_it_is() -> None:
    assert sent(lambda joined: joined.write(b"part")) == [b"part"]


def test_nothing_is_lost_when_the_connection_closes() -> None:
    def work(joined: Any) -> None:
        joined.write(b"refusal")
        joined.close()

    assert sent(work) == [b"refusal", "close"]


def test_only_so_much_is_held() -> None:
    part = bytes(_MOST_HELD // 2 + 1)

    def work(joined: Any) -> None:
        for _ in range(3):
            joined.write(part)

    assert sent(work) == [part * 2, part]


@pytest.mark.parametrize("name", ["is_closing", "calls"])
def test_everything_else_is_the_transports(name: str) -> None:
    async def main() -> None:
        transport = Transport()
        assert getattr(_Joined(cast(asyncio.Transport, transport)), name) == getattr(transport, name)

    asyncio.run(main())
