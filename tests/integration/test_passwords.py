"""Changing one's own password, setting another user's, and passwords that are good for the first sign-in only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from click.testing import CliRunner, Result
from litestar.testing import TestClient

from appliance.cli.root import cli
from appliance.client.errors import Forbidden
from appliance.config import Settings
from appliance.protocol.users import ChangePassword
from appliance.server.actions import passwords as actions
from appliance.server.actions import setup
from appliance.server.app import create_app
from appliance.server.auth import passwords, throttle
from appliance.server.auth.identity import Actor
from appliance.server.auth.sessions import COOKIE
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.errors import Conflict
from tests.integration.builders import one, rows
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site, add_token, add_user, listening

__all__ = ["database", "site"]

PRESET = "preset horse battery"
OWN = "correct horse battery"
KEY = "9f5d2c9e-6a4b-4d1c-8f3e-0d6b5a7c1e42"
CHANGE = "/api/v1/password"


class Browser:
    """Somebody who signed in with a password: their cookie and their CSRF token."""

    def __init__(self, client: TestClient[Any], answer: Any) -> None:
        self._client, self.me = client, answer.json()
        self._headers = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}", "X-CSRF-Token": self.me["csrf_token"]}

    def get(self, path: str) -> Any:
        return self._client.get(path, headers=self._headers)

    def put(self, path: str, body: Any) -> Any:
        return self._client.put(path, json=body, headers=self._headers)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self._client.post(path, json=body, headers=self._headers | headers)

    def change(self, current: str, new: str, **headers: str) -> Any:
        return self.post(CHANGE, {"current": current, "new": new}, **headers)


def attempt(site: Site, password: str, username: str = "alice") -> Any:
    answer = site.client.post("/api/v1/login", json={"username": username, "password": password})
    site.client.cookies.clear()
    return answer


def browser(site: Site, password: str = PRESET, username: str = "alice") -> Browser:
    answer = attempt(site, password, username)
    assert answer.status_code == 200, answer.text
    return Browser(site.client, answer)


def put(site: Site, user_id: UUID, body: Any, principal: str = "admin") -> Any:
    return site.client.put(f"/api/v1/users/{user_id}/password", json=body, headers=site.headers(principal))


def who_must_change(site: Site, user_id: UUID) -> Browser:
    """A browser session of a user whose password was set for them."""
    assert put(site, user_id, {"password": PRESET}).json()["must_change_password"] is True
    return browser(site)


@pytest.fixture
def alice(site: Site) -> UUID:
    return add_user(site.database, "alice", "operator", passwords.hash_password(PRESET))


# --- one's own


def test_the_new_password_signs_in_and_the_old_one_does_not(site: Site, alice: UUID) -> None:
    mine, others = browser(site), [browser(site) for _ in range(2)]
    changed = mine.change(PRESET, OWN)
    assert changed.status_code == 200
    assert changed.json() == mine.get("/api/v1/me").json() == mine.me
    assert [other.get("/api/v1/me").status_code for other in others] == [401, 401]
    assert attempt(site, PRESET).status_code == 401
    assert attempt(site, OWN).status_code == 200
    [event] = rows(site.database, "select * from event where kind = 'user.password_changed'")
    assert (UUID(str(event["object_id"])), event["actor"]) == (alice, "alice")


def test_with_a_token_all_sessions_end(site: Site, alice: UUID) -> None:
    mine = browser(site)
    site.tokens["alice"] = add_token(site.database, "alice")
    assert site.post(CHANGE, {"current": PRESET, "new": OWN}, "alice").status_code == 200
    assert mine.get("/api/v1/me").status_code == 401
    assert site.get("/api/v1/me", "alice").status_code == 200


def test_other_users_stay_signed_in(site: Site, alice: UUID) -> None:
    add_user(site.database, "bob", "viewer", passwords.hash_password(PRESET))
    bob = browser(site, username="bob")
    browser(site).change(PRESET, OWN)
    assert bob.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "status", "code", "sentence"),
    [
        ("not the password", OWN, 403, "wrong_password", "The current password is wrong."),
        (PRESET, PRESET, 400, "invalid", "the same as the current one"),
        (PRESET, "short", 400, "invalid", "at least 12 characters"),
        (PRESET, "alice is my name", 400, "invalid", "too easy to guess"),
    ],
)
def test_a_rejected_change_changes_nothing(
    site: Site, alice: UUID, current: str, new: str, status: int, code: str, sentence: str
) -> None:
    mine = browser(site)
    refused = mine.change(current, new)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert sentence in refused.json()["message"]
    assert mine.get("/api/v1/me").status_code == 200
    assert attempt(site, PRESET).status_code == 200


def test_wrong_passwords_count_like_those_of_signing_in(site: Site, alice: UUID) -> None:
    mine = browser(site)
    for _ in range(throttle.PAIR.attempts):
        assert mine.change("not the password", OWN).status_code == 403
    assert mine.change(PRESET, OWN).status_code == 429
    assert attempt(site, PRESET).status_code == 429


def test_a_user_without_a_password_is_told_so(site: Site) -> None:
    refused = site.post(CHANGE, {"current": "x", "new": OWN}, "viewer")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "an administrator can set one" in refused.json()["message"]


def test_a_session_needs_its_csrf_token(site: Site, alice: UUID) -> None:
    assert browser(site).change(PRESET, OWN, **{"X-CSRF-Token": "wrong"}).json()["code"] == "forbidden"
    assert attempt(site, PRESET).status_code == 200


def test_of_two_changes_at_once_one_wins(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = add_user(database, "alice", "operator", passwords.hash_password(PRESET))
    actor = Actor(kind="user", name="alice", role="operator", user_id=alice)
    request = ChangePassword(current=PRESET, new=OWN)
    hashed = passwords.hash_password

    def overtaken(password: str) -> str:
        monkeypatch.setattr(passwords, "hash_password", hashed)
        actions.change(database, actor, ChangePassword(current=PRESET, new="another horse battery"), None)
        return hashed(password)

    monkeypatch.setattr(passwords, "hash_password", overtaken)
    with pytest.raises(Conflict, match="changed elsewhere just now"):
        actions.change(database, actor, request, None)
    assert passwords.verify(stored(database), "another horse battery")


def test_no_session_opens_with_a_password_that_was_just_changed(
    site: Site, alice: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = passwords.verify

    def overtaken(known: str | None, password: str) -> bool:
        monkeypatch.setattr(passwords, "verify", verify)
        put(site, alice, {"password": OWN})
        return verify(known, password)

    monkeypatch.setattr(passwords, "verify", overtaken)
    assert attempt(site, PRESET).status_code == 401
    assert rows(site.database, "select id from session") == []


# --- under a key


def test_a_change_whose_answer_was_lost_is_answered_again(site: Site, alice: UUID) -> None:
    mine = browser(site)
    first = mine.change(PRESET, OWN, **{"Idempotency-Key": KEY})
    for _ in range(throttle.PAIR.attempts + 1):
        again = mine.change(PRESET, OWN, **{"Idempotency-Key": KEY})
        assert (again.status_code, again.json()) == (200, first.json())
    assert len(rows(site.database, "select id from event where kind = 'user.password_changed'")) == 1
    assert mine.change(PRESET, "another horse battery", **{"Idempotency-Key": KEY}).json()["code"] == "key_reused"
    assert mine.change(PRESET, OWN).json()["code"] == "wrong_password"


def test_a_wrong_password_is_not_remembered_under_the_key(site: Site, alice: UUID) -> None:
    mine = browser(site)
    assert mine.change("not the password", OWN, **{"Idempotency-Key": KEY}).json()["code"] == "wrong_password"
    assert mine.change(PRESET, OWN, **{"Idempotency-Key": KEY}).status_code == 200


def test_no_password_is_stored_or_logged(site: Site, alice: UUID, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    mine = browser(site)
    mine.change("not the battery", OWN, **{"Idempotency-Key": KEY})
    mine.change(PRESET, OWN, **{"Idempotency-Key": KEY})
    headers = site.headers("admin") | {"Idempotency-Key": KEY}
    body = {"password": "another horse battery"}
    assert site.client.put(f"/api/v1/users/{alice}/password", json=body, headers=headers).status_code == 200
    stored_anywhere = repr([rows(site.database, f'select * from "{table}"') for table in metadata.tables])
    assert "battery" not in stored_anywhere and "battery" not in caplog.text


# --- another user's


def test_an_administrator_sets_a_password_that_must_be_changed(site: Site, alice: UUID) -> None:
    before = browser(site)
    answer = put(site, alice, {"password": OWN})
    assert answer.status_code == 200
    assert (answer.json()["username"], answer.json()["must_change_password"]) == ("alice", True)
    assert before.get("/api/v1/me").status_code == 401, "their sessions end"
    assert attempt(site, PRESET).status_code == 401
    assert browser(site, OWN).me["must_change_password"] is True
    listed = {
        user["username"]: user["must_change_password"] for user in site.get("/api/v1/users", "admin").json()["items"]
    }
    assert listed == {"admin": False, "alice": True, "operator": False, "viewer": False}
    [event] = rows(site.database, "select actor from event where kind = 'user.password_set'")
    assert event["actor"] == "admin"


@pytest.mark.parametrize("must", [None, True, False])
def test_a_new_user_must_change_theirs_unless_the_administrator_says_otherwise(site: Site, must: bool | None) -> None:
    chosen = {} if must is None else {"must_change": must}
    created = site.post("/api/v1/users", {"username": "bob", "password": PRESET, **chosen}, "admin")
    assert (created.status_code, created.json()["must_change_password"]) == (201, must is not False)
    mine = browser(site, username="bob")
    assert mine.get("/api/v1/flows").status_code == (200 if must is False else 403)
    site.tokens["bob"] = add_token(site.database, "bob")
    assert site.get("/api/v1/flows", "bob").status_code == 200, "tokens are something else"
    assert mine.change(PRESET, OWN).status_code == 200
    assert mine.get("/api/v1/flows").status_code == 200


def test_unless_the_administrator_says_otherwise(site: Site, alice: UUID) -> None:
    assert put(site, alice, {"password": OWN, "must_change": False}).json()["must_change_password"] is False
    assert browser(site, OWN).get("/api/v1/flows").status_code == 200


def test_a_user_who_had_only_tokens_gets_a_password(site: Site) -> None:
    viewer = UUID(str(one(site.database, "select id from \"user\" where username = 'viewer'")["id"]))
    assert put(site, viewer, {"password": OWN}).status_code == 200
    assert browser(site, OWN, "viewer").me["must_change_password"] is True


def test_administrators_keep_the_session_in_which_they_set_their_own(site: Site) -> None:
    root = add_user(site.database, "root", "admin", passwords.hash_password(PRESET))
    mine, other = (browser(site, username="root") for _ in range(2))
    body = {"password": OWN, "must_change": False}
    assert mine.put(f"/api/v1/users/{root}/password", body).status_code == 200
    assert (mine.get("/api/v1/me").status_code, other.get("/api/v1/me").status_code) == (200, 401)


@pytest.mark.parametrize(("password", "word"), [("short", "at least 12"), ("alice is my name", "too easy to guess")])
def test_a_weak_one_is_rejected(site: Site, alice: UUID, password: str, word: str) -> None:
    refused = put(site, alice, {"password": password})
    assert refused.status_code == 400 and word in refused.json()["message"]


def test_of_an_unknown_user_or_by_an_operator(site: Site, alice: UUID) -> None:
    assert put(site, UUID(int=1), {"password": OWN}).json()["code"] == "not_found"
    assert put(site, alice, {"password": OWN}, "operator").json()["code"] == "forbidden"


# --- until it is changed


def test_a_session_is_good_for_nothing_else(site: Site, alice: UUID) -> None:
    mine = who_must_change(site, alice)
    me = mine.get("/api/v1/me").json()
    assert (me["permissions"], me["must_change_password"]) == (["self"], True)
    for refused in (mine.get("/api/v1/flows"), mine.get("/api/v1/events"), mine.post("/api/v1/bulk", {})):
        assert (refused.status_code, refused.json()["code"]) == (403, "must_change_password")
        assert refused.json()["message"].startswith("Change your password first: ")
    answer = mine.post("/graphql", {"query": "{ me { permissions mustChangePassword } server { version } }"}).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["must_change_password"]
    own = mine.post("/graphql", {"query": "{ me { permissions mustChangePassword } }"}).json()["data"]["me"]
    assert own == {"permissions": ["self"], "mustChangePassword": True}
    changed = mine.change(PRESET, OWN).json()
    assert changed["must_change_password"] is False and "runs:create" in changed["permissions"]
    assert mine.get("/api/v1/flows").status_code == 200
    assert mine.get("/api/v1/me").json() == changed


def test_signing_out_works(site: Site, alice: UUID) -> None:
    mine = who_must_change(site, alice)
    assert mine.post("/api/v1/logout", {}).status_code == 204


def test_tokens_go_on_working(site: Site, alice: UUID) -> None:
    site.tokens["alice"] = add_token(site.database, "alice")
    who_must_change(site, alice)
    assert site.get("/api/v1/flows", "alice").status_code == 200
    assert site.get("/api/v1/me", "alice").json()["must_change_password"] is False


@pytest.mark.parametrize("must", [True, False])
def test_the_preset_password_of_the_first_user(empty_site: Site, must: bool) -> None:
    setup.ensure_admin(empty_site.database, PRESET, "a-token-of-the-environment", must_change=must)
    mine = browser(empty_site, PRESET, "admin")
    assert mine.me["must_change_password"] is must
    assert mine.get("/api/v1/users").status_code == (403 if must else 200)
    assert mine.change(PRESET, OWN).status_code == 200
    setup.ensure_admin(empty_site.database, PRESET, "a-token-of-the-environment", must_change=must)
    assert mine.get("/api/v1/users").status_code == 200
    assert attempt(empty_site, PRESET, "admin").status_code == 401


def test_a_token_alone_leaves_nothing_to_change(empty_site: Site) -> None:
    setup.ensure_admin(empty_site.database, "", "a-token-of-the-environment", must_change=True)
    assert rows(empty_site.database, 'select must_change_password from "user"') == [{"must_change_password": 0}]


# --- the command line


Command = Callable[..., Result]


@pytest.fixture
def appliance(site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line, whose input is typed line by line."""
    with listening(create_app(settings, site.database)) as url:
        monkeypatch.setenv("APPLIANCE_URL", url)

        def call(*arguments: str, token: str = "admin", typed: tuple[str, ...] = ()) -> Result:
            monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens[token])
            return CliRunner().invoke(cli, ["user", *arguments], input="".join(f"{line}\n" for line in typed))

        yield call


def test_one_changes_ones_own(site: Site, alice: UUID, appliance: Command) -> None:
    site.tokens["alice"] = add_token(site.database, "alice")
    done = appliance("password", token="alice", typed=(PRESET, OWN, OWN))
    assert done.exit_code == 0 and done.output.endswith("Password of alice changed.\n")
    assert PRESET not in done.output and OWN not in done.output
    assert attempt(site, OWN).status_code == 200
    wrong = appliance("password", token="alice", typed=(PRESET, OWN, OWN))
    assert isinstance(wrong.exception, Forbidden) and str(wrong.exception) == "The current password is wrong."


def test_an_administrator_resets_another(site: Site, alice: UUID, appliance: Command, tmp_path: Path) -> None:
    file = tmp_path / "new.txt"
    file.write_text(f"{OWN}\n")
    told = appliance("password", "alice", "--password-file", str(file)).output
    assert told == "Password of alice set; it must be changed at the next sign-in.\n"
    assert browser(site, OWN).me["must_change_password"] is True
    assert "must change password" in appliance("list").output
    told = appliance("password", str(alice), "--password-file", str(file), "--no-must-change", "--json").output
    assert msgspec.json.decode(told)["must_change_password"] is False
    assert browser(site, OWN).me["must_change_password"] is False


def test_an_administrator_creates_one(site: Site, appliance: Command, tmp_path: Path) -> None:
    file = tmp_path / "new.txt"
    file.write_text(f"{OWN}\n")
    told = appliance("create", "bob", "--password-file", str(file)).output
    assert told == "User bob created with role viewer; the password must be changed at the first sign-in.\n"
    told = appliance("create", "eve", "--no-must-change", "--password-file", str(file)).output
    assert told == "User eve created with role viewer.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--no-must-change",), "add the user's NAME"),
        (("alice", "--current-password-file", __file__), "leave out the user's NAME"),
        (("alcie",), "did you mean"),
    ],
)
def test_options_that_would_do_nothing_are_rejected(
    site: Site, alice: UUID, appliance: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    refused = appliance("password", *arguments)
    assert refused.exit_code == 2 and sentence in refused.output


def stored(database: Database) -> str:
    return str(one(database, "select password_hash from \"user\" where username = 'alice'")["password_hash"])
