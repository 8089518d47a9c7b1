"""`python -m tests.bench.bare_server FILE [libraries]`: answers each request after a durable commit of its lines to the SQLite file, a row
each, and does nothing else.

What any server that runs on uvicorn and acknowledges what is on the disk must do; with `libraries`, what a server must do that is made of those
of the appliance. It prints its address when it is ready, and ends when its
standard input is closed.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import sys
from typing import Any

import uvicorn

_ANSWER = b'{"acked":1}'


def bare(file: str) -> Any:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=full")
    database.execute("create table if not exists t (x blob)")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        database.execute("begin immediate")
        database.executemany("insert into t values (?)", [(line,) for line in body.split(b"\n")])
        database.execute("commit")
        headers = [(b"content-length", str(len(_ANSWER)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _ANSWER})

    return app


def main() -> None:
    if sys.argv[2:] == ["libraries"]:
        from tests.bench.library_server import app
    else:
        app = bare
    asyncio.run(_serve(app(sys.argv[1])))


async def _serve(app: Any) -> None:
    listening = socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # said, or asyncio sets no TCP_NODELAY
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", access_log=False, log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    main()
