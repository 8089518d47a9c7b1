"""Strangers who guess passwords over many connections, as fast as they are answered: `python -m tests.bench.strangers PORT CONNECTIONS`, until
its standard input closes. It then prints how many answers of each status it got."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter


async def guess(port: int, number: int, answers: Counter[str]) -> None:
    body = b'{"username": "user%d", "password": "wrong"}' % number
    request = (
        b"POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    while True:
        try:
            await _ask(port, request, answers)
        except (OSError, asyncio.IncompleteReadError):
            answers["closed"] += 1


async def _ask(port: int, request: bytes, answers: Counter[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            answers[head[9:12].decode()] += 1
    finally:
        writer.close()


async def main(port: int, connections: int) -> None:
    answers: Counter[str] = Counter()
    tasks = [asyncio.create_task(guess(port, number, answers)) for number in range(connections)]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(dict(answers), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
