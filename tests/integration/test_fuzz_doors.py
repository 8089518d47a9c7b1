"""No answer is a fault at the doors that have no grammar in our documents: signing in, the live stream, a run's own addresses, and headers.

APPLIANCE_FUZZ is the number of requests; a quarter of them is sent to each door, on each database. `make fuzz` sends many."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from sqlalchemy import text

from appliance.server.actions import setup
from appliance.server.api import openapi
from appliance.server.auth import throttle
from tests.depth import pick
from tests.integration import fuzz, fuzz_wire
from tests.integration.fuzz_verdict import Ids, Verdict
from tests.integration.server_fixtures import Site, listening
from tests.integration.test_web import whole

REQUESTS = int(os.environ.get("APPLIANCE_FUZZ", pick(quick=120, normal=400, full=4_000))) // 4
SEED = int(os.environ.get("APPLIANCE_FUZZ_SEED", 1))
PASSWORD = "a-fine-password-1"
_BODIES = (
    *(
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"\0",
        b'{"a":1,"a":2}',
        b"[" * 15_000,
        b'{"a":' * 3_000,
        b"1e999",
        b"x" * 70_000,
    ),
    *(b'{"attempt":1e400}', b'{"attempt":NaN}', b'{"attempt":-0}', b'"\\ud800"'),
)
BYTES = (
    *(
        b"",
        b" ",
        b"a",
        b"\xff\xfe",
        "ä\u202e".encode(),
        b"\x1b[2J",
        b"a,b",
        b",,,",
        b'"',
        b"a" * 9_000,
        b"\xe2\x82",
        b"=;=;",
        b"%00",
        b"%ff",
    ),
    *(
        b"0",
        b"-1",
        b"9" * 400,
        b"1e9",
        b"null",
        b"a\tb",
        b"\x7f",
        b"{}",
        b"*/*;q=nan",
        b"[::1",
        b"127.0.0.1:99999",
        b"..",
        b"a:b:c",
    ),
    *(
        b"Bearer ",
        b"Bearer  a",
        b"bearer apl_user_" + b"x" * 43,
        b"Basic YTpi",
        b"Bearer " + b"\xc3\xa4" * 40,
        b"appliance_session=" + b"x" * 4_000,
    ),
    *(
        b"application/json; charset=utf-16",
        b"application/json;" * 90,
        b"text/html",
        b"multipart/form-data; boundary=",
        b"application/json\xff",
    ),
)
NAMES = (
    *(
        b"Content-Type",
        b"Accept",
        b"Authorization",
        b"Cookie",
        b"Idempotency-Key",
        b"X-Forwarded-For",
        b"Host",
        b"Accept-Encoding",
    ),
    *(
        b"Last-Event-ID",
        b"X-CSRF-Token",
        b"X-Request-ID",
        b"User-Agent",
        b"Origin",
        b"If-None-Match",
        b"Range",
        b"Expect",
        b"X-HTTP-Method-Override",
    ),
)


def _body(draw: fuzz.Draw, fields: dict[str, Any]) -> bytes:
    """The fields with a strange value here and there, or something else entirely."""
    choice = draw.random
    if choice.random() < 0.1:
        return choice.choice(_BODIES)
    strange = (*fuzz.TEXTS, *fuzz.NUMBERS, *fuzz.OTHERS)
    for name in list(fields):
        if choice.random() < 0.3:
            fields[name] = choice.choice(strange)
        elif choice.random() < 0.05:
            del fields[name]
    if choice.random() < 0.05:
        fields[choice.choice(fuzz.TEXTS)] = choice.choice(strange)
    return fuzz.encode(fields)


def _headers(choice: random.Random, most: int) -> fuzz_wire.Headers:
    return [(choice.choice(NAMES), choice.choice(BYTES)) for _ in range(choice.randint(0, most))]


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_signing_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAIR", "ACCOUNT", "ADDRESS", "SITE"):
        monkeypatch.setattr(throttle, name, throttle.Limit(10**9, 1.0))
    draw = fuzz.Draw(SEED, {}, dict)
    with listening(whole(site.database)) as url:

        def send(asked: fuzz.Asked) -> tuple[int, bytes]:
            headers = [(b"Content-Type", b"application/json"), (b"Connection", b"close"), *_headers(draw.random, 1)]
            return fuzz_wire.ask(url, "POST", asked.path, [(b"Host", b"localhost"), *headers], asked.body or b"")

        with Verdict(site, send) as verdict:
            for _ in range(REQUESTS):
                body = _body(draw, {"username": "admin", "password": PASSWORD})
                verdict.send(fuzz.Asked("POST", "/api/v1/login", body, ""))


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_setting_up(empty_site: Site) -> None:
    draw, database = fuzz.Draw(SEED, {}, dict), empty_site.database
    token = setup.create_setup_token(database)
    with Verdict(empty_site) as verdict:
        for _ in range(REQUESTS):
            body = _body(draw, {"token": token, "username": "admin", "password": PASSWORD})
            if verdict.send(fuzz.Asked("POST", "/api/v1/setup", body, "")) == 201:
                with database.write() as session:
                    session.execute(text("delete from session"))
                    session.execute(text('delete from "user"'))
                token = setup.create_setup_token(database)
        assert verdict.count(201), "some requests set the appliance up"


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_the_live_stream(stocked: Site) -> None:
    choice = random.Random(SEED)
    bearer = (b"Authorization", f"Bearer {stocked.tokens['viewer']}".encode())
    with listening(whole(stocked.database)) as url:

        def send(asked: fuzz.Asked) -> tuple[int, bytes]:
            headers = [bearer, *_headers(choice, 1), (b"Last-Event-ID", choice.choice(BYTES))]
            return fuzz_wire.ask(url, "GET", asked.path, [(b"Host", b"localhost"), *headers])

        with Verdict(stocked, send) as verdict:
            for _ in range(REQUESTS):
                topics = (choice.choice((*fuzz.TEXTS, *fuzz.WORDS, "flow_run")) for _ in range(choice.randint(0, 4)))
                query = "&".join("topic=" + fuzz.quoted(topic) for topic in topics)
                query += choice.choice(
                    ("", "", "&", "&topic", "&x=1", "&topic=%ff", "&topic=" + "y" * 9_000, "&=", "&topic[]=a")
                )
                verdict.send(fuzz.Asked("GET", f"/api/v1/events?{query}", None, ""))
        assert verdict.count(200), "some requests open a stream"


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_the_addresses_of_a_run(stocked: Site) -> None:
    draw = fuzz.Draw(SEED, openapi.document(stocked.app)["components"], Ids(stocked))
    with Verdict(stocked) as verdict:
        for _ in range(REQUESTS):
            address = draw.random.choice(("begin", "report", "slots"))
            kind = {"begin": "Begin", "report": "Report", "slots": "AskSlots"}[address]
            draw.strange = draw.random.choice((0.0, 0.02, 0.1))
            message = draw.value({"$ref": f"#/components/schemas/{kind}"})
            if isinstance(message, dict):
                message = {**message, "attempt": draw.random.choice((1, 1, 1, message.get("attempt")))} | (
                    {"wait_s": draw.random.choice((0, -1, -1e308))} if address == "slots" else {}
                )
            body = draw.random.choice(_BODIES) if draw.random.random() < 0.1 else fuzz.encode(message)
            run = stocked.tokens["run id"]
            verdict.send(fuzz.Asked("POST", f"/api/v1/flow-runs/{run}/{address}", body, "run"))
        assert verdict.count(200), "some requests are reports"


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_headers(stocked: Site) -> None:
    choice = random.Random(SEED)
    bearer = (b"Authorization", f"Bearer {stocked.tokens['admin']}".encode())
    paths = (
        "/api/v1/flow-runs",
        "/api/v1/flows",
        "/api/v1/me",
        "/api/v1/info",
        "/graphql",
        "/",
        "/docs/",
        "/simple/",
        "/simple/none/none.whl",
        "/metrics",
        "/healthz",
        "/api/v1/nothing",
    )
    with listening(whole(stocked.database)) as url:

        def send(asked: fuzz.Asked) -> tuple[int, bytes]:
            known = [one for one in ((b"Host", b"localhost"), bearer) if choice.random() < 0.8]
            kind = [(b"Content-Type", b"application/json")] if choice.random() < 0.8 else []
            headers = [*known, *kind, *_headers(choice, 3)]
            if choice.random() < 0.02:
                headers += [(b"X-A%d" % number, b"x") for number in range(choice.choice((90, 250)))]
            return fuzz_wire.ask(url, asked.method, asked.path, headers, asked.body or b"")

        with Verdict(stocked, send) as verdict:
            for _ in range(REQUESTS):
                method = choice.choice(("GET", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"))
                body = choice.choice((*_BODIES[:7], b'{"query":"{ __typename }"}')) if method[0] == "P" else None
                verdict.send(fuzz.Asked(method, choice.choice(paths), body, ""))
