"""What a registration holds."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from appliance.client.transport import Transport
from appliance.core.errors import FlowBuildError
from appliance.core.flow import Flow
from appliance.core.run_config import UniversalRun
from appliance.core.task_decorator import task
from appliance.packaging.discover import flows_in
from appliance.packaging.register import content_hash, place_of, registration, send
from appliance.storage import Bundle, Local


@task
def one() -> int:
    return 1


with Flow("module-flow", run_config=UniversalRun(labels=["gpu"])) as module_flow:
    one()


def test_the_file_is_the_one_that_holds_the_flow_in_a_variable() -> None:
    sent = registration(module_flow, "p", labels=["edge"])
    assert sent.storage["path"] == str(Path(__file__).resolve())
    assert sent.storage["flow"] == "module-flow"
    assert sent.storage["sha256"] == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert sent.labels == ["edge", "gpu"]
    assert [found["name"] for found in sent.document["tasks"]] == ["one"]


def test_a_flow_that_no_file_holds_is_one_sentence() -> None:
    with Flow("local-only") as flow:
        one()
    with pytest.raises(
        FlowBuildError, match=r"Flow 'local-only' is not defined in a file .* at the top of a \.py file"
    ):
        registration(flow, "p")


def test_a_flow_of_an_interactive_session_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    session = ModuleType("__main__")
    with Flow("typed-in") as flow:
        one()
    session.flow = flow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", session)
    with pytest.raises(FlowBuildError, match="is not defined in a file"):
        registration(flow, "p")


def test_the_hash_is_that_of_the_canonical_json() -> None:
    document, storage = {"b": 1, "a": {"z": None, "y": [1.5, "ü"]}}, {"type": "local"}
    text = json.dumps(
        {"document": document, "storage": storage}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert content_hash(document, storage) == hashlib.sha256(text.encode()).hexdigest()
    assert content_hash(dict(reversed(document.items())), storage) == content_hash(document, storage)


def test_other_code_is_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    text = 'from appliance import Flow, task\n@task\ndef a():\n    return 1\nwith Flow("f") as flow:\n    a()\n'
    hashes = set()
    for version in (text, text, re.sub("return 1", "return 2", text)):
        path.write_text(version)
        flow, storage = flows_in(path)[0]
        hashes.add(registration(flow, "p", storage=storage).content_hash)
    assert len(hashes) == 2


def test_labels_must_be_a_list() -> None:
    with pytest.raises(TypeError, match="list of strings"):
        registration(module_flow, "p", labels="gpu")


def test_code_that_stays_here_says_on_which_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APPLIANCE_HOST_LABEL", "build-7")
    (tmp_path / "f.py").write_text("from appliance import Flow\nflow = Flow('f')\n")

    def host(storage: Any = None) -> str:
        ((flow, found),) = flows_in(tmp_path / "f.py")
        flow.storage = storage
        return registration(flow, "p", storage=place_of(flow, None, found, None)).host

    assert (host(), host(Local()), host(Local(shared=True)), host(Bundle())) == ("build-7", "build-7", "", "")
    (tmp_path / "pyproject.toml").write_text("[tool.appliance]\nstorage = 'shared'\n")
    assert host() == ""
    monkeypatch.delenv("APPLIANCE_HOST_LABEL")
    (tmp_path / "pyproject.toml").unlink()
    assert host() == socket.gethostname()


def test_a_server_of_an_earlier_release_gets_what_it_knows(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        if "host" in bodies[-1] or "files" in bodies[-1]["storage"]:
            message = "The flow's storage is not valid: Object contains unknown field `root`."
            if "host" in bodies[-1]:
                message = "The request is not valid: Object contains unknown field `host`."
            return httpx2.Response(400, json={"code": "invalid", "message": message, "request_id": "r", "details": {}})
        number = "01a22c5d-703e-703c-b8b4-00e40209b3e3"
        registered = {"flow_id": number, "version_id": number, "version": 1, "created": True, "url": "/flows/x"}
        return httpx2.Response(201, json=registered)

    url = "http://127.0.0.1:1"
    http = httpx2.Client(transport=httpx2.MockTransport(answer), base_url=url)
    (tmp_path / "beside.py").touch()
    (tmp_path / "f.py").write_text("import beside\nfrom appliance import Flow\nflow = Flow('f')\n")
    ((flow, storage),) = flows_in(tmp_path / "f.py")
    request = registration(flow, "p", storage=storage)
    assert list(request.storage["files"]) == ["beside.py"]
    assert send(Transport(url, "t", http), request).version == 1
    refused, first, second = bodies
    assert refused["host"] and "host" not in first
    assert set(first["storage"]) - set(second["storage"]) == {"root", "files"}
    assert second["content_hash"] == content_hash(second["document"], second["storage"])
