"""The transport: what is sent, what is tried again, and which error each refusal becomes."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx2
import msgspec
import pytest

from appliance.client import errors, flow_runs, system
from appliance.client.transport import Transport, path
from appliance.kit import clock
from appliance.protocol.errors import ErrorAnswer
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.system import ServerInfo

URL = "http://appliance.test"
Handler = Callable[[httpx2.Request], httpx2.Response]


def transport(handler: Handler, pauses: list[float] | None = None, token: str = "secret") -> Transport:
    http = httpx2.Client(transport=httpx2.MockTransport(handler), base_url=URL)
    return Transport(URL, token, http, sleep=(pauses if pauses is not None else []).append)


def info() -> httpx2.Response:
    answer = ServerInfo(version="1", site_name="S", setup_required=False, server_time=clock.now())
    return httpx2.Response(200, content=msgspec.json.encode(answer))


def test_sends_the_bearer_token_and_decodes_the_message() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return info()

    assert system.info(transport(handler)).site_name == "S"
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert seen[0].url.path == "/api/v1/info"


def test_reads_are_tried_again_until_the_server_is_back() -> None:
    answers = [httpx2.ConnectError("no route"), httpx2.Response(502), httpx2.Response(503), info()]
    pauses: list[float] = []

    def handler(_request: httpx2.Request) -> httpx2.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert system.info(transport(handler, pauses)).version == "1"
    assert len(pauses) == 3
    assert not answers


def test_an_unreachable_server_is_one_sentence_that_says_what_to_check() -> None:
    def handler(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(
        errors.Unreachable, match=r"http://appliance\.test can't be reached .*; is it running\? Check APPLIANCE_URL\."
    ):
        system.info(transport(handler))


def test_a_message_that_may_not_be_sent_twice_is_sent_once() -> None:
    calls: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request.method)
        raise httpx2.ReadError("cut")

    with pytest.raises(errors.Unreachable):
        transport(handler).post(path("users"), {}, dict)
    assert calls == ["POST"]


def test_retry_after_is_heeded() -> None:
    answers = [httpx2.Response(429, headers={"Retry-After": "7"}), info()]
    pauses: list[float] = []
    system.info(transport(lambda _request: answers.pop(0), pauses))
    assert pauses == [7.0]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", errors.Invalid),
        (401, "unauthenticated", errors.Unauthenticated),
        (403, "forbidden", errors.Forbidden),
        (404, "not_found", errors.NotFound),
        (409, "conflict", errors.Conflict),
        (409, "stale_attempt", errors.StaleAttempt),
        (409, "sequence_gap", errors.SequenceGap),
        (500, "fault", errors.ServerFault),
        (503, "setup_required", errors.SetupRequired),
    ],
)
def test_refusals_keep_the_servers_code_and_sentence(status: int, code: str, kind: type[errors.Refused]) -> None:
    content = msgspec.json.encode(ErrorAnswer(code=code, message="Do this.", request_id="r1", details={"a": 1}))
    with pytest.raises(kind) as caught:
        transport(lambda _request: httpx2.Response(status, content=content)).post("/x", {}, dict)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.status, str(caught.value)) == (code, status, "Do this.")
    assert caught.value.request_id == "r1"
    assert caught.value.details == {"a": 1}


def test_setup_required_is_told_at_once() -> None:
    content = msgspec.json.encode(ErrorAnswer(code="setup_required", message="Open the link."))
    pauses: list[float] = []
    with pytest.raises(errors.SetupRequired):
        system.info(transport(lambda _request: httpx2.Response(503, content=content), pauses))
    assert pauses == []


def test_something_that_is_no_appliance_is_told_as_such() -> None:
    with pytest.raises(errors.BadAnswer, match="APPLIANCE_URL"):
        system.info(transport(lambda _request: httpx2.Response(200, content=b"<html>")))
    with pytest.raises(errors.BadAnswer, match="APPLIANCE_URL"):
        system.info(transport(lambda _request: httpx2.Response(404, content=b"<html>")))


def test_an_address_that_is_none_is_told_as_such() -> None:
    with pytest.raises(errors.ClientError, match="is not a valid URL"):
        system.info(Transport("127.0.0.1:4200", tries=1))


def test_a_created_run_carries_an_idempotency_key_that_is_the_same_in_every_try() -> None:
    keys: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        keys.append(msgspec.json.decode(request.content)["idempotency_key"])
        return httpx2.Response(503)

    with pytest.raises(errors.BadAnswer):
        flow_runs.create(transport(handler), CreateFlowRun(project="p", flow="f"))
    assert len(keys) == 4
    assert len(set(keys)) == 1
    assert keys[0]


def test_lists_follow_the_cursor_to_the_end_and_stop_at_the_limit() -> None:
    asked: list[str | None] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        after, size = request.url.params.get("after"), int(request.url.params["limit"])
        asked.append(after)
        start = int(after or 0)
        items = [log(start + number) for number in range(1, min(size, 450 - start) + 1)]
        return httpx2.Response(200, content=msgspec.json.encode({"items": items, "next": str(start + len(items))}))

    def log(number: int) -> dict[str, object]:
        return {"id": number, "at": clock.now(), "level": "INFO", "logger": "l", "message": "m"}

    lines = list(flow_runs.logs(transport(handler), uuid4()))
    assert [line.id for line in lines] == list(range(1, 451))
    assert asked == [None, "200", "400"]
