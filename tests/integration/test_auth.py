"""Signing in and out, sessions, CSRF, setup, tokens: what opens the door, and what no longer does."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance.kit import clock, ids
from appliance.server.actions import setup
from appliance.server.auth import passwords, throttle
from appliance.server.auth.sessions import COOKIE
from appliance.server.db.reads import tokens as read_tokens
from appliance.server.db.writes import users
from appliance.server.domain.rules import Rules
from appliance.server.errors import Conflict, Invalid, Unauthenticated
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site, add_user

__all__ = ["database", "site"]

PASSWORD = "correct horse battery"


def _login(site: Site, username: str = "alice", password: str = PASSWORD) -> Any:
    return site.client.post("/api/v1/login", json={"username": username, "password": password})


@pytest.fixture
def alice(site: Site) -> Site:
    add_user(site.database, "alice", "operator", passwords.hash_password(PASSWORD))
    return site


def test_a_session_reads_by_cookie_and_writes_with_the_csrf_token(alice: Site) -> None:
    answer = _login(alice, " Alice ")
    assert answer.status_code == 200 and answer.json()["role"] == "operator"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert alice.client.get("/api/v1/me").json()["username"] == "alice"
    flow = str(builders.register(alice.database).flow_id)
    given: list[Any] = [{}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": b"\xc3\xa9"}]
    for headers in given:
        refused = alice.client.post("/api/v1/flow-runs", json={"flow_id": flow}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert alice.client.post("/graphql", json={"query": "{me{role}}"}, headers=headers).status_code == 403
    allowed = alice.client.post(
        "/api/v1/flow-runs", json={"flow_id": flow}, headers={"X-CSRF-Token": answer.json()["csrf_token"]}
    )
    assert allowed.status_code == 201


def test_a_session_ends_at_logout_at_its_time_and_when_its_user_is_disabled(alice: Site) -> None:
    csrf = _login(alice).json()["csrf_token"]
    assert alice.client.post("/api/v1/logout", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert alice.client.get("/api/v1/me").status_code == 401
    _login(alice)
    cookie = alice.client.cookies[COOKIE]
    later = clock.now() + timedelta(days=8)
    with clock.stopped(lambda: later):
        assert alice.client.get("/api/v1/me", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code == 401
    assert alice.client.get("/api/v1/me").status_code == 200
    user_id = builders.one(alice.database, "select id from \"user\" where username = 'alice'")["id"]
    with alice.database.write() as session:
        users.edit(session, UUID(str(user_id)), "viewer", disabled=True)
    assert alice.client.get("/api/v1/me").status_code == 401
    assert _login(alice).status_code == 401


def test_a_preset_cookie_never_becomes_the_session(alice: Site) -> None:
    alice.client.cookies.set(COOKIE, "chosen-by-somebody-else")
    given = _login(alice).headers["set-cookie"]
    assert "chosen-by-somebody-else" not in given
    alice.client.cookies.clear()
    chosen = {"Cookie": f"{COOKIE}=chosen-by-somebody-else"}
    assert alice.client.get("/api/v1/me", headers=chosen).status_code == 401


def test_wrong_name_and_wrong_password_look_the_same(alice: Site) -> None:
    unknown, wrong = _login(alice, "nobody"), _login(alice, "alice", "not the password")
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.json()["message"] == wrong.json()["message"]


def test_the_seventh_wrong_password_has_to_wait(alice: Site) -> None:
    for _ in range(throttle.PAIR.attempts):
        assert _login(alice, "alice", "wrong").status_code == 401
    refused = _login(alice)  # the right one too: a guesser must not learn that it is right
    assert refused.status_code == 429
    seconds = refused.headers["retry-after"]
    assert 290 <= int(seconds) <= 300 and f"{seconds} seconds" in refused.json()["message"]
    assert _login(alice, "viewer", "wrong").status_code == 401  # others are not locked out


def test_nothing_is_served_before_setup_and_its_link_works_once(empty_site: Site) -> None:
    client = empty_site.client
    assert client.get("/api/v1/info").json()["setup_required"] is True
    for path in ("/api/v1/me", "/api/v1/flows", "/api/v1/events"):
        refused = client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (503, "setup_required")
    assert client.get("/").status_code == 200
    token = setup.create_setup_token(empty_site.database)
    weak = client.post("/api/v1/setup", json={"token": token, "password": "short"})
    assert weak.status_code == 400 and "12" in weak.json()["message"]
    assert client.post("/api/v1/setup", json={"token": "wrong", "password": PASSWORD}).status_code == 403
    done = client.post("/api/v1/setup", json={"token": token, "password": PASSWORD})
    assert done.status_code == 201 and done.json()["role"] == "admin"
    assert client.get("/api/v1/me").json()["username"] == "admin"
    assert client.post("/api/v1/setup", json={"token": token, "password": PASSWORD}).status_code == 409
    with pytest.raises(Conflict):
        setup.create_setup_token(empty_site.database)


def test_a_second_setup_link_replaces_the_first(empty_site: Site) -> None:
    first, second = (setup.create_setup_token(empty_site.database) for _ in range(2))
    assert empty_site.client.post("/api/v1/setup", json={"token": first, "password": PASSWORD}).status_code == 403
    assert empty_site.client.post("/api/v1/setup", json={"token": second, "password": PASSWORD}).status_code == 201


def test_a_setup_link_expires_and_only_its_hash_is_stored(empty_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    now = clock.now()
    token = setup.create_setup_token(empty_site.database)
    assert token not in repr(builders.rows(empty_site.database, "select * from setting")) + caplog.text
    body = {"token": token, "password": PASSWORD}
    with clock.stopped(lambda: now + timedelta(hours=setup.LINK_HOURS, minutes=1)):
        late = empty_site.client.post("/api/v1/setup", json=body)
    assert late.status_code == 403 and late.json()["message"].startswith("The setup link has expired; get another")
    assert empty_site.client.post("/api/v1/setup", json=body).status_code == 201
    assert builders.rows(empty_site.database, "select name from setting where name = 'setup_token'") == []


def test_a_link_ends_when_the_environment_names_the_admin(empty_site: Site) -> None:
    setup.create_setup_token(empty_site.database)
    setup.ensure_admin(empty_site.database, PASSWORD, "")
    assert builders.rows(empty_site.database, "select name from setting where name = 'setup_token'") == []


def test_the_environment_makes_the_admin_once(empty_site: Site) -> None:
    database = empty_site.database
    for _ in range(2):
        setup.ensure_admin(database, PASSWORD, "token-from-the-environment")
    assert _login(empty_site, "admin").status_code == 200
    empty_site.tokens["env"] = "token-from-the-environment"
    assert empty_site.get("/api/v1/users", "env").status_code == 200
    setup.ensure_admin(database, "", "a-second-token-from-the-environment")
    assert empty_site.get("/api/v1/users", "env").status_code == 401, "the former one has ended"
    empty_site.tokens["env"] = "a-second-token-from-the-environment"
    assert empty_site.get("/api/v1/users", "env").status_code == 200
    assert len(builders.rows(database, 'select id from "user"')) == 1
    with pytest.raises(Invalid, match="APPLIANCE_ADMIN_TOKEN is too short"):
        setup.ensure_admin(database, "", "short")
    for token in ("with a line break\n", "mit-L\u00fccke-im-Text", " with a space"):
        with pytest.raises(Invalid, match="APPLIANCE_ADMIN_TOKEN contains") as caught:
            setup.ensure_admin(database, "", token)
        assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short-ish", "is too short; use at least 12 characters"),
        ("Password 2024!", "is too easy to guess, because it is a common password"),
        ("admin of this site", "is too easy to guess, because it contains the user's name"),
    ],
)
def test_a_weak_password_of_the_environment_is_refused(empty_site: Site, password: str, problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        setup.ensure_admin(empty_site.database, password, "")
    assert caught.value.message.startswith(f"APPLIANCE_ADMIN_PASSWORD {problem}")
    assert caught.value.message.endswith("or set APPLIANCE_DEVELOPMENT=true on a machine that nobody else can reach.")
    assert builders.rows(empty_site.database, 'select username from "user"') == []


def test_one_from_before_the_rule_is_kept_with_a_warning_until_it_changes(
    empty_site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(empty_site.database, "rules", Rules(development=True))
        setup.ensure_admin(empty_site.database, "short-ish", "")
    assert caplog.text == ""
    setup.ensure_admin(empty_site.database, "short-ish", "")
    assert "APPLIANCE_ADMIN_PASSWORD is too short; use at least 12 characters. It stays valid" in caplog.text
    assert _login(empty_site, "admin", "short-ish").status_code == 200
    with pytest.raises(Invalid):
        setup.ensure_admin(empty_site.database, "shortish", "")


def test_for_development_any_password_will_do(empty_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empty_site.database, "rules", Rules(development=True))
    token = setup.create_setup_token(empty_site.database)
    body = {"token": token, "password": ""}
    refused = empty_site.client.post("/api/v1/setup", json=body)
    assert refused.status_code == 400 and "at least 1 character." in refused.json()["message"]
    assert empty_site.client.post("/api/v1/setup", json=body | {"password": "x"}).status_code == 201


def test_the_embedded_agents_token_replaces_the_one_before(site: Site) -> None:
    for name in ("old", "new"):
        site.tokens[name] = setup.issue_agent_token(site.database, "embedded")
    enrol = {"name": "embedded", "type": "process"}
    assert site.post("/api/v1/agents", enrol, "old").status_code == 401
    assert site.post("/api/v1/agents", enrol, "new").status_code == 201


def test_a_tokens_last_use_is_noted_once_a_minute(site: Site) -> None:
    def last_used() -> Any:
        with site.database.read() as session:
            return read_tokens.by_hash(session, ids.sha256(site.tokens["viewer"])).last_used

    start = clock.now()
    for seconds, expected in ((0, 0), (30, 0), (61, 61)):
        moment = start + timedelta(seconds=seconds)
        with clock.stopped(lambda moment=moment: moment):
            assert site.get("/api/v1/me").status_code == 200
        assert last_used() == start + timedelta(seconds=expected)


@pytest.mark.parametrize(
    "header", ["Basic YWRtaW46eA==", "Bearer", "Bearer ", "Token x", "Bearer apl_api_", "Bearer a\tb", "x" * 5000]
)
def test_malformed_credentials_are_refused(site: Site, header: str) -> None:
    answer = site.client.get("/api/v1/me", headers={"Authorization": header})
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("size", [10, 100_000])
def test_nobody_unknown_gets_a_run_made_however_large_the_body(site: Site, size: int) -> None:
    """Small bodies are read before it is known who sends them."""
    body = {"flow_id": str(builders.register(site.database).flow_id), "name": "n" * size}
    answer = site.client.post("/api/v1/flow-runs", json=body)
    assert answer.status_code == 401 and answer.json()["code"] == "unauthenticated"
    assert site.get("/api/v1/flow-runs", "viewer").json()["items"] == []


def test_a_bearer_token_wins_over_a_cookie_and_needs_no_csrf(alice: Site) -> None:
    _login(alice)
    assert alice.get("/api/v1/me", "viewer").json()["username"] == "viewer"
    assert alice.post("/graphql", {"query": "{ me { role } }"}, "viewer").status_code == 200


def test_tokens_are_shown_once_and_only_their_hash_is_kept(site: Site) -> None:
    made = site.post("/api/v1/tokens", {"name": "ci", "username": "operator"}, "admin").json()
    listed = site.get("/api/v1/tokens", "admin").text
    assert made["token"] not in listed and made["view"]["prefix"] in listed
    site.tokens["made"] = made["token"]
    assert site.get("/api/v1/me", "made").json()["role"] == "operator"
    stored = builders.rows(site.database, "select * from api_token")
    assert made["token"] not in repr(stored)
    assert site.client.delete(f"/api/v1/tokens/{made['view']['id']}", headers=site.headers("admin")).status_code == 204
    assert site.get("/api/v1/me", "made").status_code == 401


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "username": "nobody"}, "username"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "admin": True}, "admin"),
    ],
)
def test_bad_tokens_are_refused_with_the_field(site: Site, body: Any, word: str) -> None:
    answer = site.post("/api/v1/tokens", body, "admin")
    assert answer.status_code == 400 and word in answer.json()["message"]


@pytest.mark.parametrize(
    "password", ["elevenchars", "aaaaaaaaaaaaaa", "Qwerty-2024!!", "Appliance 2024", "xx-bob-is-here", "p" + "ä" * 600]
)
def test_weak_passwords_are_refused(site: Site, password: str) -> None:
    answer = site.post("/api/v1/users", {"username": "bob", "password": password}, "admin")
    assert answer.status_code == 400 and "password" in answer.json()["message"]


def test_the_same_password_in_another_unicode_form_fits() -> None:
    stored = passwords.hash_password("pässword-with-umlaut")
    assert passwords.verify(stored, "pa\u0308ssword-with-umlaut")
    assert not passwords.verify(stored, "password-with-umlaut")
    assert not passwords.verify(None, "the password of nobody")


def guess(guard: throttle.LoginThrottle, username: str, peer: str) -> None:
    with contextlib.suppress(Unauthenticated), guard.attempt(username, peer):
        raise Unauthenticated("wrong")


def test_the_throttle_forgets_after_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: moment)
    guard = throttle.LoginThrottle()
    for _ in range(throttle.PAIR.attempts):
        guess(guard, "bob", "peer")
    with pytest.raises(throttle.TooManyRequests):
        guess(guard, "bob", "peer")
    moment += throttle.PAIR.window + 1
    guess(guard, "bob", "peer")
