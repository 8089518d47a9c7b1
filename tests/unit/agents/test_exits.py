"""Ends of processes are reported until the server takes them, after what the processes left in their spools."""

from __future__ import annotations

import threading
from pathlib import Path
from uuid import uuid4

import httpx2
import msgspec

from appliance.agents.attempts import AttemptRecord, AttemptStore, exit_report
from appliance.agents.exit_reports import ExitReports
from appliance.client.transport import Transport
from appliance.protocol.agents import AgentReport, AgentReported
from appliance.protocol.run_protocol import Reported


class Server:
    """Refuses the first report of an end, then takes it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.taken = threading.Event()
        self.away = 1

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if "flow-runs" in request.url.path:
            self.seen.append(f"spool {msgspec.json.decode(request.content)['seq']} {request.headers['authorization']}")
            return httpx2.Response(200, content=msgspec.json.encode(Reported(acked=1)))
        if self.away:
            self.away -= 1
            return httpx2.Response(503)
        report = msgspec.json.decode(request.content, type=AgentReport)
        self.seen += [f"exit {one.code}" for one in report.exited]
        self.taken.set()
        return httpx2.Response(200, content=msgspec.json.encode(AgentReported()))


def transport(server: Server, token: str) -> Transport:
    http = httpx2.Client(transport=httpx2.MockTransport(server), base_url="http://appliance.test")
    return Transport("http://appliance.test", token, http)


def test_an_end_is_reported_until_it_is_taken_and_then_put_aside(tmp_path: Path) -> None:
    server, attempts, run = Server(), AttemptStore(tmp_path), uuid4()
    directory = attempts.create(run, 1)
    record = AttemptRecord(flow_run_id=run, attempt=1, pid=0, identity="", token="run-token")
    attempts.save(directory, record)
    (directory / "spool.jsonl").write_bytes(
        b'{"attempt":1,"seq":1,"events":[]}\n{"attempt":1,"seq":2,"events":[]}\n{"cut'
    )
    end = exit_report(record, directory, 0, None)
    attempts.save_exit(directory, end)
    exits = ExitReports(transport(server, "agent"), attempts, lambda token: transport(server, token))
    exits.start(uuid4())
    exits.add(directory, record, end)
    assert server.taken.wait(10)
    exits.close()
    spooled = ["spool 1 Bearer run-token", "spool 2 Bearer run-token"]
    assert server.seen == [*spooled, *spooled, "exit 0"]  # the second time the server skips them by number
    assert not directory.exists()


def test_an_end_without_a_directory_does_not_keep_the_next_one_from_being_reported(tmp_path: Path) -> None:
    server, attempts = Server(), AttemptStore(tmp_path)
    server.away = 0
    exits = ExitReports(transport(server, "agent"), attempts)
    exits.start(uuid4())
    for code in (3, 4):
        run = uuid4()
        record = AttemptRecord(flow_run_id=run, attempt=1, pid=0, identity="", token="t")
        server.taken.clear()
        exits.add(attempts.directory(run, 1), record, exit_report(record, attempts.directory(run, 1), code, None))
        assert server.taken.wait(5)
    exits.close()
    assert server.seen == ["exit 3", "exit 4"]
