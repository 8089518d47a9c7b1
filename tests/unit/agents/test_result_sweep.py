"""An agent asks which runs were deleted, and removes what these have kept: nothing else, whatever the server says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import msgspec
import pytest

from appliance.agents import process, result_sweep
from appliance.agents.result_sweep import ResultSweep
from appliance.client.errors import ClientError, NotFound
from appliance.client.transport import Transport
from appliance.engine.results.local import LocalResult
from appliance.engine.results.removal import Freed
from appliance.kit import ids
from appliance.protocol.agents import MOST_RUNS_ASKED, Deleted, WereDeleted

AGENT = uuid4()


class Server:
    """Says that these runs were deleted, whatever it is asked."""

    def __init__(self, *deleted: UUID, status: int = 200) -> None:
        self.deleted, self.status = deleted, status
        self.asked: list[list[UUID]] = []
        self.was_asked = threading.Event()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == f"/api/v1/agents/{AGENT}/were-deleted"
        self.asked.append(msgspec.json.decode(request.content, type=WereDeleted).flow_run_ids)
        self.was_asked.set()
        if self.status != 200:
            answer = {"code": "not_found", "message": "There is nothing here.", "request_id": "r", "details": {}}
            return httpx2.Response(self.status, json=answer)
        return httpx2.Response(200, content=msgspec.json.encode(Deleted(flow_run_ids=list(self.deleted))))


def sweep_of(server: Server, folder: Path, holding: Collection[UUID] = (), **options: float) -> ResultSweep:
    http = httpx2.Client(transport=httpx2.MockTransport(server), base_url="http://appliance.test")
    transport = Transport("http://appliance.test", "agent", http)
    return ResultSweep(transport, folder, lambda: holding, **options)


def keep(folder: Path, *runs: UUID) -> dict[UUID, Path]:
    place, found = LocalResult(folder), {}
    for run in runs:
        location = place.default_location(str(run), "extract-1")
        place.put(location, b"12345")
        found[run] = folder / location
    return found


def left(kept: dict[UUID, Path]) -> set[UUID]:
    return {run for run, path in kept.items() if path.exists()}


def test_the_results_of_deleted_runs_go_and_those_of_others_and_of_runs_at_work_stay(tmp_path: Path) -> None:
    gone, at_work, other = ids.uuid7(), ids.uuid7(), ids.uuid7()
    kept = keep(tmp_path, gone, at_work, other)
    server = Server(gone, at_work, ids.uuid7())
    assert sweep_of(server, tmp_path, {at_work}).run_once(AGENT) == Freed(1, 5)
    assert left(kept) == {at_work, other}
    assert [sorted(asked) for asked in server.asked] == [sorted(kept)]


def test_it_asks_for_so_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_sweep, "MOST_RUNS_ASKED", 3)
    kept = keep(tmp_path, *(ids.uuid7() for _ in range(7)))
    server = Server(*kept)
    assert sweep_of(server, tmp_path).run_once(AGENT).files == 7
    assert [len(asked) for asked in server.asked] == [3, 3, 1] and MOST_RUNS_ASKED == 1_000
    assert left(kept) == set()


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (503, ClientError), (401, ClientError)])
def test_without_an_answer_nothing_is_removed(tmp_path: Path, status: int, error: type[Exception]) -> None:
    """404: the server is of the release before, or this agent was removed there."""
    kept = keep(tmp_path, ids.uuid7())
    with pytest.raises(error):
        sweep_of(Server(*kept, status=status), tmp_path).run_once(AGENT)
    assert left(kept) == set(kept)


def test_it_sweeps_in_a_thread_of_its_own_again_and_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "appliance.agent")
    kept = keep(tmp_path, ids.uuid7(), ids.uuid7())
    first, second = kept
    server = Server(first, status=404)
    sweep = sweep_of(server, tmp_path, soon=0.0, interval=0.01)
    sweep.start(AGENT)
    wait_for(server, 2)
    server.status = 200
    wait_for(server, len(server.asked) + 3)
    sweep.close()
    assert left(kept) == {second}
    said = [one.getMessage() for one in caplog.records if one.name == "appliance.agent"]
    assert said == ["Removed the results of deleted runs: 1 file, 5 bytes."]


def wait_for(server: Server, requests: int) -> None:
    while len(server.asked) < requests:
        server.was_asked.clear()
        assert server.was_asked.wait(10) or len(server.asked) >= requests


def test_only_a_folder_is_swept(tmp_path: Path) -> None:
    found = process._folder_of((tmp_path / "with space").as_uri())
    assert found is not None and found.folder == tmp_path / "with space"
    for url in ("", "s3://bucket/prefix", "sftp://user@host/folder", "nonsense://x"):
        assert process._folder_of(url) is None
