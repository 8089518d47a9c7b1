"""Only the appliance's own error is its verdict: whatever else answers is an outage, at every request of agents and runs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import msgspec
import pytest

from appliance.client import admin, agents, errors, flow_runs, flows, jobs, schedules, system
from appliance.client import run_protocol as runs
from appliance.client.answers import MOST_BYTES
from appliance.client.transport import Transport, path
from appliance.protocol.agents import (
    AgentReport,
    AgentReported,
    Claim,
    Claimed,
    CodeGone,
    Deleted,
    Enrol,
    Enrolled,
    TakenBack,
    WereDeleted,
)
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import Registration
from appliance.protocol.run_protocol import AskSlots, Begun, Reported, Slots
from tests.depth import pick
from tests.unit.client.strangers import BODIES, HEADERS, OURS, STATUSES

URL, TOKEN = "http://appliance.test", "apl_run_" + "t" * 40
ID = UUID(int=7)
Ask = Callable[[Transport], Any]

OF_RUNS_AND_AGENTS: dict[str, tuple[Ask, msgspec.Struct]] = {
    "begin": (lambda to: runs.begin(to, ID, 1), Begun(verdict="go")),
    "report": (lambda to: runs.report(to, ID, b'{"attempt":1,"seq":1,"events":[]}'), Reported(acked=1)),
    "slots": (lambda to: runs.slots(to, ID, AskSlots(attempt=1, task_slug="t", tags=["x"])), Slots(granted=True)),
    "enrol": (
        lambda to: agents.enrol(to, Enrol(name="a", type="process")),
        Enrolled(agent_id=ID, heartbeat_interval=10, cancel_grace=10),
    ),
    "claim": (lambda to: agents.claim(to, ID, Claim(free_slots=1)), Claimed()),
    "code gone": (
        lambda to: agents.code_gone(to, ID, CodeGone(flow_run_id=ID, attempt=1, reason="r")),
        TakenBack(taken_back=True),
    ),
    "were deleted": (
        lambda to: agents.deleted(to, ID, WereDeleted(flow_run_ids=[ID])),
        Deleted(flow_run_ids=[ID]),
    ),
    "agent report": (lambda to: agents.report(to, ID, AgentReport()), AgentReported()),
}
OF_PEOPLE: dict[str, Ask] = {
    "info": system.info,
    "me": admin.me,
    "users": admin.users,
    "agents": agents.listed,
    "create": lambda to: flow_runs.create(to, CreateFlowRun(project="p", flow="f")),
    "cancel": lambda to: flow_runs.cancel(to, ID),
    "runs": lambda to: list(flow_runs.each(to)),
    "logs": lambda to: list(flow_runs.logs(to, ID)),
    "flows": lambda to: list(flows.each(to)),
    "register": lambda to: flows.register(
        to, Registration(project="p", name="f", content_hash="0" * 64, document={}, storage={})
    ),
    "schedules": schedules.listed,
    "jobs": lambda to: list(jobs.each(to)),
}


class Stranger:
    """Answers every request with the same bytes, and notes the pauses between them."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.requests = 0
        self.pauses: list[float] = []

    def __call__(self, _request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        return httpx2.Response(self.status, headers=self.headers, stream=httpx2.ByteStream(self.body))

    def transport(self) -> Transport:
        http = httpx2.Client(transport=httpx2.MockTransport(self), base_url=URL)
        return Transport(URL, TOKEN, http, sleep=self.pauses.append)


def sampled(count: int, *axes: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Every combination if there are at most `count`, otherwise that many of them, always the same."""
    whole = list(itertools.product(*axes))
    return iter(whole if len(whole) <= count else random.Random(24).sample(whole, count))


@pytest.mark.parametrize("name", OF_RUNS_AND_AGENTS)
def test_no_status_header_or_body_of_a_stranger_is_a_verdict_for_runs_and_agents(name: str) -> None:
    ask = OF_RUNS_AND_AGENTS[name][0]
    for status, headers, body in sampled(
        pick(quick=200, normal=400, full=200_000), list(STATUSES), list(HEADERS), list(BODIES)
    ):
        stranger = Stranger(status, HEADERS[headers], BODIES[body])
        with pytest.raises(errors.Outage) as caught:
            ask(stranger.transport())
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert sentence.isprintable()
        assert not {"secret", "pass@", TOKEN} & set(sentence.replace("/", " ").split())
        assert "APPLIANCE_URL" in sentence or "proxy" in sentence.lower() or "network" in sentence, sentence


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_nor_for_people(name: str) -> None:
    for status, headers, body in sampled(
        pick(quick=50, normal=100, full=20_000), list(STATUSES), list(HEADERS), list(BODIES)
    ):
        stranger = Stranger(status, HEADERS[headers], BODIES[body])
        with pytest.raises(errors.Outage):
            OF_PEOPLE[name](stranger.transport())
        assert stranger.requests == 4  # it is waited out, for a moment
        assert max(stranger.pauses) <= 10.0


@pytest.mark.parametrize("name", OF_RUNS_AND_AGENTS)
def test_an_answer_of_ours_under_another_status_is_none(name: str) -> None:
    ask, answer = OF_RUNS_AND_AGENTS[name]
    for status in STATUSES:
        if not 200 <= status < 300:
            with pytest.raises(errors.Outage):
                ask(Stranger(status, {}, msgspec.json.encode(answer)).transport())


@pytest.mark.parametrize("name", OF_RUNS_AND_AGENTS)
def test_an_answer_of_ours_that_is_cut_off_anywhere_is_none(name: str) -> None:
    ask, answer = OF_RUNS_AND_AGENTS[name]
    content = msgspec.json.encode(answer)
    for end in range(len(content)):
        with pytest.raises(errors.Outage):
            ask(Stranger(200, {}, content[:end]).transport())
    assert ask(Stranger(200, {}, content).transport()) == answer


def test_our_error_is_a_verdict_under_an_error_status_only() -> None:
    for status in STATUSES:
        with pytest.raises(errors.NotFound if status >= 400 else errors.Outage):
            runs.begin(Stranger(status, {}, OURS).transport(), ID, 1)


def test_a_newer_server_may_add_a_code_and_fields() -> None:
    content = b'{"code":"over_quota","message":"Buy more.","request_id":"r","details":{"a":1},"help":"https://x"}'
    with pytest.raises(errors.Conflict, match="Buy more") as caught:
        runs.begin(Stranger(409, {}, content).transport(), ID, 1)
    assert caught.value.code == "over_quota"


@pytest.mark.parametrize("content", [b"", b"{}"])
def test_a_deletion_is_done_only_if_the_server_says_so(content: bytes) -> None:
    for status in STATUSES:
        stranger = Stranger(status, {}, b"" if status == 204 else content + b"<html>")
        if status == 204:
            flow_runs.delete(stranger.transport(), uuid4())
            continue
        with pytest.raises(errors.Outage):
            flow_runs.delete(stranger.transport(), uuid4())


def test_a_bomb_is_not_unpacked() -> None:
    class Endless(httpx2.SyncByteStream):
        sent = 0

        def __iter__(self) -> Iterator[bytes]:
            while True:
                self.sent += 1_000_000
                yield b"0" * 1_000_000

    stream = Endless()
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, stream=stream)), base_url=URL)
    with pytest.raises(errors.Unreachable, match="longer than 64 MB"):
        Transport(URL, TOKEN, http, tries=1).get(path("info"), dict)
    assert stream.sent < MOST_BYTES + 2_000_000


SENTENCES = [
    (404, {"Server": "nginx/1.27"}, b"<html>", "status 404 and an HTML page by nginx/1.27, not by the appliance at"),
    (301, HEADERS["a redirect"], b"", "it redirects to https://elsewhere.example/login: set APPLIANCE_URL"),
    (200, {}, b"", "status 200 and an empty body"),
    (413, {}, b"<html>", "raise the limit on request bodies of the proxy"),
    (502, {}, b"Bad Gateway", "is it running?"),
    (200, {}, b"{}", "status 200 and JSON of another kind (Object missing required field `verdict`)"),
]


@pytest.mark.parametrize(("status", "headers", "body", "part"), SENTENCES)
def test_the_sentence_says_what_came_and_from_where(
    status: int, headers: dict[str, str], body: bytes, part: str
) -> None:
    with pytest.raises(errors.BadAnswer) as caught:
        runs.begin(Stranger(status, headers, body).transport(), ID, 1)
    assert part in str(caught.value)
    assert str(caught.value).startswith(f"POST /api/v1/flow-runs/{ID}/begin was answered with status {status}")
    assert URL in str(caught.value)


@pytest.mark.parametrize("token", ["abc\n", "a\r\nX-Admin: 1", "sch\u00fcssel", " abc", "\t", "nul\0", "\u2028"])
def test_a_token_that_no_header_can_hold_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(errors.ClientError, match="APPLIANCE_TOKEN") as caught:
        Transport(URL, token)
    assert token not in str(caught.value)


@pytest.mark.parametrize("url", ["http://me:hidden@127.0.0.1:1", "http://me:hidden@nowhere.invalid"])
def test_a_password_in_the_url_is_in_no_message(url: str) -> None:
    with pytest.raises(errors.ClientError, match="user and password") as caught:  # it would take the place of the token
        system.info(Transport(url, "", tries=1))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:4200",
        "http://",
        "http://[::1",
        "http://::1:4200",
        "http://h:x",
        "ftp://h",
        "http://h:99999",
        "http://h?token=hidden",
        "http://h#x",
    ],
)
def test_an_address_that_is_none_is_one_sentence(url: str) -> None:
    with pytest.raises(errors.ClientError, match=r"is not a valid URL; set APPLIANCE_URL") as caught:
        system.info(Transport(url, "", tries=1))
    assert "hidden" not in str(caught.value)
    assert "'APPLIANCE_URL'" not in str(caught.value)
