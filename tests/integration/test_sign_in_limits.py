"""Guessing passwords: what counts, for whom, from where, and that nobody else has to wait for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import pytest

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.app import create_app
from appliance.server.auth import devices, passwords, throttle
from appliance.server.auth.password_workers import LINE, WORKERS, PasswordWorkers
from appliance.server.db.session import Database
from appliance.server.errors import Invalid, TooManyRequests, Unauthenticated
from tests.integration.live import TOKEN, LiveServer
from tests.integration.server_fixtures import add_user, claim, listening

PASSWORD = "correct horse battery"
LOGIN = "/api/v1/login"
PROXIED = Settings(trusted_proxies="127.0.0.1, 10.0.0.0/8")


class Door:
    """A server on a port of its own, and how often it checked a password."""

    def __init__(self, url: str, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self.tokens, self.checked = url, tokens, 0
        self._verify, self._lock = passwords.verify, threading.Lock()
        monkeypatch.setattr(passwords, "verify", self._count)

    def _count(self, stored: str | None, password: str) -> bool:
        with self._lock:
            self.checked += 1
        return self._verify(stored, password)

    def knock(self, username: str = "alice", password: str = "wrong", source: str = "", **cookies: str) -> Any:
        headers = {"X-Forwarded-For": source} if source else {}
        with httpx2.Client(cookies=cookies, verify=False, timeout=60) as client:
            return client.post(self.url + LOGIN, json={"username": username, "password": password}, headers=headers)

    def knock_at_once(self, times: int, **fields: Any) -> list[int]:
        with ThreadPoolExecutor(times) as pool:
            return [answer.status_code for answer in pool.map(lambda _: self.knock(**fields), range(times))]


@pytest.fixture
def door(database: Database, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Door]:
    tokens = claim(database)
    add_user(database, "alice", "operator", passwords.hash_password(PASSWORD))
    app = create_app(getattr(request, "param", PROXIED), database)
    with listening(app) as url:
        yield Door(url, tokens, monkeypatch)


def test_of_sixty_guesses_at_once_six_are_checked(door: Door) -> None:
    assert sorted(door.knock_at_once(60)) == [401] * throttle.PAIR.attempts + [429] * (60 - throttle.PAIR.attempts)
    assert door.checked == throttle.PAIR.attempts


def test_guesses_at_one_user_from_many_addresses_are_limited(door: Door) -> None:
    answers = [door.knock(source=f"192.0.2.{number}").status_code for number in range(15)]
    assert answers == [401] * throttle.ACCOUNT.attempts + [429] * (15 - throttle.ACCOUNT.attempts)
    assert door.knock("bob", source="192.0.2.1").status_code == 401


def test_guesses_at_many_users_from_one_address_are_limited(door: Door) -> None:
    answers = [door.knock(f"user{number}", source="192.0.2.1").status_code for number in range(35)]
    assert answers == [401] * throttle.ADDRESS.attempts + [429] * (35 - throttle.ADDRESS.attempts)
    assert door.knock("alice", PASSWORD, source="192.0.2.1").status_code == 429
    assert door.knock("alice", PASSWORD, source="192.0.2.2").status_code == 200


def test_a_known_device_is_not_locked_out_by_others(door: Door) -> None:
    cookie = door.knock(password=PASSWORD).cookies[devices.COOKIE]
    while door.knock().status_code != 429:
        pass
    assert door.knock(password=PASSWORD).status_code == 429
    for _ in range(3):
        assert door.knock(password=PASSWORD, **{devices.COOKIE: cookie}).status_code == 200


def test_a_known_device_has_a_limit_of_its_own(door: Door) -> None:
    cookie = {devices.COOKIE: door.knock(password=PASSWORD).cookies[devices.COOKIE]}
    answers = [door.knock(**cookie).status_code for _ in range(8)]
    assert answers == [401] * throttle.PAIR.attempts + [429] * 2
    assert door.knock(password=PASSWORD).status_code == 200, "what that device guessed costs others nothing"


@pytest.mark.parametrize("cookie", ["", "x", "a" * 22 + "." + "0" * 64, "a" * 5000, "a" * 22 + ".\u0661" + "0" * 63])
def test_a_made_up_device_is_unknown(database: Database, cookie: str) -> None:
    with database.write() as session:
        good = devices.issue(session, "alice", clock.now())
        second = devices.issue(session, "alice", clock.now())
    assert good != second and devices.known(database, "alice", good) and devices.known(database, "alice", second)
    assert devices.known(database, "bob", good) is None, "a device is known for its own user only"
    assert devices.known(database, "alice", cookie) is None


@pytest.mark.parametrize("door", [Settings()], indirect=True)
def test_nobody_chooses_their_own_address(door: Door) -> None:
    answers = [door.knock(f"user{number}", source=f"192.0.2.{number}").status_code for number in range(31)]
    assert answers[-2:] == [401, 429]


def test_what_is_too_large_for_a_sign_in_is_not_read(door: Door) -> None:
    assert door.knock(password="x" * 20_000).status_code == 413


def test_while_passwords_are_hashed_everyone_else_is_served(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = threading.Semaphore(0), threading.Event()

    def stuck(stored: str | None, password: str) -> bool:
        started.release()
        return go_on.wait(30) and False

    monkeypatch.setattr(passwords, "verify", stuck)
    headers = {"Authorization": f"Bearer {door.tokens['viewer']}"}
    with ThreadPoolExecutor(60) as pool:
        knocks = [
            pool.submit(door.knock, f"user{number}", source=f"10.0.0.9, 192.0.2.{number}") for number in range(60)
        ]
        try:
            assert started.acquire(timeout=10) and started.acquire(timeout=10)
            refused = _first(knocks, 60 - WORKERS - LINE)
            assert {answer.status_code for answer in refused} == {429}
            assert all(answer.headers["retry-after"] == "1" for answer in refused)
            with httpx2.Client(headers=headers, timeout=10) as client:
                for _ in range(20):
                    asked = client.post(door.url + "/graphql", json={"query": "{ me { role } }"})
                    assert asked.json() == {"data": {"me": {"role": "viewer"}}}
        finally:
            go_on.set()
        assert sorted(knock.result().status_code for knock in knocks) == [401] * 22 + [429] * 38


def _first(futures: list[Future[Any]], number: int) -> list[Any]:
    return [future.result() for future in islice(as_completed(futures, timeout=30), number)]


async def _everything_that_is_ready() -> None:
    loop = asyncio.get_running_loop()
    last = loop.create_future()
    loop.call_soon(last.set_result, None)
    await last


async def _line() -> None:
    workers, go_on = PasswordWorkers(), threading.Event()
    waiting = [asyncio.ensure_future(workers.run(go_on.wait, 30)) for _ in range(WORKERS + LINE)]
    await _everything_that_is_ready()
    with pytest.raises(TooManyRequests):
        await workers.run(go_on.wait, 30)
    known = asyncio.ensure_future(workers.run_for_known(go_on.wait, 30))
    await _everything_that_is_ready()
    go_on.set()
    assert all(await asyncio.gather(*waiting, known))
    assert await workers.run(go_on.wait, 30), "the line is empty again"
    workers.close()


def test_the_line_has_twenty_places_and_others_for_those_who_are_known() -> None:
    asyncio.run(_line())


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


def _guess(guard: throttle.LoginThrottle, username: str, peer: str, error: Exception | None = None) -> bool:
    try:
        with guard.attempt(username, peer):
            raise error or Unauthenticated("wrong")
    except TooManyRequests:
        return False
    except (Unauthenticated, Invalid):
        return True


def test_the_whole_site_takes_a_hundred_wrong_passwords_a_minute(moment: list[float]) -> None:
    guard = throttle.LoginThrottle()
    assert sum(_guess(guard, f"user{number}", f"10.0.{number}.1") for number in range(150)) == throttle.SITE.attempts
    with guard.attempt("alice", "192.0.2.1", "a known device"):
        pass
    moment[0] += throttle.SITE.window + 1
    assert _guess(guard, "alice", "192.0.2.1")


def test_attempts_that_were_no_guesses_are_taken_back(moment: list[float]) -> None:
    guard = throttle.LoginThrottle()
    for _ in range(200):
        assert _guess(guard, "alice", "192.0.2.1", Invalid("no password at all"))
        with guard.attempt("alice", "192.0.2.1"):
            pass
    assert not guard._counted


def test_a_right_password_gives_back_only_its_own_attempt(moment: list[float]) -> None:
    guard = throttle.LoginThrottle()
    for number in range(throttle.ACCOUNT.attempts - 1):
        assert _guess(guard, "alice", f"10.0.{number}.1")
    with guard.attempt("alice", "192.0.2.1"):
        pass
    assert _guess(guard, "alice", "10.1.0.1")
    assert not _guess(guard, "alice", "10.1.0.2")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
    ],
)
def test_a_caller_is_the_network_that_they_take_addresses_from(address: str, network: str) -> None:
    assert throttle.network_of(address) == network


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.full)], indirect=True)
def test_strangers_who_sign_in_slow_nobody_down(tmp_path: Path, database_url: str) -> None:
    """Fifty connections guess as fast as they are answered; the median of a viewer's query stays within five times of the quiet one
    before and after, on the same machine."""
    server = LiveServer(tmp_path / "data", APPLIANCE_DATABASE_URL=database_url).start()
    port = server.url.rpartition(":")[2]
    query = {"query": "{ flowRuns(first: 50) { items { id name state } } me { role } }"}
    client = httpx2.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)

    def measured(times: int) -> float:
        lengths = []
        for _ in range(times):
            began = clock.monotonic()
            assert client.post(server.url + "/graphql", json=query).status_code == 200
            lengths.append(clock.monotonic() - began)
        return median(lengths)

    try:
        measured(50)
        quiet = measured(200)
        command = [sys.executable, "-m", "tests.bench.strangers", port, "50"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as strangers:
            assert strangers.stdout is not None and strangers.stdout.readline() == "ready\n"
            busy = measured(200)
            answers = strangers.communicate("")[0]
        quiet = max(quiet, measured(200))  # the machine may have become slower meanwhile
    finally:
        server.stop()
    print(f"quiet {quiet * 1000:.1f} ms, busy {busy * 1000:.1f} ms, {busy / quiet:.1f} times; strangers got {answers}")
    assert "'401': 30" in answers, "all else is refused"
    assert busy <= 5 * quiet
